"""Durable writes per second: one at a time, and 32 writers at once; compared with etcd on the same disk.

Every write is on the disk (fsync) before it counts. etcd is one member without peers, asked over gRPC on loopback,
and its write counts as soon as it answers.
"""

from __future__ import annotations

import asyncio
import shutil
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import uvloop

from pybernetes.etcd import EtcdClient
from pybernetes.etcd.etcdpb import etcd_pb2 as pb
from pybernetes.store.sqlite import SqliteStore

ROOT = Path(__file__).resolve().parent.parent
VALUE = b'{"metadata":{"resourceVersion":""},"spec":"' + b"x" * 2000 + b'"}'
WRITERS = 32
Put = Callable[[str], Awaitable[object]]


def stamp(value: bytes, revision: int) -> bytes:
    return value.replace(b'"resourceVersion":""', b'"resourceVersion":"%d"' % revision, 1)


async def rate(put: Put, *, writers: int, seconds: float) -> float:
    """Writes per second of this many writers, each of which waits for its write before the next."""
    end = time.perf_counter() + seconds
    done = 0

    async def write(number: int) -> None:
        nonlocal done
        while time.perf_counter() < end:
            await put(f"/registry/pods/bench-{number}/{done % 1000}")
            done += 1

    start = time.perf_counter()
    await asyncio.gather(*[write(number) for number in range(writers)])
    return done / (time.perf_counter() - start)


async def measure(put: Put, seconds: float) -> tuple[float, float]:
    await rate(put, writers=WRITERS, seconds=0.3)
    return await rate(put, writers=1, seconds=seconds), await rate(put, writers=WRITERS, seconds=seconds)


async def ours(directory: Path, seconds: float) -> tuple[float, float]:
    store = await SqliteStore.open(directory / "store.db", stamp=stamp)

    async def put(key: str) -> object:
        return await store.put(key, VALUE)

    figures = await measure(put, seconds)
    await store.close()
    return figures


async def theirs(url: str, seconds: float) -> tuple[float, float]:
    client = EtcdClient([url], None, 5)

    async def put(key: str) -> object:
        request = pb.PutRequest(key=key.encode(), value=VALUE)
        return await client.txn(pb.TxnRequest(success=[pb.RequestOp(request_put=request)]))

    figures = await measure(put, seconds)
    await client.close()
    return figures


def etcd(directory: Path, seconds: float) -> tuple[float | None, float | None]:
    if not shutil.which("etcd"):
        return None, None
    sys.path.insert(0, str(ROOT / "tests"))  # the tests' own way to start an etcd
    from store.etcdserver import EtcdServer

    with EtcdServer(directory / "etcd") as server:
        return uvloop.run(theirs(server.url, seconds))


def run(seconds: float = 2.0) -> list[dict[str, object]]:
    """The figures, one per row of the benchmark's table."""
    with tempfile.TemporaryDirectory(dir="/var/tmp", prefix="pybernetes-bench-") as name:
        directory = Path(name)
        mine = uvloop.run(ours(directory, seconds))
        other = etcd(directory, seconds)
    names = ("durable writes, one at a time", f"durable writes, {WRITERS} writers")
    return [
        {
            "figure": figure,
            "target": target,
            "value": round(value),
            "unit": "writes/s",
            "alternative": "etcd, one member, gRPC on loopback",
            "alternative_value": theirs and round(theirs),
        }
        for figure, target, value, theirs in zip(names, (4000, 20000), mine, other, strict=True)
    ]


def main() -> None:
    for row in run():
        print(*(f"{key}={value}" for key, value in row.items()), sep="  ")


if __name__ == "__main__":
    main()
