"""Caches lag behind writes: a controller that has just created three pods may not see them yet, and would create
three more. `Expectations` tells whether the cache shows a controller's own writes.

kube-controller-manager counts the events that it still expects. Here revisions are compared: a creation is visible
once the cache has reached the revision at which it was committed, and a deletion once the cached object is gone, has
another uid, or is terminating. There are no counters that could go wrong.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

from pybernetes.api.meta import Object
from pybernetes.client.informer import Informer, key_of

TIMEOUT = 300.0
"""Seconds after which expectations are dropped (ExpectationsTimeout of kube-controller-manager): a safety net for a
server whose store was restored to an earlier revision."""


@dataclass(slots=True)
class _Pending:
    since: datetime
    revision: int = 0
    deletions: dict[str, str] = field(default_factory=dict)
    """key of the deleted object -> its uid"""


class Expectations:
    """Per key of a controller, which of its own writes the cache must show before the next decision."""

    def __init__(self, informer: Informer[Object], now: Callable[[], datetime]) -> None:
        self._informer = informer
        self._now = now
        self._pending: dict[str, _Pending] = {}

    def wrote(self, key: str, obj: Object) -> None:
        """A creation or an update for `key` returned `obj`."""
        version = obj.metadata.resource_version
        if version.isdigit():
            pending = self._of(key)
            pending.revision = max(pending.revision, int(version))

    def deleted(self, key: str, obj: Object) -> None:
        """A deletion of `obj` for `key` was accepted."""
        self._of(key).deletions[key_of(obj)] = obj.metadata.uid

    def is_deleted(self, key: str, obj: Object) -> bool:
        """Whether `obj` was deleted for `key`, though the cache may not show it yet."""
        pending = self._pending.get(key)
        return pending is not None and pending.deletions.get(key_of(obj)) == obj.metadata.uid

    def forget(self, key: str) -> None:
        """Drop the expectations of a deleted object."""
        self._pending.pop(key, None)

    def satisfied(self, key: str) -> bool:
        """Whether the cache shows everything that was written for `key`."""
        pending = self._pending.get(key)
        if pending is None:
            return True
        late = (self._now() - pending.since).total_seconds() > TIMEOUT
        if not late and (self._informer.revision < pending.revision or self._waits_for_deletion(pending)):
            return False
        del self._pending[key]
        return True

    def _of(self, key: str) -> _Pending:
        pending = self._pending.get(key)
        if pending is None:
            pending = self._pending[key] = _Pending(self._now())
        return pending

    def _waits_for_deletion(self, pending: _Pending) -> bool:
        for key, uid in list(pending.deletions.items()):
            cached = self._informer.cache.get(key)
            if cached is not None and cached.metadata.uid == uid and not cached.metadata.deletion_timestamp:
                return True
            del pending.deletions[key]
        return False
