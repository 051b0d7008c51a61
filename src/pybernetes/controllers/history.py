"""Revisions of a DaemonSet's template, kept as ControllerRevision objects for `kubectl rollout history` and `undo`.

The data of a revision is the patch that `undo` applies, so a revision is identified by its data. Pure.
"""

from collections.abc import Collection, Sequence

import msgspec

from pybernetes.api.apps.controller_revision import ControllerRevision
from pybernetes.api.apps.daemon_set import DaemonSet
from pybernetes.api.meta import ObjectMeta
from pybernetes.controllers.daemonset_plan import HASH_LABEL
from pybernetes.controllers.deployment_revisions import safe_hash
from pybernetes.controllers.ownership import controller_ref


def patch_of(daemon: DaemonSet) -> bytes:
    """A strategic merge patch that replaces the template by the current one."""
    template = msgspec.to_builtins(daemon.spec.template)
    return msgspec.json.encode({"spec": {"template": {**template, "$patch": "replace"}}}, order="deterministic")


def find(daemon: DaemonSet, revisions: Sequence[ControllerRevision]) -> ControllerRevision | None:
    """The revision of the current template, the newest if there are several."""
    wanted = msgspec.json.decode(patch_of(daemon))
    same = [item for item in revisions if bytes(item.data) and msgspec.json.decode(item.data) == wanted]
    return max(same, key=number, default=None)


def number(revision: ControllerRevision) -> int:
    """The number of a revision; a higher one is newer."""
    return revision.revision or 0


def next_number(revisions: Sequence[ControllerRevision]) -> int:
    """The number for a new revision."""
    return max(map(number, revisions), default=0) + 1


def hash_of(revision: ControllerRevision) -> str:
    """The value of the hash label on the pods of a revision."""
    return revision.metadata.labels.get(HASH_LABEL, "")


def new(daemon: DaemonSet, revision: int) -> ControllerRevision:
    """A revision for the current template."""
    digest = safe_hash(daemon.spec.template, daemon.status.collision_count)
    meta = ObjectMeta(
        name=f"{daemon.metadata.name}-{digest}",
        namespace=daemon.metadata.namespace,
        labels={**daemon.spec.template.metadata.labels, HASH_LABEL: digest},
        annotations=daemon.metadata.annotations,
        owner_references=[controller_ref(daemon)],
    )
    return ControllerRevision(metadata=meta, data=msgspec.Raw(patch_of(daemon)), revision=revision)


def outdated(
    daemon: DaemonSet, revisions: Sequence[ControllerRevision], current: ControllerRevision, live: Collection[str]
) -> list[ControllerRevision]:
    """The oldest revisions beyond the history limit that no pod uses. `live` are the hashes of existing pods."""
    limit = 10 if daemon.spec.revision_history_limit is None else daemon.spec.revision_history_limit
    old = [item for item in revisions if item.metadata.name != current.metadata.name and hash_of(item) not in live]
    return sorted(old, key=number)[: max(0, len(old) - limit)]
