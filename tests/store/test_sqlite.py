# ruff: noqa: ASYNC240  (small files in a temporary directory)
"""The sqlite engine: the contract, and the guarantees about its file."""

from __future__ import annotations

import asyncio
import os
import sqlite3
import stat
import sys
from pathlib import Path

import pytest

from pybernetes.store import (
    DiskFull,
    KeyValue,
    OpenFailed,
    StoreClosed,
    StoreCorrupt,
    StoreLocked,
)
from pybernetes.store.snapshot import restore
from pybernetes.store.sqlite import SqliteStore

from .contract import PODS, WEB, Opener, StoreContract, brief, seen, splice, values


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "store.db"


class TestContract(StoreContract):
    @pytest.fixture
    def opener(self, path: Path) -> Opener:
        async def open_store(**options: object) -> SqliteStore:
            return await SqliteStore.open(path, **options)  # type: ignore[arg-type]

        return open_store


async def test_reopening_restores_the_state(path: Path) -> None:
    store = await SqliteStore.open(path, stamp=splice)
    first = await store.put(WEB, b"a@")
    await store.put(WEB, b"b@")
    await store.put(PODS + "gone", b"x@")
    await store.delete(PODS + "gone")
    state, revision = values(store, ""), store.revision
    await store.close()

    store = await SqliteStore.open(path, stamp=splice)
    assert (values(store, ""), store.revision) == (state, revision)
    kv = store.get(WEB)
    assert kv and kv.create_revision == first.revision
    async with store.watch(PODS, from_revision=first.revision) as watch:
        assert brief(await seen(watch, 3)) == [
            ("put", WEB, b"b2"),
            ("put", PODS + "gone", b"x3"),
            ("delete", PODS + "gone", b"x4"),
        ]
    assert values(store, PODS, revision=3) == {WEB: b"b2", PODS + "gone": b"x3"}
    await store.close()


async def test_reopening_with_a_small_window_stamps_old_values(path: Path) -> None:
    store = await SqliteStore.open(path, stamp=splice)
    for i in range(10):
        await store.put(f"{PODS}{i}", b"@")
    await store.put(PODS + "0", b"new @")
    await store.close()
    store = await SqliteStore.open(path, stamp=splice, window=2)
    assert values(store, PODS, limit=2) == {PODS + "0": b"new 11", PODS + "1": b"2"}
    assert store.compacted == 9
    assert values(store, PODS, revision=9, limit=1) == {PODS + "0": b"1"}
    await store.close()


async def test_compaction_frees_rows_and_keeps_the_revision(path: Path) -> None:
    store = await SqliteStore.open(path)
    for i in range(50):
        await store.put(WEB, b"%d" % i)
    await store.put(PODS + "a", b"a")
    await store.delete(WEB)
    head = store.revision
    await store.compact(head)
    await store.close()
    with sqlite3.connect(path) as connection:
        assert connection.execute("SELECT revision, key FROM log").fetchall() == [(51, PODS + "a")]
    connection.close()
    store = await SqliteStore.open(path)
    assert (store.revision, store.compacted) == (head, head)
    assert (await store.put(WEB, b"again")).revision == head + 1
    await store.close()


async def test_writes_proceed_between_slices_of_a_compaction(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pybernetes.store.log.SLICE", 7)
    store = await SqliteStore.open(path)
    await asyncio.gather(*[store.put(f"{PODS}{i % 5}", b"%d" % i) for i in range(100)])
    compaction = asyncio.create_task(store.compact(90))
    for i in range(20):
        await store.put(WEB, b"%d" % i)
    await compaction
    state = values(store, "")
    await store.close()
    store = await SqliteStore.open(path)
    assert values(store, "") == state
    assert store.compacted == 90
    await store.close()


async def test_the_file_is_private(path: Path) -> None:
    path.touch(mode=0o644)
    store = await SqliteStore.open(path)
    await store.put(WEB, b"secret")
    modes = {file.name: stat.S_IMODE(file.stat().st_mode) for file in path.parent.iterdir()}
    assert set(modes.values()) == {0o600}, modes
    await store.snapshot(path.parent / "copy.db")
    assert stat.S_IMODE((path.parent / "copy.db").stat().st_mode) == 0o600
    await store.close()


async def test_a_second_opening_is_refused(path: Path) -> None:
    store = await SqliteStore.open(path)
    with pytest.raises(StoreLocked, match=f"{path.name} is already open in process {os.getpid()}"):
        await SqliteStore.open(path)
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        "import asyncio, sys; from pybernetes.store.sqlite import SqliteStore\n"
        "asyncio.run(SqliteStore.open(sys.argv[1]))",
        str(path),
        stderr=asyncio.subprocess.PIPE,
    )
    _, stderr = await process.communicate()
    assert process.returncode != 0
    assert b"StoreLocked" in stderr
    await store.put(WEB, b"unharmed")
    await store.close()
    await (await SqliteStore.open(path)).close()


@pytest.mark.parametrize("content", [b"not a database, just text. " * 100, b"\0" * 5000])
async def test_a_file_that_is_no_database_is_refused(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    with pytest.raises(StoreCorrupt, match=path.name):
        await SqliteStore.open(path)
    assert path.read_bytes() == content


async def test_another_sqlite_file_is_refused(path: Path) -> None:
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE theirs (x)")
    connection.close()
    with pytest.raises(StoreCorrupt, match="no store of format"):
        await SqliteStore.open(path)


async def test_a_truncated_file_is_refused(path: Path) -> None:
    store = await SqliteStore.open(path)
    await asyncio.gather(*[store.put(f"{PODS}{i}", bytes(3000)) for i in range(100)])
    await store.close()
    whole = path.read_bytes()
    for damaged in (whole[: len(whole) // 2], whole[:8192] + os.urandom(16384) + whole[24576:]):
        path.write_bytes(damaged)
        with pytest.raises(StoreCorrupt, match=path.name):
            await SqliteStore.open(path)
    path.write_bytes(whole)
    store = await SqliteStore.open(path)
    assert store.count(PODS) == 100
    await store.close()


async def test_a_missing_row_is_detected(path: Path) -> None:
    store = await SqliteStore.open(path)
    for i in range(4):
        await store.put(WEB, b"%d" % i)
    await store.close()
    with sqlite3.connect(path) as connection:
        connection.execute("DELETE FROM log WHERE revision = 3")
    connection.close()
    with pytest.raises(StoreCorrupt, match=r"revision 4 .* follows 3, which is missing"):
        await SqliteStore.open(path)


async def test_an_unusable_path_is_refused(tmp_path: Path) -> None:
    for bad in (tmp_path / "missing" / "store.db", tmp_path):
        with pytest.raises(OpenFailed, match=bad.name):
            await SqliteStore.open(bad)


async def test_a_full_disk_fails_only_writes(path: Path) -> None:
    store = await SqliteStore.open(path)
    kv = await store.put(WEB, b"before")
    connection = store._log._connection
    pages = connection.execute("PRAGMA page_count").fetchone()[0]
    connection.execute(f"PRAGMA max_page_count = {pages}")
    async with store.watch(PODS) as watch:
        writes = [store.put(WEB, bytes(100_000), expect=kv.revision) for _ in range(3)]
        failed = await asyncio.gather(*writes, return_exceptions=True)
        assert [type(error) for error in failed] == [DiskFull] * 3
        assert path.name in str(failed[0])
        assert store.get(WEB) is kv
        connection.execute("PRAGMA max_page_count = 1000000")
        after = await store.put(WEB, b"after", expect=kv.revision)
        assert after.revision == kv.revision + 1
        assert brief(await seen(watch, 1)) == [("put", WEB, b"after")]
    await store.close()


async def test_snapshot_and_restore(path: Path, tmp_path: Path) -> None:
    store = await SqliteStore.open(path)
    for i in range(20):
        await store.put(f"{PODS}{i}", b"%d" % i)
    await store.snapshot(tmp_path / "copy")
    state, revision = values(store, ""), store.revision
    await store.put(WEB, b"later")
    await store.close()
    restore(tmp_path / "copy", tmp_path / "restored.db")
    assert sorted(file.name for file in tmp_path.iterdir()) == [
        "copy",
        "restored.db",
        "store.db",
        "store.db-lock",
    ]
    store = await SqliteStore.open(tmp_path / "restored.db")
    assert (values(store, ""), store.revision) == (state, revision)
    await store.close()


async def test_restoring_from_unusable_snapshots_is_refused(path: Path, tmp_path: Path) -> None:
    await (await SqliteStore.open(path)).close()
    with pytest.raises(OpenFailed, match="exists"):
        restore(path, path)
    with pytest.raises(OpenFailed, match="does not exist"):
        restore(tmp_path / "missing", tmp_path / "new")
    (tmp_path / "text").write_text("just text " * 1000)
    with pytest.raises(StoreCorrupt, match="text"):
        restore(tmp_path / "text", tmp_path / "new")
    assert not (tmp_path / "new").exists()


async def test_closing_finishes_waiting_writes(path: Path) -> None:
    store = await SqliteStore.open(path)
    writes = [asyncio.create_task(store.put(f"{PODS}{i}", b"")) for i in range(300)]
    await asyncio.sleep(0)
    await store.close()
    results = await asyncio.gather(*writes)
    assert all(isinstance(result, KeyValue) for result in results)
    store = await SqliteStore.open(path)
    assert store.count(PODS) == 300
    await store.close()


async def test_waiting_writes_to_one_key_apply_in_order(path: Path) -> None:
    store = await SqliteStore.open(path, stamp=splice)
    made, gone, again = await asyncio.gather(
        store.put(WEB, b"a@", expect=0), store.delete(WEB), store.put(WEB, b"b@", expect=0)
    )
    assert [(kv.value, kv.create_revision) for kv in (made, gone, again)] == [(b"a1", 1), (b"a2", 1), (b"b3", 3)]
    assert store.get(WEB) is again
    await store.close()


async def test_a_stamp_that_raises_fails_its_write_only(path: Path) -> None:
    def picky(value: bytes, revision: int) -> bytes:
        if value == b"bad":
            raise ArithmeticError("bad value")
        return value

    store = await SqliteStore.open(path, stamp=picky)
    with pytest.raises(ArithmeticError):
        await store.put(WEB, b"bad")
    assert (await store.put(WEB, b"good")).revision == 1
    await store.close()


async def test_compacting_after_closing(path: Path) -> None:
    store = await SqliteStore.open(path)
    kv = await store.put(WEB, b"")
    await store.close()
    with pytest.raises(StoreClosed):
        await store.compact(kv.revision)
    with pytest.raises(StoreClosed):
        await store.snapshot(path.with_name("copy"))


async def test_every_commit_is_synced(path: Path) -> None:
    store = await SqliteStore.open(path)
    pragmas = [
        store._log._connection.execute(f"PRAGMA {name}").fetchone()[0] for name in ("journal_mode", "synchronous")
    ]
    assert pragmas == ["wal", 2]  # 2 is FULL: the write-ahead log is fsynced before a commit returns
    await store.close()
