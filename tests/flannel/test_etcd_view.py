"""The copy of etcd in memory, when lists and events arrive out of order."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence

from pybernetes.etcd import EtcdClient
from pybernetes.etcd.etcdpb import etcd_pb2 as pb
from pybernetes.flannel.leases.etcd.view import EtcdView


def kv(name: str, revision: int) -> pb.KeyValue:
    return pb.KeyValue(key=f"/net/{name}".encode(), value=b"x", create_revision=revision, mod_revision=revision)


class Fake(EtcdClient):
    """An etcd whose answers arrive when the test releases them."""

    def __init__(self) -> None:
        self.keys: list[pb.KeyValue] = []
        self.revision = 1
        self.slow: asyncio.Event | None = None
        self.news: asyncio.Queue[pb.WatchResponse] = asyncio.Queue()
        self.watched_from: list[int] = []

    async def list(self, prefix: str) -> tuple[Sequence[pb.KeyValue], int]:
        answer = list(self.keys), self.revision
        if self.slow is not None:
            await self.slow.wait()
        return answer

    async def watch(self, request: pb.WatchCreateRequest) -> AsyncIterator[pb.WatchResponse]:
        self.watched_from.append(request.start_revision)
        while True:
            yield await self.news.get()

    def write(self, name: str) -> None:
        self.revision += 1
        self.keys.append(kv(name, self.revision))
        event = pb.Event(type=pb.Event.PUT, kv=kv(name, self.revision))
        self.news.put_nowait(pb.WatchResponse(events=[event]))


async def settle() -> None:
    for _ in range(10):
        await asyncio.sleep(0)


async def test_a_list_older_than_delivered_events_changes_nothing() -> None:
    etcd = Fake()
    view = EtcdView(etcd, "/net")
    changes: list[int] = []
    task = asyncio.create_task(view.follow(lambda: changes.append(1)))
    await view.synced()
    etcd.slow = asyncio.Event()
    late = asyncio.create_task(view.refresh())
    await settle()
    etcd.write("subnets/a")
    await settle()
    assert set(view.keys) == {"subnets/a"} and changes
    etcd.slow.set()
    await late
    assert set(view.keys) == {"subnets/a"}
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_events_older_than_a_list_change_nothing() -> None:
    etcd = Fake()
    view = EtcdView(etcd, "/net")
    changes: list[int] = []
    task = asyncio.create_task(view.follow(lambda: changes.append(1)))
    await view.synced()
    etcd.write("subnets/a")
    await view.refresh()
    version = view.version
    await settle()
    assert (set(view.keys), view.version, changes) == ({"subnets/a"}, version, [])
    etcd.write("subnets/b")
    await settle()
    assert set(view.keys) == {"subnets/a", "subnets/b"} and changes == [1]
    assert etcd.watched_from == [2]
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
