"""A pod network that overlaps another network: refused before it is used, afterwards a warning."""

import dataclasses
import ipaddress
import json
import logging
import random
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from pybernetes.flannel.backends import BACKENDS
from pybernetes.flannel.config import ConfigError, NetworkConfig, parse
from pybernetes.flannel.daemon import Flanneld
from pybernetes.flannel.kernel.drift import KernelDrift
from pybernetes.flannel.overlap import Guard, Interface, Occupied, node_addresses, without_pods
from pybernetes.flannel.rules import NftRules
from pybernetes.linux import addr, link
from pybernetes.linux.rtnl import Netlink

from .bgp_world import BoardManager, Host, World, make_world, running, until
from .kinds import is_ours

OWN = [ipaddress.ip_network("10.244.1.0/24"), ipaddress.ip_network("fd00:244:0:1::/64")]


def config(network: str = "10.244.0.0/16", six: str = "") -> NetworkConfig:
    text: dict[str, object] = {"Network": network, "Backend": {"Type": "host-gw"}}
    if six:
        text |= {"EnableIPv6": True, "IPv6Network": six}
    return parse(json.dumps(text), frozenset(BACKENDS))


def at(name: str, cidr: str) -> tuple[str, Interface]:
    return name, ipaddress.ip_interface(cidr)


@pytest.mark.parametrize(
    ("network", "occupied", "says"),
    [
        (
            "10.244.0.0/16",
            ("eth0", "10.244.7.7/24"),
            "Network 10.244.0.0/16 overlaps 10.244.7.7/24, an address of eth0",
        ),
        ("10.0.0.0/8", ("eth0", "10.4.7.21/24"), "such as 10.244.0.0/16"),
        ("10.244.0.0/16", ("vpn0", "10.0.0.1/8"), "such as 172.30.0.0/16"),
        ("172.7.0.0/16", ("eth0", "172.7.21.1/16"), "overlaps 172.7.21.1/16"),
    ],
)
def test_an_address_of_the_node(network: str, occupied: tuple[str, str], says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        Guard([]).refuse(config(network), Occupied((at(*occupied),)))


def test_the_range_of_services() -> None:
    ranges = (ipaddress.ip_network("10.96.0.0/12"), ipaddress.ip_network("fd00:96::/108"))
    Guard([]).refuse(config(six="fd00:244::/48"), Occupied((), ranges))
    with pytest.raises(
        ConfigError, match=r"overlaps the range of Services 10\.96\.0\.0/12: choose .* 10\.244\.0\.0/16"
    ):
        Guard([]).refuse(config("10.100.0.0/16"), Occupied((), ranges))
    with pytest.raises(ConfigError, match="IPv6Network fd00::/16 overlaps the range of Services fd00:96::/108"):
        Guard([]).refuse(config(six="fd00::/16"), Occupied((), ranges))


def test_a_network_in_use_gets_a_warning() -> None:
    occupied = Occupied((at("vpn0", "10.244.9.1/24"),))
    guard = Guard([ipaddress.ip_network("10.244.0.0/16")])
    guard.refuse(config(), occupied)
    (warning,) = guard.warnings(config(), occupied)
    assert "overlaps 10.244.9.1/24, an address of vpn0" in warning and "stays as it is" in warning
    with pytest.raises(ConfigError):
        guard.refuse(config("10.244.0.0/15"), occupied)


@pytest.mark.parametrize(
    ("link_name", "cidr", "counts"),
    [
        ("docker0", "10.244.1.1/24", False),
        ("vethptp", "10.244.1.1/32", False),
        ("br0", "fd00:244:0:1::1/64", False),
        ("docker0", "10.244.1.1/16", True),
        ("docker0", "10.244.2.1/24", True),
    ],
)
def test_gateways_of_pods_are_left_out(link_name: str, cidr: str, counts: bool) -> None:
    assert bool(without_pods([at(link_name, cidr)], OWN)) is counts


@pytest.mark.parametrize("network", ["127.0.0.0/8", "169.254.0.0/16", "224.0.0.0/8", "0.0.0.0/0"])
def test_networks_that_no_pod_can_have(network: str) -> None:
    with pytest.raises(ConfigError, match="is not for hosts; use a private network such as"):
        config(network)
    with pytest.raises(ConfigError, match="IPv6Network fe80::/48 is not for hosts"):
        config(six="fe80::/48")


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    async with make_world(tmp_path, (1, 1)) as made:
        made.configure({"Type": "vxlan"})
        yield made


def give(host: Host, cidr: str) -> None:
    """An address on another link of the node."""
    with Netlink(host.netns) as nl:
        vpn = link.find(nl, "vpn0") or link.add_bridge(nl, "vpn0", up=True)
        addr.add(nl, vpn.index, cidr)


def take(host: Host) -> None:
    with Netlink(host.netns) as nl:
        link.delete(nl, "vpn0")


def again(world: World, host: Host, **options: object) -> Flanneld:
    """A new daemon for the host, as after a restart."""
    return Flanneld(
        dataclasses.replace(host.daemon._options, **options),  # type: ignore[arg-type]  # a test's changes
        BoardManager(world.board, host.name, host.number),
        rules=NftRules(masquerade=True, forward=True, netns=host.netns),
        drift=KernelDrift(host.netns),
        actors=[],
        rng=random.Random(host.number),
    )


@pytest.mark.kernel
@pytest.mark.slow
async def test_at_the_start_it_is_refused_until_the_address_is_removed(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    a = world.hosts[0]
    give(a, "10.244.77.1/24")
    async with running(a):
        await until(lambda: "overlaps 10.244.77.1/24, an address of vpn0" in caplog.text)
        assert not a.daemon.ready and not a.seen.ours and not world.board.leases
        assert not (a.folder / "subnet.env").exists()
        take(a)
        await until(lambda: a.daemon.ready)
    assert caplog.text.count("an address of vpn0 on this node: choose") == 1, "it is logged once"


@pytest.mark.kernel
@pytest.mark.slow
async def test_a_running_network_is_kept(world: World, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "pybernetes.flannel")
    a, b = world.hosts
    await world.start(b)
    async with running(a):
        await until(lambda: a.seen.routes and b.seen.routes)
        before = a.seen.routes
        give(a, "10.244.77.1/24")
        a.daemon.request_pass()
        await until(lambda: "the network stays as it is" in caplog.text)
        assert a.daemon.ready and a.seen.routes == before
    a.daemon = again(world, a)
    async with running(a):
        await until(lambda: caplog.text.count("the network stays as it is") == 2)
        assert a.daemon.ready and a.seen.routes == before and await a.reaches(b)
        world.configure({"Type": "vxlan"}, a, b)
        world.board.configs[a.name] = '{"Network": "10.244.0.0/17", "Backend": {"Type": "vxlan"}}'
        a.daemon.request_pass()
        await until(lambda: "Network 10.244.0.0/17 overlaps 10.244.77.1/24" in caplog.text)
        assert "the previous config stays in use" in caplog.text and await a.reaches(b)
        take(a)
        a.daemon.request_pass()
        await until(lambda: "no longer: Network 10.244.0.0/16 overlaps" in caplog.text)


@pytest.mark.kernel
@pytest.mark.slow
async def test_services_are_known_from_the_start(world: World, caplog: pytest.LogCaptureFixture) -> None:
    a = world.hosts[0]
    a.daemon = again(world, a, services=(ipaddress.ip_network("10.244.128.0/20"),))
    async with running(a):
        await until(lambda: "Network 10.244.0.0/16 overlaps the range of Services 10.244.128.0/20" in caplog.text)
        assert not a.daemon.ready


@pytest.mark.kernel
@pytest.mark.slow
async def test_addresses_of_the_pod_network_do_not_count(world: World) -> None:
    a, b = world.hosts
    await world.start()
    await until(lambda: a.seen.routes and b.seen.routes)
    with Netlink(a.netns) as nl:
        assert {str(address) for _, address in node_addresses(nl, is_ours)} >= {"192.0.2.1/24"}
        pods = ipaddress.ip_network("10.244.0.0/16")
        assert not [address for _, address in node_addresses(nl, is_ours) if address in pods]
