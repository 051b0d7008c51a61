"""A copy of flannel's keys in etcd, in memory: read once, then kept up to date by a watch.

Whenever the watch ends (a member died, history was compacted), everything is read again: there are never more keys
than nodes. While etcd does not answer, the last copy stays.
"""

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass

from pybernetes.etcd import EtcdClient, EtcdError, Unavailable, end_of
from pybernetes.etcd.etcdpb import etcd_pb2 as pb

log = logging.getLogger(__name__)

_DELAY_FIRST, _DELAY_MAX = 0.05, 5.0
#: A watch that lasted this long counts as a success; one that ends sooner is retried with back-off.
_STEADY = 1.0


@dataclass(frozen=True, slots=True)
class Entry:
    """A key's value and what etcd knows about it."""

    value: bytes
    created: int
    modified: int
    lease: int
    """The etcd lease that it is attached to; 0: none, the key stays until deleted."""


class EtcdView:
    """The keys under `<prefix>/`, by what follows that."""

    def __init__(self, client: EtcdClient, prefix: str) -> None:
        self.prefix = "/" + prefix.strip("/") + "/"
        self.keys: dict[str, Entry] = {}
        self.version = 0
        """Grows with every change of `keys`."""
        self._client = client
        self._revision = 0
        self._synced = asyncio.Event()
        self._away = False

    async def synced(self) -> None:
        """Wait until everything was read once."""
        await self._synced.wait()

    async def refresh(self) -> None:
        """Read everything as it is now. Raises EtcdError."""
        await self._read(fresh_watch=False)

    async def _read(self, *, fresh_watch: bool) -> None:
        found, revision = await self._client.list(self.prefix)
        # Ignore a list older than what the watch has already delivered: the watch will not send those events again.
        # Before a new watch, an older list counts, since etcd may have been restored from a backup.
        if revision < self._revision and not fresh_watch:
            return
        self._revision = revision
        keys = {self._name(kv): _entry(kv) for kv in found}
        if keys != self.keys:
            self.keys = keys
            self.version += 1
        self._synced.set()

    def wrote(self, name: str, entry: Entry) -> None:
        """We wrote this key: apply it without waiting for the watch."""
        self.keys = {**self.keys, name: entry}
        self.version += 1

    async def follow(self, changed: Callable[[], None]) -> None:
        """Keep the copy up to date until cancelled; calls `changed` after each change."""
        loop = asyncio.get_running_loop()
        delay = _DELAY_FIRST
        while True:
            begun = loop.time()
            if await self._catch_up(changed):
                try:
                    await self._watch(changed)
                except EtcdError as error:
                    # Perhaps one of several members failed: reading shows whether another one answers.
                    log.info("%s; reading everything again", error)
            if loop.time() - begun >= _STEADY:
                delay = _DELAY_FIRST
            await asyncio.sleep(delay)
            delay = min(delay * 2, _DELAY_MAX)

    async def _catch_up(self, changed: Callable[[], None]) -> bool:
        """Read everything; whether that succeeded."""
        before = self.version
        try:
            await self._read(fresh_watch=True)
        except EtcdError as error:
            self._report_lost(error)
            return False
        self._report_back()
        if self.version != before:
            changed()
        return True

    async def _watch(self, changed: Callable[[], None]) -> None:
        """Apply events until the watch ends. Raises EtcdError."""
        raw = self.prefix.encode()
        request = pb.WatchCreateRequest(key=raw, range_end=end_of(raw), start_revision=self._revision + 1)
        async for response in self._client.watch(request):
            if response.compact_revision:
                log.info("etcd has compacted events that were missed; reading everything again")
                return
            if response.canceled:
                raise Unavailable(f"etcd ended the watch: {response.cancel_reason}")
            if self._apply(response):
                changed()

    def _apply(self, response: pb.WatchResponse) -> bool:
        news = [event for event in response.events if event.kv.mod_revision > self._revision]
        if not news:
            return False  # a refresh was faster
        keys = dict(self.keys)
        for event in news:
            name = self._name(event.kv)
            if event.type == pb.Event.DELETE:
                keys.pop(name, None)
            else:
                keys[name] = _entry(event.kv)
            self._revision = event.kv.mod_revision
        if keys == self.keys:
            return False  # our own writing
        self.keys = keys
        self.version += 1
        return True

    def _name(self, kv: pb.KeyValue) -> str:
        return kv.key.decode(errors="backslashreplace").removeprefix(self.prefix)

    def _report_lost(self, error: EtcdError) -> None:
        if not self._away:
            log.warning("lost etcd: %s; the data path stays as it is", error)
        self._away = True

    def _report_back(self) -> None:
        if self._away:
            log.info("etcd answers again; read %d keys", len(self.keys))
        self._away = False


def _entry(kv: pb.KeyValue) -> Entry:
    return Entry(kv.value, kv.create_revision, kv.mod_revision, kv.lease)
