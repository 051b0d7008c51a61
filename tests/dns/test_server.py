"""The server on real sockets, queried by dig."""

import asyncio
import random
from collections.abc import AsyncIterator

import pytest

from pybernetes.api.core.service import Service, ServicePort, ServiceSpec
from pybernetes.api.meta import ObjectMeta
from pybernetes.dns import wire
from pybernetes.dns.forward import Forwarder, Upstream, read_resolv_conf
from pybernetes.dns.server import DnsOptions, DnsServer
from pybernetes.dns.zone import Zone


def a_zone(domain: str, **services: str) -> Zone:
    zone = Zone(domain)
    for name, ip in services.items():
        external = not ip[0].isdigit()
        spec = (
            ServiceSpec(type="ExternalName", external_name=ip)
            if external
            else ServiceSpec(type="ClusterIP", cluster_ip=ip, ports=[ServicePort(name="http", port=80, protocol="TCP")])
        )
        zone.update(Service(metadata=ObjectMeta(name=name, namespace="a"), spec=spec), [])
    return zone


async def dig(port: int, *args: str) -> str:
    process = await asyncio.create_subprocess_exec(
        "dig", "@127.0.0.1", "-p", str(port), "+time=3", "+tries=1", *args, stdout=asyncio.subprocess.PIPE
    )
    out, _ = await process.communicate()
    return out.decode()


@pytest.fixture
async def server() -> AsyncIterator[DnsServer]:
    """A cluster's server whose upstream is a second one, for another domain."""
    outside = DnsServer(
        DnsOptions(addresses=["127.0.0.1"], port=0), a_zone("outside.test", web="192.0.2.7"), Forwarder([])
    )
    await outside.start()
    forwarder = Forwarder([Upstream("127.0.0.1", outside.port)], timeout=1, rng=random.Random(1))
    inside = DnsServer(
        DnsOptions(addresses=["127.0.0.1"], port=0),
        a_zone("cluster.local", web="10.96.0.9", ext="web.a.svc.outside.test"),
        forwarder,
    )
    await inside.start()
    yield inside
    await inside.close()
    await outside.close()


async def test_dig_over_udp_and_tcp(server: DnsServer) -> None:
    for transport in ("+notcp", "+tcp"):
        assert (await dig(server.port, "+short", transport, "web.a.svc.cluster.local")).strip() == "10.96.0.9"
    out = await dig(server.port, "_http._tcp.web.a.svc.cluster.local", "SRV")
    assert "0 100 80 web.a.svc.cluster.local." in out
    assert "status: NXDOMAIN" in await dig(server.port, "no.a.svc.cluster.local")
    assert "web.a.svc.cluster.local." in await dig(server.port, "+short", "-x", "10.96.0.9")


async def test_other_names_are_forwarded(server: DnsServer) -> None:
    for transport in ("+notcp", "+tcp"):
        assert (await dig(server.port, "+short", transport, "web.a.svc.outside.test")).strip() == "192.0.2.7"
    out = await dig(server.port, "ext.a.svc.cluster.local")
    assert "CNAME\tweb.a.svc.outside.test." in out and "192.0.2.7" in out


async def test_without_upstreams_other_names_are_servfail() -> None:
    alone = DnsServer(DnsOptions(addresses=["127.0.0.1"], port=0), a_zone("cluster.local"), Forwarder([]))
    await alone.start()
    assert "status: SERVFAIL" in await dig(alone.port, "example.org")
    await alone.close()


async def test_an_incomplete_tcp_question_does_not_affect_other_clients(server: DnsServer) -> None:
    _, writer = await asyncio.open_connection("127.0.0.1", server.port)
    writer.write(b"\xff\xff\0")
    await writer.drain()
    assert (await dig(server.port, "+short", "+tcp", "web.a.svc.cluster.local")).strip() == "10.96.0.9"
    writer.close()


async def test_a_port_in_use_is_reported(server: DnsServer) -> None:
    second = DnsServer(DnsOptions(addresses=["127.0.0.1"], port=server.port), a_zone("x"), Forwarder([]))
    with pytest.raises(OSError, match=rf"127\.0\.0\.1:{server.port}"):
        await second.start()


def test_malformed_lines_of_resolv_conf_are_skipped(tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.mktemp("resolv") / "resolv.conf"
    path.write_bytes(b"nameserver 192.0.2.1\n\xff\xfe\nnameserver\n# x\nnameserver fe80::1%eth0\n")
    assert [u.host for u in read_resolv_conf(path)] == ["192.0.2.1", "fe80::1"]
    assert read_resolv_conf(path / "missing") == []


def test_a_packet_without_a_header_gets_no_answer() -> None:
    assert wire.failure(b"\0", wire.FORMERR) is None
