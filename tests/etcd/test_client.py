"""The client against a real etcd: leases, transactions, authentication, and members that do not answer."""

from __future__ import annotations

import asyncio
import subprocess
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from pybernetes.etcd import (
    BadEndpoint,
    Credentials,
    EtcdClient,
    EtcdError,
    EtcdTls,
    LeaseGone,
    Unavailable,
    absent,
    delete,
    end_of,
    put,
    unchanged,
)
from pybernetes.etcd.etcdpb import etcd_pb2 as pb
from store.etcdserver import EtcdServer

pytestmark = pytest.mark.slow

ETCDCTL = {"ETCDCTL_API": "3", "PATH": "/usr/bin"}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EtcdServer]:
    with EtcdServer(tmp_path_factory.mktemp("etcd") / "data") as server:
        yield server


@pytest.fixture
async def client(server: EtcdServer) -> AsyncIterator[EtcdClient]:
    client = EtcdClient([server.url], None, 3)
    yield client
    await client.close()


async def write(client: EtcdClient, key: str, value: bytes, lease: int = 0, *compare: pb.Compare) -> bool:
    return bool((await client.txn(pb.TxnRequest(compare=compare, success=[put(key, value, lease=lease)]))).succeeded)


async def test_revoking_a_lease_deletes_its_keys(client: EtcdClient) -> None:
    lease = await client.grant(60)
    assert await write(client, "/l/a", b"1", lease)
    found = await client.get("/l/a")
    assert found is not None and found.lease == lease
    assert 0 < await client.time_to_live(lease) <= 60
    assert await client.keep_alive(lease) == 60
    await client.revoke(lease)
    assert await client.get("/l/a") is None
    for call in (client.keep_alive, client.time_to_live, client.revoke):
        with pytest.raises(LeaseGone):
            await call(lease)


async def test_only_one_client_creates_a_key(client: EtcdClient) -> None:
    outcomes = await asyncio.gather(*[write(client, "/c/x", b"%d" % n, 0, absent("/c/x")) for n in range(8)])
    assert sum(outcomes) == 1


async def test_only_the_latest_revision_may_be_overwritten(client: EtcdClient) -> None:
    await write(client, "/u/x", b"1")
    first = await client.get("/u/x")
    assert first is not None
    assert await write(client, "/u/x", b"2", 0, unchanged("/u/x", first.mod_revision))
    assert not await write(client, "/u/x", b"3", 0, unchanged("/u/x", first.mod_revision))
    await client.txn(pb.TxnRequest(success=[delete("/u/x")]))
    assert await client.get("/u/x") is None


async def test_listing_and_watching_go_together(client: EtcdClient) -> None:
    await write(client, "/w/a", b"1")
    found, revision = await client.list("/w/")
    assert [kv.key for kv in found] == [b"/w/a"]
    await write(client, "/w/b", b"2")
    request = pb.WatchCreateRequest(key=b"/w/", range_end=end_of(b"/w/"), start_revision=revision + 1)
    async with asyncio.timeout(3):
        async for response in client.watch(request):
            if response.events:
                assert response.events[0].kv.key == b"/w/b"
                break


async def test_reads_and_leases_use_the_member_that_answers(server: EtcdServer) -> None:
    client = EtcdClient(["http://127.0.0.1:1", server.url], None, 2)
    assert await client.keep_alive(await client.grant(30)) == 30
    client.turn()
    assert await client.get("/nothing") is None
    await client.close()


async def test_no_member_answers() -> None:
    client = EtcdClient(["http://127.0.0.1:1"], None, 1)
    for call in (client.grant(5), client.keep_alive(5), client.get("/x")):
        with pytest.raises(Unavailable, match=r"127\.0\.0\.1:1"):
            await call
    await client.close()


@pytest.mark.parametrize("endpoints", [[], ["127.0.0.1:2379"], ["ftp://127.0.0.1"], ["http://"]])
def test_bad_endpoints(endpoints: list[str]) -> None:
    with pytest.raises(BadEndpoint, match="etcd"):
        EtcdClient(endpoints, None, 1)


def test_a_missing_file_is_reported(tmp_path: Path) -> None:
    with pytest.raises(BadEndpoint, match=r"missing\.pem"):
        EtcdClient(["https://127.0.0.1:1"], EtcdTls(tmp_path / "missing.pem"), 1)


async def test_authentication(tmp_path: Path) -> None:
    with EtcdServer(tmp_path / "data") as server:
        for words in (["user", "add", "root:secret"], ["user", "grant-role", "root", "root"], ["auth", "enable"]):
            command = ["etcdctl", f"--endpoints={server.url}", *words]
            await asyncio.to_thread(subprocess.run, command, check=True, capture_output=True, env=ETCDCTL)
        anonymous = EtcdClient([server.url], None, 3)
        with pytest.raises(EtcdError):
            await anonymous.get("/x")
        wrong = EtcdClient([server.url], None, 3, Credentials("root", "guess"))
        with pytest.raises(EtcdError, match="refused"):
            await wrong.get("/x")
        client = EtcdClient([server.url], None, 3, Credentials("root", "secret"))
        assert await write(client, "/x", b"1")
        assert "secret" not in repr(Credentials("root", "secret"))
        for one in (anonymous, wrong, client):
            await one.close()
