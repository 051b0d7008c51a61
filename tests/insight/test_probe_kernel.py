"""Probes in real network namespaces: replies, packets that are too large, dropped packets, corrupted data."""

import asyncio
import os
import time
import uuid
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import asynccontextmanager

import pytest

from pybernetes.insight import observe, payload
from pybernetes.insight.capture import Point, Taps
from pybernetes.insight.echo import Pinger
from pybernetes.linux import addr, link, netns, nft, sysctl
from pybernetes.linux.rtnl import Netlink

pytestmark = [pytest.mark.kernel, pytest.mark.slow]

ADDRESSES = {"one": ("192.0.2.1", "2001:db8::1"), "two": ("192.0.2.2", "2001:db8::2")}


@pytest.fixture
def pair() -> Iterator[dict[str, str]]:
    """Two namespaces, `one` and `two`, joined by a veth pair of eth0."""
    tag = f"pbt-{os.getpid()}-{uuid.uuid4().hex[:4]}"
    names = {side: f"{tag}-{side}" for side in ADDRESSES}
    for name in names.values():
        netns.create(name)
        sysctl.write("net.ipv6.conf.default.accept_dad", 0, name)
    fd = netns.open_fd(names["two"])
    try:
        with Netlink(names["one"]) as nl:
            link.add_veth(nl, "eth0", "eth0", peer_netns=fd)
        for side, name in names.items():
            with Netlink(name) as nl:
                index = link.link(nl, "eth0").index
                link.set_up(nl, index)
                addr.add(nl, index, f"{ADDRESSES[side][0]}/24")
                addr.add(nl, index, f"{ADDRESSES[side][1]}/64")
        _wait_for_carrier(names.values())
        yield names
    finally:
        os.close(fd)
        for name in names.values():
            netns.delete(name)


def _wait_for_carrier(namespaces: Iterable[str]) -> None:
    """The kernel takes up to a second before it sends through a link that has just come up."""
    deadline = time.monotonic() + 3
    for name in namespaces:
        with Netlink(name) as nl:
            while not link.link(nl, "eth0").running and time.monotonic() < deadline:
                time.sleep(0.01)


def table(name: str, hook: str, rule: str) -> str:
    return f"table ip {name} {{\nchain c {{\ntype filter hook {hook} priority 0\n{rule}\n}}\n}}\n"


@asynccontextmanager
async def pinger(namespace: str, source: str) -> AsyncIterator[Pinger]:
    made = Pinger(namespace, source)
    try:
        yield made
    finally:
        made.close()


@pytest.mark.parametrize("family", [0, 1])
async def test_ping(pair: dict[str, str], family: int) -> None:
    source, target = (ADDRESSES[side][family] for side in ("one", "two"))
    async with pinger(pair["one"], source) as ping:
        assert await ping.ping(target) is not None
        assert await ping.ping(target, size=1500) is not None
        assert await ping.ping(target, size=1501, tries=1) is None
        with Netlink(pair["two"]) as nl:
            link.set_mtu(nl, "eth0", 1400)
        assert await ping.ping(target, size=1400) is not None
        # The device accepts 4 more bytes, for a VLAN tag; larger packets are dropped silently.
        assert await ping.ping(target, size=1405, tries=1, timeout=0.05) is None


async def test_ping_without_a_reply_times_out(pair: dict[str, str]) -> None:
    async with pinger(pair["one"], "192.0.2.1") as ping:
        async with asyncio.timeout(1):
            assert await ping.ping("192.0.2.77", tries=2, timeout=0.05) is None
            assert await ping.ping("203.0.113.1", tries=2, timeout=0.05) is None
    with pytest.raises(OSError):
        Pinger(pair["one"], "198.51.100.1")


@pytest.mark.parametrize(("side", "hook", "seen"), [("one", "output", set()), ("two", "input", {"one out", "two in"})])
async def test_taps_show_where_a_packet_is_dropped(pair: dict[str, str], side: str, hook: str, seen: set[str]) -> None:
    nft.apply(table("pbt", hook, "ip protocol icmp drop"), pair[side])
    token = os.urandom(16)
    with Taps([Point("one", "eth0"), Point("two", "eth0"), Point("two", "gone")], pair) as taps:
        async with pinger(pair["one"], "192.0.2.1") as ping:
            ping.send("192.0.2.2", token)
            found = await taps.seen([token], 0.05)
    assert {f"{point.node} {direction}" for point, direction in found[token]} == seen


@pytest.mark.parametrize("family", [0, 1])
async def test_payload_arrives_unchanged(pair: dict[str, str], family: int) -> None:
    source, target = ((pair[side], ADDRESSES[side][family]) for side in ("one", "two"))
    assert await payload.udp(source, target, 1500) == ""
    assert await payload.tcp(source, target) == ""


async def test_corrupted_and_lost_payload_is_detected(pair: dict[str, str]) -> None:
    source, target = ((pair[side], ADDRESSES[side][0]) for side in ("one", "two"))
    nft.apply(table("pbt", "input", "ip protocol udp @th,512,32 set 0xdeadbeef"), pair["two"])
    assert await payload.udp(source, target, 1500, timeout=0.05) in (
        "UDP datagrams arrive corrupted",
        "UDP datagrams of 1472 bytes do not arrive",
    )
    nft.apply(table("pbt2", "input", "ip protocol tcp drop"), pair["two"])
    assert "does not carry" in await payload.tcp(source, target, timeout=0.1)


def test_facts_of_a_namespace(pair: dict[str, str]) -> None:
    facts = observe.kernel(pair["one"], rules=True)
    owner = facts.owner("192.0.2.1")
    assert owner is not None and owner.name == "eth0" and facts.nft == {}
    assert any(route.dst == "192.0.2.0/24" for route in facts.routes)
