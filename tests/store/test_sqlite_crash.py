"""The sqlite engine under kill -9 and full disks, for real."""

from __future__ import annotations

import asyncio
import random
import sqlite3
import sys
from pathlib import Path

import pytest

from pybernetes.store.sqlite import SqliteStore

from .contract import PODS, values

WRITER = """
import asyncio, sys
from pybernetes.store.sqlite import SqliteStore

async def write(store, worker):
    number = 0
    while True:
        key = f"/registry/pods/{worker}/{number % 7}"
        kv = await store.put(key, b"%d" % number)
        sys.stdout.write(f"put {kv.revision} {key} {number}\\n")
        if number % 5 == 4:
            kv = await store.delete(key)
            sys.stdout.write(f"delete {kv.revision} {key} {number}\\n")
        sys.stdout.flush()
        number += 1

async def main():
    store = await SqliteStore.open(sys.argv[1])
    sys.stdout.write("ready\\n")
    async with asyncio.TaskGroup() as group:
        for worker in range(8):
            group.create_task(write(store, f"{sys.argv[2]}-{worker}"), name=f"writer {worker}")
        while True:
            await asyncio.sleep(0.01)
            await store.compact(store.revision)

asyncio.run(main())
"""


async def one_life(path: Path, name: str, seconds: float) -> dict[str, tuple[int, bytes | None]]:
    """Run the writers, kill them, and return each key's last acknowledged write: revision and value."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", WRITER, str(path), name, stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout
    assert await process.stdout.readline() == b"ready\n"
    reading = asyncio.create_task(process.stdout.read(), name="read acknowledgements")
    await asyncio.sleep(seconds)
    process.kill()
    output = (await reading).decode()
    await process.wait()
    acknowledged: dict[str, tuple[int, bytes | None]] = {}
    for line in output[: output.rfind("\n") + 1].splitlines():
        kind, revision, key, number = line.split(" ")
        acknowledged[key] = (int(revision), number.encode() if kind == "put" else None)
    return acknowledged


@pytest.mark.slow
async def test_kill_9_loses_no_acknowledged_write(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    chance = random.Random(7)
    known: dict[str, bytes] = {}
    writes = 0
    for life in range(12):
        acknowledged = await one_life(path, str(life), chance.uniform(0.02, 0.25))
        store = await SqliteStore.open(path)
        ahead = 0
        for key, (revision, value) in acknowledged.items():
            kv = store.get(key)
            if (kv and kv.revision == revision and kv.value == value) or (kv is None and value is None):
                continue
            # Only a write that was cut off before its acknowledgement may stand there instead.
            assert kv is None or kv.revision > revision, (key, revision, value, kv)
            ahead += 1
        assert ahead <= 8, "each of the 8 writers has at most one write under way"
        found = values(store, "")
        older = {key: value for key, value in found.items() if not key.startswith(f"{PODS}{life}-")}
        assert older == known
        known = found
        writes += len(acknowledged)
        await store.close()
    assert writes > 200
    with sqlite3.connect(path) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    connection.close()


FULL_DISK = """
import asyncio, os, sys
from pybernetes.store import DiskFull
from pybernetes.store.sqlite import SqliteStore

async def main(directory):
    store = await SqliteStore.open(directory + "/store.db")
    before = await store.put("/registry/pods/a", b"before")
    failed = 0
    for number in range(10_000):
        try:
            await store.put("/registry/pods/b", os.urandom(20_000))
        except DiskFull as error:
            assert directory in str(error)
            failed += 1
            if failed == 3:
                break
    assert failed == 3
    assert store.get("/registry/pods/a") is before and store.count("/registry/pods/") == 2
    revision = store.revision
    os.unlink(directory + "/filler")
    after = await store.put("/registry/pods/a", b"after", expect=before.revision)
    assert after.revision == revision + 1
    await store.close()
    store = await SqliteStore.open(directory + "/store.db")
    assert store.get("/registry/pods/a").value == b"after" and store.revision == after.revision
    await store.close()
    print("recovered")

asyncio.run(main(sys.argv[1]))
"""


@pytest.mark.kernel
@pytest.mark.slow
async def test_a_full_disk(tmp_path: Path) -> None:
    """A small tmpfs in a new mount namespace: it is removed with the process."""
    mount = (
        'mount -t tmpfs -o size=2m pbt-store "$1" && head -c 1000000 /dev/zero > "$1/filler" && exec "$2" -c "$3" "$1"'
    )
    process = await asyncio.create_subprocess_exec(
        *("unshare", "--mount", "sh", "-c", mount, "sh", str(tmp_path), sys.executable, FULL_DISK),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    output, _ = await process.communicate()
    assert output.decode().splitlines()[-1:] == ["recovered"], output.decode()


@pytest.mark.slow
async def test_a_compaction_that_is_killed_between_slices_continues_later(tmp_path: Path) -> None:
    store = await SqliteStore.open(tmp_path / "store.db")
    for number in range(3000):
        await asyncio.gather(*[store.put(f"{PODS}{number % 9}", b"%d" % number)])
    state = values(store, "")
    store._log.compact(2900)
    store._log.sweep()
    await store.close()
    store = await SqliteStore.open(tmp_path / "store.db")
    assert values(store, "") == state
    assert store.compacted == 2900
    await store.compact(2950)
    await store.close()
    with sqlite3.connect(tmp_path / "store.db") as connection:
        assert connection.execute("SELECT count(*) FROM log").fetchone()[0] < 70
    connection.close()
