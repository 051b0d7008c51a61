"""The etcd engine against a real etcd: the contract, the model, and failures of the server."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from pybernetes.etcd import EtcdClient, EtcdTls, end_of
from pybernetes.etcd.etcdpb import etcd_pb2 as pb
from pybernetes.store import Compacted, DiskFull, OpenFailed, Unavailable, WriteFailed
from pybernetes.store.etcd import EtcdStore, convert
from support.profiles import sized

from .certificates import write_certificates
from .contract import PODS, WEB, Opener, StoreContract, brief, seen, splice, values
from .etcdserver import EtcdServer, free_ports
from .model import StoreMachine

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EtcdServer]:
    with EtcdServer(tmp_path_factory.mktemp("etcd") / "data") as server:
        yield server


@pytest.fixture
def own_server(tmp_path: Path) -> Iterator[EtcdServer]:
    with EtcdServer(tmp_path / "data") as server:
        yield server


async def clear(url: str) -> None:
    client = EtcdClient([url], None, 5)
    everything = pb.DeleteRangeRequest(key=b"\0", range_end=b"\0")
    await client.txn(pb.TxnRequest(success=[pb.RequestOp(request_delete_range=everything)]))
    await client.close()


class TestContract(StoreContract):
    @pytest.fixture
    async def opener(self, server: EtcdServer) -> Opener:
        async def open_store(**options: object) -> EtcdStore:
            return await EtcdStore.open([server.url], **options)  # type: ignore[arg-type]

        await clear(server.url)
        return open_store


class EtcdMachine(StoreMachine):
    url = ""

    async def open(self) -> EtcdStore:
        await clear(self.url)
        return await EtcdStore.open([self.url], stamp=splice, window=20)


EtcdMachine.TestCase.settings = settings(
    max_examples=sized(10, 100),
    stateful_step_count=25,
    derandomize=True,
    suppress_health_check=list(HealthCheck),
)


def test_the_model(server: EtcdServer) -> None:
    EtcdMachine.url = server.url
    EtcdMachine.TestCase("runTest").runTest()


async def test_two_stores_on_one_etcd(server: EtcdServer) -> None:
    await clear(server.url)
    one = await EtcdStore.open([server.url], stamp=splice)
    two = await EtcdStore.open([server.url], stamp=splice)
    async with two.watch(PODS) as watch:
        kv = await one.put(WEB, b"@ by one")
        assert await two.read_barrier() >= kv.revision
        found = two.get(WEB)
        assert found and found.value == kv.value
        await two.delete(WEB, expect=kv.revision)
        assert [kind for kind, _, _ in brief(await seen(watch, 2))] == ["put", "delete"]
    await one.read_barrier()
    assert one.get(WEB) is None
    await one.close()
    await two.close()


async def test_only_keys_under_the_prefix(server: EtcdServer) -> None:
    await clear(server.url)
    everything = await EtcdStore.open([server.url])
    ours = await EtcdStore.open([server.url], prefix="/registry/")
    foreign = await everything.put("/registry-other/x", b"")
    await everything.put(WEB, b"ours")
    assert await ours.read_barrier() == foreign.revision + 1
    assert values(ours, "") == {WEB: b"ours"}
    with pytest.raises(ValueError, match="prefix"):
        await ours.put("/registry-other/x", b"")
    await ours.close()
    await everything.close()


async def test_reading_more_than_a_page(server: EtcdServer, monkeypatch: pytest.MonkeyPatch) -> None:
    await clear(server.url)
    first = await EtcdStore.open([server.url])
    await asyncio.gather(*[first.put(f"{PODS}{i}", b"") for i in range(25)])
    monkeypatch.setattr("pybernetes.store.etcd.LOAD_PAGE", 7)
    second = await EtcdStore.open([server.url], prefix="/registry/")
    assert values(second, "") == values(first, "")
    assert second.revision == first.revision
    await first.close()
    await second.close()


async def test_an_outage(own_server: EtcdServer) -> None:
    store = await EtcdStore.open([own_server.url], timeout=2)
    kv = await store.put(WEB, b"before")
    async with store.watch(PODS) as watch:
        own_server.kill()
        with pytest.raises(Unavailable, match="did not answer"):
            await store.put(WEB, b"during")
        with pytest.raises(Unavailable):
            await store.read_barrier()
        assert store.get(WEB) is kv
        own_server.start()
        after = await patiently(store)
        events = await seen(watch, 1)
        assert events[0].kv is after
        assert events[0].prev is kv
    await store.close()


async def patiently(store: EtcdStore) -> object:
    """Write as soon as the server answers again."""
    for _ in range(200):
        try:
            return await store.put(WEB, b"after")
        except Unavailable:
            await asyncio.sleep(0.05)
    raise AssertionError("etcd did not come back")


async def test_events_compacted_during_an_outage(own_server: EtcdServer) -> None:
    store = await EtcdStore.open([own_server.url])
    other = await EtcdStore.open([own_server.url])
    kv = await store.put(WEB, b"one")
    watch = store.watch(PODS)
    # Cut the store off by stopping its feed, let the others go on and forget, then let it follow again.
    assert store._feed
    store._feed.cancel()
    await asyncio.gather(store._feed, return_exceptions=True)
    for i in range(5):
        last = await other.put(PODS + str(i), b"")
    await other.compact(last.revision)
    store._start_feed()
    with pytest.raises(Compacted):
        async with asyncio.timeout(5):
            await anext(watch)
    assert store.revision == last.revision
    assert store.get(WEB) is kv
    assert store.count(PODS) == 6
    with pytest.raises(Compacted):
        store.watch(PODS, from_revision=kv.revision)
    await store.put(WEB, b"on we go")
    await store.close()
    await other.close()


async def test_the_next_member_is_used(own_server: EtcdServer) -> None:
    store = await EtcdStore.open(["http://127.0.0.1:1", own_server.url])
    await store.put(WEB, b"one")
    await store.close()


async def test_many_read_barriers_at_once(server: EtcdServer) -> None:
    await clear(server.url)
    one, two = await EtcdStore.open([server.url]), await EtcdStore.open([server.url])

    async def write_and_read(i: int) -> None:
        kv = await one.put(PODS + str(i), b"")
        assert await two.read_barrier() >= kv.revision
        assert two.get(kv.key)

    await asyncio.gather(*[write_and_read(i) for i in range(50)])
    await one.close()
    await two.close()


async def test_a_cluster_of_three_loses_a_member(tmp_path: Path) -> None:
    names, ports = ("a", "b", "c"), free_ports(6)
    peers = tuple(f"{name}=http://127.0.0.1:{ports[i + 3]}" for i, name in enumerate(names))
    members = [
        EtcdServer(tmp_path / name / "data", name=name, ports=[ports[i], ports[i + 3]], peers=peers)
        for i, name in enumerate(names)
    ]
    try:
        await asyncio.gather(*[asyncio.to_thread(member.start) for member in members])
        store = await EtcdStore.open([member.url for member in members], timeout=3)
        async with store.watch(PODS) as watch:
            before = await store.put(WEB, b"before")
            members[0].kill()
            after = await patiently(store)
            assert await store.read_barrier() > before.revision
            events = await seen(watch, 2)
            assert (events[0].kv, events[1].kv) == (before, after)
        await store.close()
    finally:
        for member in members:
            member.kill()


async def test_tls_with_client_certificates(tmp_path: Path) -> None:
    write_certificates(tmp_path)
    ca, cert, key = (tmp_path / name for name in ("ca.pem", "client.pem", "client.key"))
    with EtcdServer(tmp_path / "data", certificates=tmp_path) as server:
        store = await EtcdStore.open([server.url], tls=EtcdTls(ca, cert, key))
        assert (await store.put(WEB, b"secret")).value == b"secret"
        await store.close()
        with pytest.raises(OpenFailed, match=server.url):
            await EtcdStore.open([server.url], tls=EtcdTls(ca), timeout=1)
        with pytest.raises(OpenFailed, match=r"missing\.pem"):
            await EtcdStore.open([server.url], tls=EtcdTls(tmp_path / "missing.pem"))


@pytest.mark.parametrize("endpoints", [[], ["127.0.0.1:2379"], ["ftp://127.0.0.1"], ["http://"]])
async def test_bad_endpoints(endpoints: list[str]) -> None:
    with pytest.raises(OpenFailed, match="etcd"):
        await EtcdStore.open(endpoints)


async def test_no_server_answers() -> None:
    with pytest.raises(OpenFailed, match="is it running and reachable"):
        await EtcdStore.open(["http://127.0.0.1:1"], timeout=1)


async def test_a_value_too_large_for_etcd(server: EtcdServer) -> None:
    await clear(server.url)
    store = await EtcdStore.open([server.url])
    with pytest.raises(WriteFailed, match="too large"):
        await store.put(WEB, bytes(1_700_000))
    assert await store.put(WEB, b"small")
    await store.close()


async def test_an_etcd_over_its_quota(tmp_path: Path) -> None:
    with EtcdServer(tmp_path / "data", flags=("--quota-backend-bytes=200000",)) as server:
        store = await EtcdStore.open([server.url])
        with pytest.raises(DiskFull, match="quota"):
            for i in range(200):
                await store.put(PODS + str(i), bytes(50_000))
                await asyncio.sleep(0.01)  # etcd notices its size some milliseconds later
        assert store.count(PODS) > 0
        await store.close()


def test_end_of_a_prefix() -> None:
    assert end_of(b"/registry/") == b"/registry0"
    assert end_of(b"a\xff\xff") == b"b"
    assert end_of(b"") == end_of(b"\xff") == b"\0"


def test_events_of_one_transaction() -> None:
    old = pb.KeyValue(key=b"/r/a", create_revision=3, mod_revision=4, value=b"old @")
    found = [
        pb.Event(type=pb.Event.DELETE, kv=pb.KeyValue(key=b"/r/a", mod_revision=9), prev_kv=old),
        pb.Event(type=pb.Event.PUT, kv=pb.KeyValue(key=b"/r/b", create_revision=9, mod_revision=9, value=b"@")),
        pb.Event(type=pb.Event.PUT, kv=pb.KeyValue(key=b"\xff", create_revision=9, mod_revision=9)),
    ]
    events = convert(found, b"/r/", lambda key: None, splice)
    assert brief(events) == [("delete", "/r/a", b"old 9"), ("put", "/r/b", b"9")]
    assert events[0].kv.create_revision == 3
