"""The embedded engine: a SQLite log for durability, memory for everything else.

Writes wait until the disk is idle. Then they become one batch: they are checked, get revisions, and are committed in
one transaction by the worker thread. Memory and watches change after the commit, in the event loop. Only one batch is
in progress at a time, so that a check never depends on a write whose commit may still fail.
"""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any, Self

from pybernetes.store.batch import Batch, Write, decide, events_of
from pybernetes.store.errors import FutureRevision, StoreClosed, StoreCorrupt, StoreError
from pybernetes.store.keyspace import check_key
from pybernetes.store.log import MAX_ROWS, SqliteLog
from pybernetes.store.memory import DEFAULT_BUFFER, DEFAULT_WINDOW, MemoryView
from pybernetes.store.replay import Replayed, replay
from pybernetes.store.snapshot import take
from pybernetes.store.types import KeyValue, Page, Stamp, Watch, unstamped
from pybernetes.store.worker import Worker


class SqliteStore:
    """See `types.Store` for the contract. Made by `open`; bound to the event loop that opened it."""

    def __init__(self, log: SqliteLog, view: MemoryView, worker: Worker, stamp: Stamp) -> None:
        self._log = log
        self._view = view
        self._worker = worker
        self._stamp = stamp
        self._loop = asyncio.get_running_loop()
        self._waiting: list[Write] = []
        # Invariant: while writes wait, a flush is scheduled, or follows the batch in progress.
        self._busy = False
        self._closed = False
        self._compaction = asyncio.Lock()

    @classmethod
    async def open(
        cls,
        path: str | Path,
        *,
        stamp: Stamp = unstamped,
        window: int = DEFAULT_WINDOW,
        buffer: int = DEFAULT_BUFFER,
    ) -> Self:
        """Open or create the file. Raises OpenFailed, StoreLocked or StoreCorrupt, with the file in the text.

        `window`: how many recent events watches and snapshots can go back. `buffer`: how many events a watch
        may fall behind.
        """
        path = Path(path)
        worker = Worker(f"store {path.name}")
        try:
            log, state = await worker.run(lambda: _load(path, window, stamp))
        except BaseException:
            await worker.stop()
            raise
        view = MemoryView(window=window, buffer=buffer)
        view.load(state.versions, state.revision, floor=state.floor, events=state.events)
        return cls(log, view, worker, stamp)

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

    async def read_barrier(self) -> int:
        return self._view.revision

    def watch(self, prefix: str, *, from_revision: int = 0) -> Watch:
        return self._view.watch(prefix, from_revision=from_revision)

    async def put(self, key: str, value: bytes, *, expect: int | None = None) -> KeyValue:
        return await self._write(key, value, expect)

    async def delete(self, key: str, *, expect: int | None = None) -> KeyValue:
        return await self._write(key, None, expect)

    async def compact(self, revision: int) -> None:
        """See the contract. Rows are deleted in slices; writes proceed between them."""
        if revision > self.revision:
            raise FutureRevision(revision, self.revision)
        async with self._compaction:
            if self._closed:
                raise StoreClosed
            if revision > self._log.compacted:
                await self._worker.run(lambda: self._log.compact(revision))
                self._view.compact(revision)
            while not self._closed and await self._worker.run(self._log.sweep):
                pass

    async def snapshot(self, path: str | Path) -> None:
        """Copy the current state to a new file without blocking writes. `snapshot.restore` makes a store from it."""
        if self._closed:
            raise StoreClosed
        await asyncio.to_thread(take, self._log.path, Path(path))

    async def close(self) -> None:
        """Finish waiting writes, end the watches, and release the file."""
        if self._closed:
            return
        self._closed = True
        last = [write.future for write in self._waiting]
        if last:
            await asyncio.wait(last)
        try:
            await self._worker.run(self._log.close)
        finally:
            self._view.close(StoreClosed())
            await self._worker.stop()

    async def _write(self, key: str, value: bytes | None, expect: int | None) -> KeyValue:
        if self._closed:
            raise StoreClosed
        check_key(key)
        write = Write(key, value, expect, self._loop.create_future())
        self._waiting.append(write)
        if not self._busy:
            # Deferred, so that writes of other tasks that are ready in this loop iteration join the batch.
            self._busy = True
            self._loop.call_soon(self._flush)
        return await write.future

    def _flush(self) -> None:
        """Make a batch of the waiting writes and pass it to the worker."""
        while self._waiting:
            writes, self._waiting = self._waiting[:MAX_ROWS], self._waiting[MAX_ROWS:]
            wanted = [write for write in writes if not write.future.done()]  # skips those whose callers were cancelled
            try:
                batch = decide(wanted, self._view.get, self._view.revision, self._stamp)
            except Exception as error:  # raised by the stamp: the callers get it, the store continues
                _fail(wanted, error)
                continue
            _refuse(batch.refused)
            if batch.changes:
                self._commit(batch)
                return
        self._busy = False

    def _commit(self, batch: Batch) -> None:
        rows = [change.row for change in batch.changes]
        unread = batch.unread

        def done(raw: Any, error: BaseException | None) -> None:
            self._finish(batch, raw, error)

        self._worker.submit(lambda: self._log.append(rows, unread), done)

    def _finish(self, batch: Batch, raw: dict[int, bytes], error: BaseException | None) -> None:
        """The commit has finished: publish the batch, or fail all of its writes."""
        if error is not None:
            failed = [change.write for change in batch.changes]
            failed += [write for write, _ in batch.refused_by_batch]
            _fail(failed, error)
            self._flush()
            return
        events = events_of(batch, raw, self._stamp)
        self._view.apply(events, events[-1].kv.revision)
        for change, event in zip(batch.changes, events, strict=True):
            if not change.write.future.done():
                change.write.future.set_result(event.kv)
        _refuse(batch.refused_by_batch)
        self._flush()


def _refuse(refused: list[tuple[Write, StoreError]]) -> None:
    for write, error in refused:
        if not write.future.done():
            write.future.set_exception(error)


def _fail(writes: list[Write], error: BaseException) -> None:
    for write in writes:
        if not write.future.done():
            write.future.set_exception(error)


def _load(path: Path, window: int, stamp: Stamp) -> tuple[SqliteLog, Replayed]:
    log = SqliteLog.open(path)
    try:
        state = replay(log.rows(), compacted=log.compacted, swept=log.swept, window=window, stamp=stamp)
    except StoreCorrupt as error:
        log.close()
        raise StoreCorrupt(f"store {path} is damaged ({error}); restore a snapshot of it") from error
    except BaseException:
        log.close()
        raise
    return log, state
