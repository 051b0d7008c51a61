"""Malformed leases, from etcd and from Nodes: each is reported once with its fault, and the others keep working.

One table serves both managers. Tests of input that only one of them can receive follow it.
"""

from __future__ import annotations

import asyncio
import ipaddress
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pybernetes.api.core.node import Node, NodeSpec
from pybernetes.api.meta import ObjectMeta
from pybernetes.flannel import subnet_file
from pybernetes.flannel.backends import BACKENDS
from pybernetes.flannel.backends.vxlan import VxlanLink
from pybernetes.flannel.config import NetworkConfig, parse
from pybernetes.flannel.leases.etcd import format as etcd_format
from pybernetes.flannel.leases.kube import annotations as kube
from pybernetes.flannel.leases.lease import FamilyLease, Lease, LeaseError, Underlay
from pybernetes.flannel.network import Node as Me
from pybernetes.flannel.network import desired_state
from pybernetes.linux import addr, link, netns
from pybernetes.linux.rtnl import Netlink

from .kinds import observe, reconcile

DUAL = {"Network": "10.244.0.0/16", "EnableIPv6": True, "IPv6Network": "fd00:244::/48"}
OWN_MAC = "02:00:00:00:00:01"


def config(backend: str = "vxlan", **more: Any) -> NetworkConfig:
    return parse(json.dumps({"Network": "10.244.0.0/16", "Backend": {"Type": backend}, **more}), frozenset(BACKENDS))


def mine(data: dict[str, Any] | None = None, backend: str = "vxlan") -> Lease:
    subnet, public = ipaddress.ip_network("10.244.1.0/24"), ipaddress.ip_address("192.0.2.1")
    return Lease("node-1", backend, (FamilyLease(subnet, public, data or {"VNI": 1, "VtepMAC": OWN_MAC}),))


def good(number: int, name: str = "") -> Lease:
    subnet = ipaddress.ip_network(f"10.244.{number}.0/24")
    data = {"VNI": 1, "VtepMAC": f"02:00:00:00:00:{number:02x}"}
    part = FamilyLease(subnet, ipaddress.ip_address(f"192.0.2.{number}"), data)
    return Lease(name or f"node-{number}", "vxlan", (part,))


def from_etcd(subnet: str, public: object, backend: object, data: str) -> Lease:
    """A lease as the manager reads it from a key and its value; `data` may not be JSON."""
    address, _, length = subnet.partition("/")
    value = f'{{"PublicIP":{json.dumps(public)},"BackendType":{json.dumps(backend)},"BackendData":{data}}}'
    name = f"{address}-{length}"
    return etcd_format.lease_of(name, etcd_format.parse_key(name), etcd_format.parse_value(value.encode()))


def from_node(subnet: str, public: object, backend: object, data: str) -> Lease:
    """A lease as the manager reads it from a Node."""
    notes = {kube.PUBLIC_IP[4]: str(public), kube.BACKEND_TYPE: str(backend), kube.BACKEND_DATA[4]: data}
    meta = ObjectMeta(name="bad", annotations={kube.KUBE_SUBNET_MANAGER: "true", **notes})
    lease = kube.lease_of(Node(metadata=meta, spec=NodeSpec(pod_cidr=subnet, pod_cidrs=[subnet])), config())
    assert lease is not None
    return lease


DATA = '{"VNI":1,"VtepMAC":"02:00:00:00:00:09"}'
IP = "192.0.2.9"
#: The fault -> subnet, public address, backend, backend data; part of the report.
TABLE: dict[str, tuple[str, object, object, str, str]] = {
    "data is not JSON": ("10.244.9.0/24", IP, "vxlan", '{"VNI":', "is not JSON"),
    "data is a list": ("10.244.9.0/24", IP, "vxlan", "[1]", "must be a JSON object"),
    "data is a number": ("10.244.9.0/24", IP, "vxlan", "7", "must be a JSON object"),
    "data without end": ("10.244.9.0/24", IP, "vxlan", "[" * 100_000, "is not JSON"),
    "foreign backend": ("10.244.9.0/24", IP, "carrier-pigeon", DATA, "unknown backend type 'carrier-pigeon'"),
    "no backend": ("10.244.9.0/24", IP, "", DATA, "unknown backend type ''"),
    "subnet of everything": ("0.0.0.0/1", IP, "vxlan", DATA, "is not inside the network 10.244.0.0/16"),
    "subnet elsewhere": ("10.9.0.0/24", IP, "vxlan", DATA, "is not inside the network 10.244.0.0/16"),
    "the pod network": ("10.244.0.0/16", IP, "vxlan", DATA, "overlaps"),
    "bits outside the mask": ("10.244.9.7/24", IP, "vxlan", DATA, "has host bits set"),
    "no such length": ("10.244.9.0/77", IP, "vxlan", DATA, "77"),
    "our own subnet": ("10.244.1.0/24", IP, "vxlan", DATA, "belongs to node-1 already"),
    "half of our own subnet": ("10.244.1.128/25", IP, "vxlan", DATA, "overlaps"),
    "a peer's subnet": ("10.244.2.0/24", IP, "vxlan", DATA, "subnet 10.244.2.0/24 belongs to"),
    "half of a peer's subnet": ("10.244.2.0/25", IP, "vxlan", DATA, "overlaps 10.244.2.0/24 of"),
    "more than a peer's subnet": ("10.244.2.0/23", IP, "vxlan", DATA, "overlaps 10.244.2.0/24 of"),
    "no address": ("10.244.9.0/24", "300.0.0.1", "vxlan", DATA, "300.0.0.1"),
    "a name": ("10.244.9.0/24", "node-9", "vxlan", DATA, "node-9"),
    "of the other family": ("10.244.9.0/24", "2001:db8::9", "vxlan", DATA, "is not an IPv4 address"),
    "loopback": ("10.244.9.0/24", "127.0.0.1", "vxlan", DATA, "is not an IPv4 address that a peer can have"),
    "multicast": ("10.244.9.0/24", "224.0.0.9", "vxlan", DATA, "is not an IPv4 address that a peer can have"),
    "our own address": ("10.244.9.0/24", "192.0.2.1", "vxlan", DATA, "public address 192.0.2.1 is our own"),
    "no MAC": ("10.244.9.0/24", IP, "vxlan", "{}", "no usable VtepMAC: None"),
    "MAC is a number": ("10.244.9.0/24", IP, "vxlan", '{"VtepMAC":7}', "no usable VtepMAC: 7"),
    "MAC is text": ("10.244.9.0/24", IP, "vxlan", '{"VtepMAC":"; reboot"}', "no usable VtepMAC: '; reboot'"),
    "zero MAC": ("10.244.9.0/24", IP, "vxlan", '{"VtepMAC":"00:00:00:00:00:00"}', "no usable VtepMAC"),
    "MAC of a group": ("10.244.9.0/24", IP, "vxlan", '{"VtepMAC":"ff:ff:ff:ff:ff:ff"}', "no usable VtepMAC"),
    "our own MAC": ("10.244.9.0/24", IP, "vxlan", f'{{"VtepMAC":"{OWN_MAC}"}}', "is that of node-1"),
    "a peer's MAC": ("10.244.9.0/24", IP, "vxlan", '{"VtepMAC":"02:00:00:00:00:02"}', "is that of"),
    "no key": ("10.244.9.0/24", IP, "wireguard", "{}", "no usable PublicKey"),
}
MANAGERS = {"etcd": from_etcd, "kube": from_node}
ETH0 = Underlay("eth0", 2, 1500, (ipaddress.ip_interface("192.0.2.1/24"),))


@pytest.mark.parametrize("manager", MANAGERS)
@pytest.mark.parametrize("wrong", TABLE)
def test_a_malformed_lease_is_reported_and_does_no_harm(manager: str, wrong: str) -> None:
    *facts, words = TABLE[wrong]
    peers = [good(2, "0-peer"), good(3, "z-peer")]
    try:
        lease = MANAGERS[manager](*facts)  # type: ignore[arg-type]
    except LeaseError as error:
        assert words in str(error)
        return
    want = desired_state(config(), Me(mine(), ETH0), [*peers, lease], linger=frozenset())
    assert [problem for problem in want.problems if words in problem], want.problems
    assert all(problem.startswith((lease.node, "0-peer", "z-peer")) for problem in want.problems)
    assert {"10.244.3.0/24"} <= {route.dst for route in want.routes} <= {"10.244.2.0/24", "10.244.3.0/24"}
    assert OWN_MAC not in {entry.mac for entry in want.forwarding}


def test_another_vni_is_reported() -> None:
    """Our flanneld makes a device for the peer's VNI; Go flanneld would not."""
    lease = from_node("10.244.9.0/24", IP, "vxlan", '{"VNI":2,"VtepMAC":"02:00:00:00:00:09"}')
    want = desired_state(config(), Me(mine(), ETH0), [lease], linger=frozenset())
    (problem,) = want.problems
    assert "announces VNI 2, this node 1: there is a device for each" in problem
    assert {link.name for link in want.of(VxlanLink)} == {"flannel.1", "flannel.2"}
    assert [want.routes[0].link, want.neighbours[0].link, want.forwarding[0].link] == ["flannel.2"] * 3


@pytest.mark.parametrize("vni", ["2", 0, -1, 2**24, 10_000_000, True, 1.5, [1]])
def test_an_invalid_vni_is_reported(vni: object) -> None:
    lease = from_node("10.244.9.0/24", IP, "vxlan", json.dumps({"VNI": vni, "VtepMAC": "02:00:00:00:00:09"}))
    want = desired_state(config(), Me(mine(), ETH0), [lease], linger=frozenset())
    assert any("has no usable VNI" in problem for problem in want.problems)
    assert not want.routes and {link.name for link in want.of(VxlanLink)} == {"flannel.1"}


def test_one_node_may_have_two_leases_for_a_moment() -> None:
    """It acquired another subnet: both lead to the same tunnel endpoint."""
    before = good(2, "old")
    part = FamilyLease(ipaddress.ip_network("10.244.7.0/24"), before.families[0].public_ip, before.families[0].data)
    want = desired_state(config(), Me(mine(), ETH0), [before, Lease("new", "vxlan", (part,))], linger=frozenset())
    assert want.problems == () and len(want.forwarding) == 1
    assert {route.dst for route in want.routes} == {"10.244.2.0/24", "10.244.7.0/24"}


@pytest.fixture
def space() -> Iterator[str]:
    name = f"pbt-{os.getpid()}-garb"
    netns.create(name)
    try:
        with Netlink(name) as nl:
            addr.add(nl, link.add_bridge(nl, "eth0", up=True).index, "192.0.2.1/24")
        yield name
    finally:
        netns.delete(name)


@pytest.mark.kernel
def test_two_nodes_with_one_mac_do_not_keep_the_kernel_busy(space: str) -> None:
    """Otherwise the second entry would replace the first, and the next pass would restore the first."""
    twin = from_node("10.244.9.0/24", IP, "vxlan", '{"VNI":1,"VtepMAC":"02:00:00:00:00:02"}')
    with Netlink(space) as nl:
        eth0 = Underlay("eth0", link.link(nl, "eth0").index, 1500, ETH0.addresses)
        want = desired_state(config(), Me(mine(), eth0), [good(2, "0-peer"), twin], linger=frozenset())
        assert reconcile(nl, want).errors == ()
        assert reconcile(nl, want).done == ()
        assert [(entry.mac, entry.dst) for entry in observe(nl).forwarding] == [("02:00:00:00:00:02", "192.0.2.2")]


# -- only on Nodes ---------------------------------------------------------------------------------------
def node(notes: dict[str, str], *cidrs: str) -> Node:
    meta = ObjectMeta(name="node-9", annotations={kube.PREFIX + key: value for key, value in notes.items()})
    return Node(metadata=meta, spec=NodeSpec(pod_cidr=cidrs[0] if cidrs else "", pod_cidrs=list(cidrs)))


LEASED = {"kube-subnet-manager": "true", "backend-type": "vxlan", "public-ip": IP}


@pytest.mark.parametrize("text", ["300.1.1.1", "here", "::", "127.0.0.1", "2001:db8::1"])
def test_a_bad_overwrite_is_reported_by_its_key(text: str) -> None:
    """The node itself keeps its address."""
    bad = node({**LEASED, "public-ip-overwrite": text}, "10.244.9.0/24")
    with pytest.raises(LeaseError, match=r"annotation flannel\.alpha\.coreos\.com/public-ip-overwrite: .*" + text):
        kube.lease_of(bad, config())
    assert kube.overwritten(bad) == {}


@pytest.mark.parametrize("notes", [{}, {**LEASED, "kube-subnet-manager": "false"}, {"backend-data": "{"}])
def test_a_node_without_a_lease_is_no_fault(notes: dict[str, str]) -> None:
    assert kube.lease_of(node(notes, "10.244.9.0/24"), config()) is None


def test_subnets_of_families_that_are_off_are_left_alone() -> None:
    lease = kube.lease_of(node(LEASED, "10.244.9.0/24", "fd00:99::/64"), config())
    assert lease is not None and [part.subnet.version for part in lease.families] == [4]


def test_malformed_annotations_of_the_own_node_are_ignored() -> None:
    announced = kube.announced(node({"backend-data": "{", "backend-v6-data": '{"VtepMAC":"02:00:00:00:00:09"}'}))
    assert announced == {6: {"VtepMAC": "02:00:00:00:00:09"}}


# -- subnet.env at start ---------------------------------------------------------------------------------
@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\0" * 4096,
        b"\xff\xfe garbage",
        b"FLANNEL_SUBNET=",
        b"FLANNEL_SUBNET=everything\nFLANNEL_MTU=1450\n",
        b"FLANNEL_SUBNET=10.5.1.1/99\n",
        b"FLANNEL_SUBNET=fd00::1/64\n",
        b"FLANNEL_SUBNET\n====\n",
        b"x" * 1_000_000,
    ],
    ids=range(9),
)
async def test_a_malformed_subnet_file_counts_as_none_and_is_replaced(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "subnet.env"
    await asyncio.to_thread(path.write_bytes, content)
    assert subnet_file.previous_subnets(path) == {}
    fresh = subnet_file.SubnetFile({4: ("10.244.0.0/16", "10.244.1.1/24")}, 1450, True)
    assert subnet_file.write(path, fresh)
    assert subnet_file.previous_subnets(path) == {4: ipaddress.ip_network("10.244.1.0/24")}


def test_a_truncated_subnet_file_gives_its_complete_lines(tmp_path: Path) -> None:
    path = tmp_path / "subnet.env"
    path.write_text("FLANNEL_SUBNET=10.244.1.1/24\nFLANNEL_IPV6_SUBNET=fd00:24")
    assert subnet_file.previous_subnets(path) == {4: ipaddress.ip_network("10.244.1.0/24")}


def test_a_directory_in_place_of_the_file_is_reported(tmp_path: Path) -> None:
    path = tmp_path / "subnet.env"
    path.mkdir()
    assert subnet_file.previous_subnets(path) == {}
    with pytest.raises(OSError, match=str(path)):
        subnet_file.write(path, subnet_file.SubnetFile({}, 1450, True))
