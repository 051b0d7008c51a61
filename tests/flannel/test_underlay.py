"""Which address a node sends from and announces, and which peers it treats as neighbours."""

from __future__ import annotations

import ipaddress
import os
from collections.abc import Iterator

import pytest

from pybernetes.flannel import interface
from pybernetes.flannel.backends import make
from pybernetes.flannel.backends.ipip import IpipLink
from pybernetes.flannel.backends.udp.ends import UdpEnd
from pybernetes.flannel.backends.vxlan import VxlanLink
from pybernetes.flannel.config import FamilyConfig
from pybernetes.flannel.identity import _translated
from pybernetes.flannel.interface import InterfaceError, Selection
from pybernetes.flannel.kernel.desired import Desired
from pybernetes.flannel.leases.lease import BEHIND_NAT, FamilyLease, Lease, Underlay
from pybernetes.linux import addr, link, netns
from pybernetes.linux.rtnl import Netlink

IP = ipaddress.ip_address
ETH0 = Underlay("eth0", 2, 1500, tuple(ipaddress.ip_interface(a) for a in ("192.0.2.1/24", "192.0.2.101/24")))
FAMILY = FamilyConfig(ipaddress.ip_network("10.244.0.0/16"), 24, IP("10.244.1.0"), IP("10.244.255.0"))


def lease(number: int, backend: str, public: str, **data: str) -> Lease:
    subnet = ipaddress.ip_network(f"10.244.{number}.0/24")
    return Lease(f"node-{number}", backend, (FamilyLease(subnet, IP(public), data),))


@pytest.mark.parametrize(
    ("public", "chosen", "source"),
    [
        ("192.0.2.1", (), "192.0.2.1"),
        ("192.0.2.101", (), "192.0.2.101"),
        ("203.0.113.1", (), "192.0.2.1"),
        ("203.0.113.1", (IP("192.0.2.101"),), "192.0.2.101"),
        ("192.0.2.1", (IP("192.0.2.101"),), "192.0.2.1"),
    ],
)
@pytest.mark.parametrize("backend", ["vxlan", "ipip", "udp"])
def test_tunnels_begin_at_an_address_of_the_interface(
    backend: str, public: str, chosen: tuple[ipaddress.IPv4Address, ...], source: str
) -> None:
    below = Underlay(ETH0.link, ETH0.index, ETH0.mtu, ETH0.addresses, chosen)
    want = make(backend, {}).local(FAMILY, lease(1, backend, public), below)
    ends = {
        *(end.local for end in want.of(VxlanLink)),
        *(end.local for end in want.of(IpipLink)),
        *(e.local for e in want.of(UdpEnd)),
    }
    assert ends == {source}


@pytest.mark.parametrize("backend", ["vxlan", "ipip"])
def test_a_nats_public_address_is_not_a_gateway(backend: str) -> None:
    mac = {"VtepMAC": "02:00:00:00:00:02"}

    def device(peer: Lease) -> str:
        want: Desired = make(backend, {"directrouting": True}).peer(FAMILY, lease(1, backend, "192.0.2.1"), peer, ETH0)
        (route,) = want.routes
        return route.link

    assert device(lease(2, backend, "192.0.2.2", **mac)) == "eth0"
    behind = {BEHIND_NAT: "172.16.0.2"}
    assert device(lease(2, backend, "192.0.2.2", **mac, **behind)).startswith("flannel.")


def test_host_gw_names_peers_behind_nat() -> None:
    peer = lease(2, "host-gw", "192.0.2.2", BehindNAT="172.16.0.2")
    want = make("host-gw", {}).peer(FAMILY, lease(1, "host-gw", "192.0.2.1"), peer, ETH0)
    assert not want.routes
    assert "node-2 (192.0.2.2) is behind NAT (its own address is 172.16.0.2)" in want.problems[0]


@pytest.fixture
def space() -> Iterator[str]:
    """eth0 with two addresses, eth1 with one, and eth2 with none."""
    name = f"pbt-{os.getpid()}-under"
    netns.create(name)
    try:
        with Netlink(name) as nl:
            for device, cidrs in {
                "eth0": ("192.0.2.1/24", "192.0.2.101/24"), "eth1": ("198.51.100.1/24",), "eth2": ()
            }.items():  # fmt: skip
                index = link.add_bridge(nl, device, up=True).index
                for cidr in cidrs:
                    addr.add(nl, index, cidr)
        yield name
    finally:
        netns.delete(name)


@pytest.mark.kernel
@pytest.mark.parametrize(
    ("name", "public", "source", "data"),
    [
        ("eth0", None, "192.0.2.1", {}),
        ("192.0.2.101", None, "192.0.2.101", {}),
        ("eth0", "203.0.113.9", "192.0.2.1", {"BehindNAT4": "192.0.2.1"}),
        ("192.0.2.101", "203.0.113.9", "192.0.2.101", {"BehindNAT4": "192.0.2.101"}),
        ("eth0", "198.51.100.1", "192.0.2.1", {}),
    ],
    ids=["plain", "by address", "behind NAT", "behind NAT, by address", "another interface's"],
)
def test_the_announced_data(space: str, name: str, public: str | None, source: str, data: dict[str, str]) -> None:
    wish = Selection(names=(name,), public_ips={4: public} if public else None)
    with Netlink(space) as nl:
        choice = interface.choose(nl, wish, [4])
    assert choice.public[4] == IP(public or source)
    assert choice.underlay.source(choice.public[4]) == IP(source)
    assert _translated(choice, choice.public) == data


@pytest.mark.kernel
@pytest.mark.parametrize("text", ["here", "2001:db8::1", "300.0.0.1"])
def test_an_unusable_public_address_is_refused(space: str, text: str) -> None:
    wish = Selection(names=("eth0",), public_ips={4: text})
    with (
        Netlink(space) as nl,
        pytest.raises(InterfaceError, match=f"--public-ip must be an IPv4 address, found '{text}"),
    ):
        interface.choose(nl, wish, [4])


@pytest.mark.kernel
def test_an_interface_without_an_address_is_refused_in_spite_of_a_public_address(space: str) -> None:
    with Netlink(space) as nl, pytest.raises(InterfaceError, match=r"eth2 .* has no global IPv4 address"):
        interface.choose(nl, Selection(names=("eth2",), public_ips={4: "203.0.113.9"}), [4])
