"""Reading and watching: one change to 1,000 watches, a range of 10,000 keys, opening a store of 100,000."""

from __future__ import annotations

import asyncio
import tempfile
import time
from pathlib import Path
from statistics import quantiles

import uvloop

from pybernetes.store import Watch
from pybernetes.store.sqlite import SqliteStore

VALUE = b'{"metadata":{"resourceVersion":""},"spec":"' + b"x" * 1000 + b'"}'
PREFIX = "/registry/pods/"


def stamp(value: bytes, revision: int) -> bytes:
    return value.replace(b'"resourceVersion":""', b'"resourceVersion":"%d"' % revision, 1)


async def fan_out(store: SqliteStore, watches: int, changes: int) -> float:
    """Milliseconds from the call of put to the event in a watch's reader, the 99th percentile over all of them."""
    late: list[float] = []
    begun = [0.0]

    async def read(watch: Watch) -> None:
        for _ in range(changes):
            await anext(watch)
            late.append(time.perf_counter() - begun[0])
        watch.close()

    readers = [asyncio.create_task(read(store.watch(PREFIX)), name=f"reader {i}") for i in range(watches)]
    await asyncio.sleep(0)
    for number in range(changes):
        begun[0] = time.perf_counter()
        await store.put(f"{PREFIX}default/changed", b"%d" % number)
        while len(late) < watches * (number + 1):
            await asyncio.sleep(0)
    await asyncio.gather(*readers)
    return quantiles(late, n=100)[98] * 1000


async def fill(path: Path, count: int) -> None:
    store = await SqliteStore.open(path, stamp=stamp)
    for start in range(0, count, 1000):
        keys = [f"{PREFIX}ns-{i % 10}/{i}" for i in range(start, start + 1000)]
        await asyncio.gather(*[store.put(key, VALUE) for key in keys])
    await store.close()


async def measure(directory: Path) -> list[tuple[str, float, float]]:
    await fill(directory / "big.db", 100_000)
    start = time.perf_counter()
    store = await SqliteStore.open(directory / "big.db", stamp=stamp)
    opening = (time.perf_counter() - start) * 1000
    start = time.perf_counter()
    assert len(store.range(f"{PREFIX}ns-3/").items) == 10_000
    ranging = (time.perf_counter() - start) * 1000
    first = store.range(f"{PREFIX}ns-3/", limit=500)
    await asyncio.gather(*[store.put(f"{PREFIX}ns-3/{i}", VALUE) for i in range(5000)])
    start = time.perf_counter()
    store.range(f"{PREFIX}ns-3/", start=first.items[-1].key, limit=500, revision=first.revision)
    paging = (time.perf_counter() - start) * 1000
    fanned = await fan_out(store, 1000, 50)
    await store.close()
    return [
        ("one change to 1,000 watches of the store, p99", 20, fanned),
        ("range over 10,000 keys", 5, ranging),
        ("next page of 500, 5,000 changes later", 10, paging),
        ("opening a store of 100,000 keys of 1 KB", 1000, opening),
    ]


def run() -> list[dict[str, object]]:
    """The figures, one per row of the benchmark's table."""
    with tempfile.TemporaryDirectory(dir="/var/tmp", prefix="pybernetes-bench-") as name:
        figures = uvloop.run(measure(Path(name)))
    return [
        {
            "figure": figure,
            "target": target,
            "value": round(value, 1),
            "unit": "ms",
            "alternative": "",
            "alternative_value": None,
        }
        for figure, target, value in figures
    ]


def main() -> None:
    for row in run():
        print(*(f"{key}={value}" for key, value in row.items()), sep="  ")


if __name__ == "__main__":
    main()
