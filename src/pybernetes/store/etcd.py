"""The etcd engine: a real etcd cluster orders and stores writes; memory, fed by a watch, answers reads.

One watch follows all keys, so that every revision brings an event and memory always knows its revision. A write is a
transaction that compares the key's revision; it returns when memory has reached it. Several API servers can share one
cluster: their writes arrive by the same watch.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Self

from pybernetes import etcd
from pybernetes.etcd import EVERYTHING, EtcdClient, EtcdTls, end_of
from pybernetes.etcd.etcdpb import etcd_pb2 as pb
from pybernetes.store.errors import (
    AlreadyExists,
    Compacted,
    Conflict,
    DiskFull,
    FutureRevision,
    NotFound,
    OpenFailed,
    StoreClosed,
    StoreError,
    Unavailable,
    WriteFailed,
)
from pybernetes.store.keyspace import check_key
from pybernetes.store.memory import DEFAULT_BUFFER, DEFAULT_WINDOW, MemoryView
from pybernetes.store.types import Event, KeyValue, Page, Stamp, Watch, unstamped

log = logging.getLogger(__name__)

LOAD_PAGE = 1000  # keys per request when the state is read again
MAX_DELAY = 1.0  # seconds between attempts to reach an unavailable cluster


class EtcdStore:
    """See `types.Store` for the contract. Made by `open`; bound to the event loop that opened it."""

    def __init__(self, client: EtcdClient, view: MemoryView, stamp: Stamp, prefix: str, timeout: float) -> None:
        self._client = client
        self._view = view
        self._stamp = stamp
        self._prefix = prefix
        self._timeout = timeout
        self._arrivals: list[tuple[int, asyncio.Future[None]]] = []
        self._feed: asyncio.Task[None] | None = None
        self._asking: asyncio.Task[int] | None = None
        self._asked: asyncio.Task[int] | None = None
        self._closed = False

    @classmethod
    async def open(
        cls,
        endpoints: Sequence[str],
        *,
        prefix: str = "",
        tls: EtcdTls | None = None,
        timeout: float = 5.0,
        stamp: Stamp = unstamped,
        window: int = DEFAULT_WINDOW,
        buffer: int = DEFAULT_BUFFER,
    ) -> Self:
        """Connect, read the keys under `prefix` and follow them. Raises OpenFailed, with the servers in its text.

        `timeout`: seconds to wait for one answer of etcd.
        """
        with translated():
            client = EtcdClient(endpoints, tls, timeout)
        store = cls(client, MemoryView(window=window, buffer=buffer), stamp, prefix, timeout)
        try:
            await store._reload()
        except StoreError as error:
            await client.close()
            raise OpenFailed(f"cannot read from etcd at {', '.join(endpoints)}: {error}") from error
        store._start_feed()
        return store

    @property
    def revision(self) -> int:
        return self._view.revision

    @property
    def compacted(self) -> int:
        return self._view.compacted

    def get(self, key: str) -> KeyValue | None:
        return self._view.get(key)

    def range(self, prefix: str, *, start: str = "", limit: int = 0, revision: int = 0) -> Page:
        return self._view.range(prefix, start=start, limit=limit, revision=revision)

    def count(self, prefix: str) -> int:
        return self._view.count(prefix)

    def watch(self, prefix: str, *, from_revision: int = 0) -> Watch:
        return self._view.watch(prefix, from_revision=from_revision)

    async def read_barrier(self) -> int:
        """Ask the cluster's leader for its revision, and wait until memory has reached it.

        Callers that arrive during a request share the next one: it starts after their calls, which is enough for a
        consistent read.
        """
        self._check_open()
        if self._asked is None:
            self._asked = asyncio.create_task(self._ask(self._asking), name="etcd read barrier")
        await self._reached(await asyncio.shield(self._asked))
        return self._view.revision

    async def _ask(self, before: asyncio.Task[int] | None) -> int:
        """The cluster's revision, requested once the previous request is answered."""
        if before:
            await asyncio.wait([before])
        self._asking, self._asked = self._asked, None
        return await self._head()

    async def put(self, key: str, value: bytes, *, expect: int | None = None) -> KeyValue:
        put = pb.RequestOp(request_put=pb.PutRequest(key=key.encode(), value=value))
        response = await self._transact(key, put, expect)
        revision = response.header.revision
        if response.succeeded:
            created = self._view.get(key)
            return self._view.written(key, revision) or KeyValue(
                key, self._stamp(value, revision), revision, created.create_revision if created else revision
            )
        current = self._current(key, response)
        if expect == 0:
            raise AlreadyExists(key, current)
        raise Conflict(key, expect or 0, current)

    async def delete(self, key: str, *, expect: int | None = None) -> KeyValue:
        delete = pb.DeleteRangeRequest(key=key.encode(), prev_kv=True)
        response = await self._transact(key, pb.RequestOp(request_delete_range=delete), expect)
        revision = response.header.revision
        if not response.succeeded:
            current = self._current(key, response)
            if current is None:
                raise NotFound(key)
            raise Conflict(key, expect or 0, current)
        deleted = response.responses[0].response_delete_range
        if not deleted.deleted:
            raise NotFound(key)
        last = deleted.prev_kvs[0]
        return self._view.written(key, revision) or KeyValue(
            key, self._stamp(last.value, revision), revision, last.create_revision
        )

    async def compact(self, revision: int) -> None:
        self._check_open()
        if revision > self.revision:
            raise FutureRevision(revision, self.revision)
        if revision > self.compacted:
            with translated():
                await self._client.compact(revision)
            self._view.compact(revision)

    async def close(self) -> None:
        if self._closed:
            return
        self._closed = True
        tasks = [task for task in (self._feed, self._asking, self._asked) if task]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._client.close()
        for _, arrival in self._arrivals:
            if not arrival.done():
                arrival.set_exception(StoreClosed())
        self._view.close(StoreClosed())

    # Writing

    async def _transact(self, key: str, operation: pb.RequestOp, expect: int | None) -> pb.TxnResponse:
        """Do the operation if the key is at `expect`, else read the key. Returns once memory contains the result."""
        self._check_open()
        check_key(key)
        if not key.startswith(self._prefix):
            raise ValueError(f"key {key!r} is not under this store's prefix {self._prefix!r}")
        raw = key.encode()
        compare = []
        if expect is not None:
            compare = [pb.Compare(target=pb.Compare.MOD, key=raw, mod_revision=expect)]
        look = pb.RequestOp(request_range=pb.RangeRequest(key=raw))
        try:
            with translated():
                response = await self._client.txn(pb.TxnRequest(compare=compare, success=[operation], failure=[look]))
        except Unavailable as error:
            raise (StoreClosed() if self._closed else error) from error
        await self._reached(response.header.revision)
        return response

    def _current(self, key: str, response: pb.TxnResponse) -> KeyValue | None:
        """The version that the failed transaction read; memory's object if it is the same version."""
        found = response.responses[0].response_range.kvs
        return self._version(found[0]) if found else None

    def _check_open(self) -> None:
        if self._closed:
            raise StoreClosed

    # Following

    async def _head(self) -> int:
        """The cluster's revision, by a linearizable read."""
        self._check_open()
        with translated():
            response = await self._client.range(pb.RangeRequest(key=EVERYTHING, count_only=True, limit=1))
        return response.header.revision

    async def _reached(self, revision: int) -> None:
        """Wait until memory has reached this revision."""
        if revision <= self._view.revision:
            return
        arrival = asyncio.get_running_loop().create_future()
        self._arrivals.append((revision, arrival))
        try:
            async with asyncio.timeout(self._timeout):
                await arrival
        except TimeoutError as error:
            raise Unavailable(f"no news from etcd up to revision {revision} for {self._timeout} s") from error

    def _announce(self) -> None:
        waiting = []
        for revision, arrival in self._arrivals:
            if revision > self._view.revision and not arrival.done():
                waiting.append((revision, arrival))
            elif not arrival.done():
                arrival.set_result(None)
        self._arrivals = waiting

    def _start_feed(self) -> None:
        self._feed = asyncio.create_task(self._follow(), name="etcd feed")
        self._feed.add_done_callback(self._feed_ended)

    def _feed_ended(self, feed: asyncio.Task[None]) -> None:
        """Log an unexpected end of the feed: only `close` may end it, and memory is stale from now on."""
        if not feed.cancelled() and (error := feed.exception()):
            log.critical("the etcd feed ended", exc_info=error)
            self._view.close(Unavailable(f"the etcd feed ended: {error!r}"))

    async def _follow(self) -> None:
        """Keep memory current while the store is open, through any loss of connection."""
        delay = 0.0
        while True:
            before = self._view.revision
            try:
                await self._stream()
            except Compacted:
                await self._renew()
            except StoreError as error:
                log.log(logging.DEBUG if delay else logging.WARNING, "following etcd: %s", error)
                self._client.turn()
            delay = 0.02 if self._view.revision > before else min(MAX_DELAY, delay * 2 + 0.02)
            await asyncio.sleep(delay)

    async def _stream(self) -> None:
        """Apply the responses of one watch until it breaks. Raises Compacted if missed events are gone."""
        if await self._head() < self._view.revision:
            raise Compacted(self._view.revision, 0)  # the cluster was restored from an older backup
        request = pb.WatchCreateRequest(
            key=EVERYTHING, range_end=EVERYTHING, start_revision=self._view.revision + 1, prev_kv=True
        )
        async for response in self._responses(request):
            if response.compact_revision:
                raise Compacted(self._view.revision, response.compact_revision)
            if response.canceled:
                raise Unavailable(f"etcd ended the watch: {response.cancel_reason}")
            if response.events:
                events = convert(response.events, self._prefix.encode(), self._view.get, self._stamp)
                self._view.apply(events, response.events[-1].kv.mod_revision)
                self._announce()

    async def _responses(self, request: pb.WatchCreateRequest) -> AsyncIterator[pb.WatchResponse]:
        with translated():
            async for response in self._client.watch(request):
                yield response

    async def _renew(self) -> None:
        """Events are lost: read the state again, and end every watch so that its reader lists again."""
        lost = self._view.revision
        try:
            await self._reload()
        except StoreError as error:
            log.warning("reading the state from etcd: %s", error)
            return
        log.warning("etcd no longer has the events after revision %d; read the state again", lost)
        self._view.fail_watches(Compacted(lost, self._view.compacted))
        self._announce()

    async def _reload(self) -> None:
        """Read the state of one revision, in pages."""
        start = self._prefix.encode() or EVERYTHING
        end = end_of(self._prefix.encode())
        versions: list[KeyValue] = []
        revision = 0
        more = True
        while more:
            request = pb.RangeRequest(key=start, range_end=end, limit=LOAD_PAGE, revision=revision)
            with translated():
                page = await self._client.range(request)
            revision = revision or page.header.revision
            versions += [self._version(found) for found in page.kvs]
            more = page.more
            start = page.kvs[-1].key + b"\0" if page.kvs else start
        self._view.load(versions, revision, floor=revision, events=[])

    def _version(self, found: pb.KeyValue) -> KeyValue:
        """Memory's object for this version, which keeps its decoded form; a new one if memory does not have it."""
        key = text(found.key)
        known = self._view.get(key)
        if known and known.revision == found.mod_revision:
            return known
        value = self._stamp(found.value, found.mod_revision)
        return KeyValue(key, value, found.mod_revision, found.create_revision)


def text(key: bytes) -> str:
    """A key as text. Keys of this store are UTF-8; keys of other programs can be any bytes."""
    return key.decode(errors="surrogateescape")


@contextmanager
def translated() -> Iterator[None]:
    """Translates the errors of the etcd client."""
    try:
        yield
    except etcd.BadEndpoint as error:
        raise OpenFailed(str(error)) from error
    except etcd.Compacted as error:
        raise Compacted(0, error.revision) from error
    except etcd.NoSpace as error:
        raise DiskFull(str(error)) from error
    except etcd.Unavailable as error:
        raise Unavailable(str(error)) from error
    except etcd.EtcdError as error:
        raise WriteFailed(str(error)) from error


def convert(
    found: Sequence[pb.Event], prefix: bytes, before: Callable[[str], KeyValue | None], stamp: Stamp
) -> list[Event]:
    """Convert etcd's events of keys under the prefix. `before` returns the state that they change."""
    pending: dict[str, KeyValue | None] = {}
    events = []
    for event in found:
        kv, revision = event.kv, event.kv.mod_revision
        if not kv.key.startswith(prefix):
            continue
        key = text(kv.key)
        prev = pending[key] if key in pending else before(key)
        if event.type == pb.Event.PUT:
            made = KeyValue(key, stamp(kv.value, revision), revision, kv.create_revision)
            pending[key] = made
            events.append(Event("put", made, prev))
        else:
            gone = _deleted(key, event, prev, stamp)
            pending[key] = None
            events.append(Event("delete", gone, prev))
    return events


def _deleted(key: str, event: pb.Event, prev: KeyValue | None, stamp: Stamp) -> KeyValue:
    """The last value, stamped with the revision of the deletion.

    etcd omits the value if it was compacted in the meantime; then memory's copy is used, with its old stamp.
    """
    revision = event.kv.mod_revision
    if event.HasField("prev_kv"):
        return KeyValue(key, stamp(event.prev_kv.value, revision), revision, event.prev_kv.create_revision)
    return KeyValue(key, prev.value if prev else b"", revision, prev.create_revision if prev else 0)
