"""Which interface carries the pod network, what is logged about it, and what happens when it changes."""

import ipaddress
import logging
import subprocess
import uuid
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from pybernetes.flannel.address_warnings import address_warnings
from pybernetes.flannel.interface import InterfaceError, Selection, choose
from pybernetes.flannel.leases.lease import BEHIND_NAT, FamilyLease, Lease, Underlay
from pybernetes.linux import netns
from pybernetes.linux.rtnl import Netlink

from .bgp_world import Host, World, make_world, until

SETTING = """\
link set dev lo up
addr add 203.0.113.77/32 dev lo
link add name eth0 type veth peer name far0
link add name eth1 type veth peer name far1
link set dev eth0 up
link set dev far0 up
link set dev eth1 up
link set dev far1 up
addr add 10.4.7.21/24 dev eth0
addr add 10.4.7.99/24 dev eth0
addr add 192.168.9.1/24 dev eth1
addr add 192.168.8.1/24 dev eth1
-6 addr add fd04:7::21/64 dev eth0 nodad
-6 addr add fd09::1/64 dev eth1 nodad
-6 addr add fd08::1/64 dev eth1 nodad
route add default via 10.4.7.2
-6 route add default via fd09::fe dev eth1
-6 route add fd77::/64 via fd04:7::2
"""


@pytest.fixture(scope="module")
def node() -> Iterator[Netlink]:
    """eth0 has the IPv4 default route, eth1 the IPv6 one."""
    name = f"pbt-{uuid.uuid4().hex[:8]}"
    netns.create(name)
    try:
        for line in SETTING.splitlines():
            subprocess.run(["ip", "-n", name, *line.split()], check=True)
        with Netlink(name) as nl:
            yield nl
    finally:
        netns.delete(name)


@pytest.mark.kernel
@pytest.mark.parametrize(
    ("wish", "versions", "chosen", "reason"),
    [
        (Selection(), (4,), ("eth0", "10.4.7.21"), "has the default route"),
        (Selection(), (6,), ("eth1", "fd08::1"), "has the default route"),
        (Selection(), (4, 6), ("eth0", "10.4.7.21", "fd04:7::21"), "has the default route"),
        (Selection(names=("eth9", "eth1")), (4,), ("eth1", "192.168.9.1"), "named by --iface=eth1"),
        (Selection(names=("192.168.8.1",)), (4,), ("eth1", "192.168.8.1"), "named by --iface=192.168.8.1"),
        (Selection(names=("fd09::1",)), (6,), ("eth1", "fd09::1"), "named by --iface=fd09::1"),
        (Selection(names=("10.4.7.99",)), (4, 6), ("eth0", "10.4.7.99", "fd04:7::21"), "named by --iface=10.4.7.99"),
        (
            Selection(patterns=(r"^nope", r"^192\.168\.8\.")),
            (4,),
            ("eth1", "192.168.8.1"),
            r"matches --iface-regex=^192",
        ),
        (Selection(patterns=("^fd09",)), (6,), ("eth1", "fd09::1"), "matches --iface-regex=^fd09"),
        (Selection(patterns=("^eth[0-9]{1,2}$",)), (4,), ("eth0", "10.4.7.21"), "matches --iface-regex=^eth"),
        (Selection(patterns=("1$",)), (4,), ("eth0", "10.4.7.21"), "matches"),
        (Selection(names=("eth9",), patterns=("eth1",)), (4,), ("eth1", "192.168.9.1"), "--iface-regex=eth1"),
        (Selection(can_reach="192.168.8.77"), (4,), ("eth1", "192.168.8.1"), "reaches --iface-can-reach=192.168.8.77"),
        (Selection(can_reach="fd77::5"), (6,), ("eth0", "fd04:7::21"), "reaches --iface-can-reach=fd77::5"),
        (Selection(public_ips={4: "198.51.100.9"}), (4,), ("eth0", "198.51.100.9"), "has the default route"),
        (Selection(names=("lo",)), (4,), ("lo", "203.0.113.77"), "named by --iface=lo"),
    ],
)
def test_the_choice(
    node: Netlink, wish: Selection, versions: tuple[int, ...], chosen: tuple[str, ...], reason: str
) -> None:
    found = choose(node, wish, versions)
    assert (found.underlay.link, *(str(ip) for ip in found.public.values())) == chosen
    assert reason in found.reason


@pytest.mark.kernel
@pytest.mark.parametrize(
    ("wish", "versions", "says"),
    [
        (
            Selection(names=("eth9", "10.9.9.9")),
            (4,),
            r"no interface matches eth9, 10\.9\.9\.9; there are .*eth0 \(10\.4\.7\.21",
        ),
        (Selection(patterns=("[",)), (4,), r"--iface-regex '\[' is not a regular expression"),
        (Selection(can_reach="no address"), (4,), "--iface-can-reach no address"),
        (Selection(names=("lo",)), (6,), r"lo \(is named by --iface=lo\) has no global IPv6 address; name another one"),
        (Selection(can_reach="10.4.7.21"), (6,), "lo .* has no global IPv6 address"),
    ],
)
def test_selections_without_a_match(node: Netlink, wish: Selection, versions: tuple[int, ...], says: str) -> None:
    with pytest.raises(InterfaceError, match=says):
        choose(node, wish, versions)


@pytest.mark.kernel
def test_of_several_addresses_the_previous_one_is_kept(node: Netlink) -> None:
    """The kernel lists the newest IPv6 address first."""
    eth1, former = Selection(names=("eth1",)), ipaddress.ip_address("fd09::1")
    assert str(choose(node, eth1, (6,)).public[6]) == "fd08::1"
    assert choose(node, eth1, (6,), {6: former}).public[6] == former
    assert str(choose(node, eth1, (6,), {6: ipaddress.ip_address("fd07::1")}).public[6]) == "fd08::1"


ETH0 = Underlay("eth0", 2, 1500, (ipaddress.ip_interface("10.0.2.15/24"),))


def lease(node: str, public: str, **data: str) -> Lease:
    subnet = ipaddress.ip_network("10.244.1.0/24" if node == "me" else "10.244.2.0/24")
    return Lease(node, "vxlan", (FamilyLease(subnet, ipaddress.ip_address(public), data),))


@pytest.mark.parametrize(
    ("own", "peers", "says"),
    [
        (lease("me", "127.0.0.1"), [], "127.0.0.1 is a loopback address: no peer can send there; set --public-ip"),
        (lease("me", "169.254.7.7"), [], "valid on one segment only"),
        (lease("me", "198.51.100.9", **{BEHIND_NAT: "10.0.2.15"}), [], "of a NAT (the node's own is 10.0.2.15)"),
        (lease("me", "10.0.2.15"), [lease("b", "8.8.4.4")], "10.0.2.15 is private, while b (8.8.4.4) is reached by"),
        (lease("me", "10.0.2.15"), [lease("b", "10.9.9.9")], ""),
        (lease("me", "8.8.8.8"), [lease("b", "8.8.4.4")], ""),
    ],
)
def test_address_warnings(own: Lease, peers: list[Lease], says: str) -> None:
    found = address_warnings(own, ETH0, peers)
    assert len(found) == bool(says) and says in "".join(found)


def test_the_loopback_as_an_interface() -> None:
    lo = Underlay("lo", 1, 65536, (ipaddress.ip_interface("203.0.113.77/32"),))
    (warning,) = address_warnings(lease("me", "8.8.8.8"), lo, [])
    assert "lo is the loopback: its MTU of 65536 says nothing" in warning


@pytest.fixture
async def world(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> AsyncIterator[World]:
    caplog.set_level(logging.INFO, "pybernetes.flannel")
    async with make_world(tmp_path, (1, 1)) as made:
        made.configure({"Type": "vxlan"}, dual=True)
        await made.start()
        a, b = made.hosts
        await until(lambda: len(a.seen.routes) == len(b.seen.routes) == 2)
        yield made


def ip(host: Host, *lines: str) -> None:
    for line in lines:
        subprocess.run(["ip", "-n", host.netns, *line.split()], check=True)


def ends(host: Host) -> set[str]:
    """The endpoints of the host's tunnels."""
    return {entry.dst for entry in host.seen.forwarding}


@pytest.mark.kernel
@pytest.mark.slow
async def test_a_changed_address_is_announced_and_all_nodes_use_it(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    """As DHCP does it: the old address is removed, another is added."""
    a, b = world.hosts
    before = "\n".join(record.getMessage() for record in caplog.get_records("setup"))
    assert "Using interface with name eth0 and address 192.0.2.1, 2001:db8:1::1: it is named by --iface=eth0" in before
    ip(b, "addr del 192.0.2.2/24 dev eth0", "addr add 192.0.2.22/24 dev eth0")
    await until(lambda: "192.0.2.22" in ends(a))
    assert ends(a) == {"192.0.2.22", "2001:db8:1::2"}
    await until(lambda: (vxlan := b.seen.links["flannel.1"].vxlan) is not None and vxlan.local == "192.0.2.22")
    assert await reaches(a, b) and await reaches(b, a, 6)
    assert "Using 192.0.2.22, 2001:db8:1::2 as external address" in caplog.text


async def reaches(one: Host, other: Host, version: int = 4) -> bool:
    for _ in range(20):
        if await one.reaches(other, version):
            return True
    return False


@pytest.mark.kernel
@pytest.mark.slow
async def test_an_interface_that_is_deleted_and_created_again(world: World, caplog: pytest.LogCaptureFixture) -> None:
    a, b = world.hosts
    ip(a, "link del dev eth0")
    await until(lambda: "no interface matches eth0" in caplog.text)
    assert "flannel.1" not in a.seen.links, "the kernel removes tunnels with their underlying device"
    world.plug(a.netns, "eth0", 1, 1)
    await until(lambda: len(a.seen.routes) == 2)
    assert await reaches(a, b) and await reaches(b, a, 6)
    await until(lambda: "no longer: no interface matches eth0" in caplog.text)


IPV6_ALONE = '{"EnableIPv4": false, "EnableIPv6": true, "IPv6Network": "fd00:244::/48", "Backend": {"Type": "vxlan"}}'


@pytest.mark.kernel
@pytest.mark.slow
async def test_ipv6_alone(tmp_path: Path) -> None:
    async with make_world(tmp_path, (1, 2)) as made:
        for host in made.hosts:
            ip(host, "-4 addr flush dev eth0", "-4 addr flush dev cni0")
            made.board.configs[host.name] = IPV6_ALONE
        await made.start()
        a, b = made.hosts
        await until(lambda: a.seen.routes and b.seen.routes)
        assert a.seen.ours.keys() == {"flannel-v6.1"} and await reaches(a, b, 6)
        env = (a.folder / "subnet.env").read_text()
        assert "FLANNEL_IPV6_SUBNET=fd00:244:0:1::1/64" in env and "FLANNEL_NETWORK" not in env
        assert "FLANNEL_MTU=1430" in env
