"""From leases to kernel objects, without a kernel."""

import ipaddress
from typing import Any

import pytest

from pybernetes.flannel.backends import BACKENDS
from pybernetes.flannel.backends.vxlan import VxlanLink
from pybernetes.flannel.config import parse
from pybernetes.flannel.kernel.desired import Desired
from pybernetes.flannel.leases.lease import FamilyLease, Lease, Underlay
from pybernetes.flannel.network import Memo, Node, desired_state, mtu

ETH0 = Underlay("eth0", 2, 1500, (ipaddress.ip_interface("192.0.2.1/24"), ipaddress.ip_interface("2001:db8::1/64")))


def lease(node: str, n: int, backend: str = "vxlan", public: str = "", **data: Any) -> Lease:
    info = data or {"VNI": 1, "VtepMAC": f"02:00:00:00:00:{n:02x}"}
    subnet = ipaddress.ip_network(f"10.244.{n}.0/24")
    return Lease(node, backend, (FamilyLease(subnet, ipaddress.ip_address(public or f"192.0.2.{n}"), info),))


ME = Node(lease("me", 1), ETH0)


def state(text: str, *peers: Lease, linger: frozenset[str] = frozenset()) -> Desired:
    config = parse(f'{{"Network": "10.244.0.0/16", "Backend": {text}}}', frozenset(BACKENDS))
    return desired_state(config, ME, peers, linger=linger)


def test_vxlan_peer() -> None:
    want = state('{"Type": "vxlan"}', lease("b", 2))
    (link,) = want.of(VxlanLink)
    assert (link.name, link.mtu, link.local, link.port) == ("flannel.1", 1450, "192.0.2.1", 8472)
    assert [(a.link, a.cidr) for a in want.addresses] == [("flannel.1", "10.244.1.0/32")]
    (route,) = want.routes
    assert (route.dst, route.gateway, route.onlink) == ("10.244.2.0/24", "10.244.2.0", True)
    assert [(n.ip, n.mac) for n in want.neighbours] == [("10.244.2.0", "02:00:00:00:00:02")]
    assert [(f.mac, f.dst) for f in want.forwarding] == [("02:00:00:00:00:02", "192.0.2.2")]
    assert route.reason == "lease of b"


def test_direct_routing_only_to_the_same_segment() -> None:
    want = state('{"Type": "vxlan", "Directrouting": true}', lease("b", 2), lease("c", 3, public="198.51.100.3"))
    assert {(r.dst, r.gateway, r.link) for r in want.routes} == {
        ("10.244.2.0/24", "192.0.2.2", "eth0"),
        ("10.244.3.0/24", "10.244.3.0", "flannel.1"),
    }


def test_host_gw_reports_a_peer_behind_a_router() -> None:
    peers = (lease("b", 2, "host-gw", x=1), lease("c", 3, "host-gw", public="198.51.100.3"))
    want = state('{"Type": "host-gw"}', *peers)
    assert [(r.dst, r.gateway, r.link) for r in want.routes] == [("10.244.2.0/24", "192.0.2.2", "eth0")]
    (problem,) = want.problems
    assert "c (198.51.100.3) is not on the segment" in problem
    assert not want.of(VxlanLink)


def test_each_peer_is_reached_by_the_backend_that_it_announces() -> None:
    want = state('{"Type": "host-gw"}', lease("b", 2, "vxlan"), lease("c", 3, "host-gw"))
    assert {(r.dst, r.link) for r in want.routes} == {("10.244.2.0/24", "flannel.1"), ("10.244.3.0/24", "eth0")}


def test_a_backend_lingers() -> None:
    assert state('{"Type": "host-gw"}', linger=frozenset({"vxlan"})).of(VxlanLink)
    assert not state('{"Type": "host-gw"}').of(VxlanLink)


@pytest.mark.parametrize(
    ("bad", "says"),
    [
        (lease("b", 1, public="192.0.2.9"), "belongs to me already"),
        (lease("b", 2, public="192.0.2.1"), "is our own"),
        (lease("b", 2, "ipsec2"), "unknown backend type"),
        (lease("b", 2, VtepMAC="nonsense"), "no usable VtepMAC"),
        (
            Lease("b", "vxlan", (FamilyLease(ipaddress.ip_network("10.9.0.0/24"), ipaddress.ip_address("192.0.2.2")),)),
            "not inside the network",
        ),
    ],
)
def test_a_bad_lease_is_skipped_and_reported(bad: Lease, says: str) -> None:
    want = state('{"Type": "vxlan"}', bad, lease("good", 7))
    assert [r.dst for r in want.routes] == ["10.244.7.0/24"]
    assert any("b: " in p and says in p for p in want.problems)


def test_two_peers_with_one_subnet_first_by_name_wins() -> None:
    want = state('{"Type": "vxlan"}', lease("c", 2, public="192.0.2.3"), lease("b", 2))
    assert [f.dst for f in want.forwarding] == ["192.0.2.2"]
    assert any("c: subnet 10.244.2.0/24 belongs to b already" in p for p in want.problems)


def test_mtu_leaves_room_for_the_outer_headers() -> None:
    dual = '{"Network":"10.244.0.0/16","EnableIPv6":true,"IPv6Network":"fd00::/48","Backend":{"Type":"%s"}}'
    assert mtu(parse(dual % "vxlan", frozenset(BACKENDS)), ETH0) == 1430
    assert mtu(parse(dual % "host-gw", frozenset(BACKENDS)), ETH0) == 1500


def test_the_cache_changes_no_result() -> None:
    config = parse('{"Network": "10.244.0.0/16", "Backend": {"Type": "vxlan"}}', frozenset(BACKENDS))
    other = parse('{"Network": "10.244.0.0/16", "Backend": {"Type": "host-gw"}}', frozenset(BACKENDS))
    memo = Memo()
    b, c, twin, bad = lease("b", 2), lease("c", 3), lease("d", 3, public="192.0.2.4"), lease("e", 5, "nonsense")
    moved = Node(ME.lease, Underlay("eth1", 3, 9000, ETH0.addresses))
    passes = [
        (config, ME, [b, c, twin, bad]),
        (config, ME, [b, c, twin, bad]),
        (config, ME, [b, twin]),
        (config, ME, [lease("b", 7), twin, c]),
        (other, ME, [b, c]),
        (other, moved, [b, c]),
        (config, moved, []),
        (config, ME, [c]),
    ]
    for settings, me, peers in passes:
        none = frozenset[str]()
        assert desired_state(settings, me, peers, linger=none, memo=memo) == desired_state(
            settings, me, peers, linger=none
        )


def test_a_number_too_long_for_the_name_of_ipv6s_device_is_reported() -> None:
    config = parse(
        '{"EnableIPv4": false, "EnableIPv6": true, "IPv6Network": "fd00::/48", "Backend": {"VNI": 10000}}',
        frozenset(BACKENDS),
    )
    part = FamilyLease(ipaddress.ip_network("fd00:0:0:1::/64"), ipaddress.ip_address("2001:db8::1"), {})
    want = desired_state(config, Node(Lease("me", "vxlan", (part,)), ETH0), (), linger=frozenset())
    assert want.problems == ("Backend.VNI 10000 is too long: no device can be named flannel-v6.10000",)
    assert not want.of(VxlanLink)
