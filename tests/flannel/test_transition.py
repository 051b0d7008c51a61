"""The objects that stay during a change of backend. Without a kernel."""

import ipaddress
import math
from collections.abc import Collection
from dataclasses import replace

from pybernetes.flannel.backends import BACKENDS
from pybernetes.flannel.backends.ipsec.interface import IF_IDS, XfrmLink
from pybernetes.flannel.backends.ipsec.policies import IpsecEnd, IpsecPeer, policies_for
from pybernetes.flannel.backends.vxlan import VxlanLink
from pybernetes.flannel.config import NetworkConfig, parse
from pybernetes.flannel.kernel.desired import Desired, Forwarding, LinkAddress, Neighbour, merge
from pybernetes.flannel.kernel.kind import Recovery
from pybernetes.flannel.kernel.observed import Observed
from pybernetes.flannel.leases.lease import FamilyLease, Lease, Node, Underlay
from pybernetes.flannel.network import desired_state
from pybernetes.flannel.transition.recovery import recover
from pybernetes.flannel.transition.transition import FormerLeases, LingeringBackends, LingeringDevices, WaitLimit
from pybernetes.linux import wireguard, xfrm
from pybernetes.linux.link import Link, VxlanInfo
from pybernetes.linux.linkmsg import IFF_UP

from .kinds import KINDS, seen, transition

KEY = "AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE="
MAC = "02:00:00:00:00:02"


def lease(node: str, n: int, backend: str) -> Lease:
    subnet = ipaddress.ip_network(f"10.244.{n}.0/24")
    return Lease(node, backend, (FamilyLease(subnet, ipaddress.ip_address(f"192.0.2.{n}")),))


def test_a_backend_that_was_in_use_lingers() -> None:
    lingering = LingeringBackends(15)
    assert lingering.follow({"vxlan"}, 0) == {"vxlan"}
    assert lingering.ends_in(0) == math.inf
    assert lingering.follow({"udp"}, 1) == {"vxlan", "udp"}
    assert lingering.ends_in(1) == 15
    assert lingering.follow({"udp"}, 15.5) == {"vxlan", "udp"}
    assert lingering.follow({"udp"}, 16.5) == {"udp"}


def test_a_backend_is_in_use_until_the_next_pass() -> None:
    """However long ago the previous pass was: no peer knows of the change yet."""
    lingering = LingeringBackends(15)
    lingering.follow({"vxlan"}, 0)
    assert lingering.follow({"udp"}, 1000) == {"vxlan", "udp"}


def test_while_routes_wait_nothing_is_removed() -> None:
    lingering, former = LingeringBackends(15), FormerLeases(15)
    lingering.follow({"vxlan"}, 0)
    old, new = lease("b", 2, "wireguard"), lease("b", 2, "bgp")
    former.follow([old], 0, own="bgp")
    for now in (1, 20, 50, 90):
        assert lingering.follow({"bgp"}, now, waiting=True) == {"vxlan", "bgp"}
        assert former.follow([new], now, own="bgp", waiting=True) == (old,)
    assert lingering.follow({"bgp"}, 104) == {"vxlan", "bgp"}
    assert former.follow([new], 104, own="bgp") == (old,)
    assert lingering.follow({"bgp"}, 106) == {"bgp"}
    assert former.follow([new], 106, own="bgp") == ()


def test_waiting_is_limited() -> None:
    patience = WaitLimit(100)
    assert not patience.follow(False, 0)
    assert all(patience.follow(True, now) for now in (1, 50, 100))
    assert not patience.follow(True, 101), "there is no wait for a dead peer"
    assert not patience.follow(False, 102)
    assert patience.follow(True, 103), "a new wait has its own time"


def test_a_peer_that_answers_late_can_still_use_the_old_backend() -> None:
    change = transition(15)
    old, new = lease("b", 2, "wireguard"), lease("b", 2, "ipsec")
    change.follow("ipsec", [old], 0)
    for now in (10.0, 60, 119):
        assert change.follow("ipsec", [new], now) == (frozenset({"wireguard", "ipsec"}), (old,))
        change.next_check(now, waiting=True)
    assert change.follow("ipsec", [new], 240) == (frozenset({"ipsec"}), ()), "the peer never answers"


def vxlan(name: str, vni: int) -> Link:
    return Link(7, name, "02:00:00:00:00:01", 1450, IFF_UP, "vxlan", vxlan=VxlanInfo(vni, 4789, learning=False))


KILLED = seen(
    Neighbour("flannel.5", "10.244.2.0", MAC),
    Forwarding("flannel.5", MAC, "192.0.2.2"),
    links=(vxlan("flannel.5", 5), Link(2, "eth0", "", 1500, IFF_UP, "veth")),
)


def recovered(have: Observed, leases: Collection[Lease]) -> Recovery:
    return recover(KINDS, have, leases)


def test_recovery_from_a_device() -> None:
    left = recovered(KILLED, [lease("b", 2, "host-gw"), lease("c", 3, "host-gw")])
    assert left.options == {"vxlan": {"vni": 5, "port": 4789, "gbp": False, "learning": False}}
    (former,) = left.leases
    assert (former.node, former.backend) == ("b", "vxlan")
    assert former.families[0].data == {"VNI": 5, "VtepMAC": MAC}


def test_a_peer_with_the_same_backend_is_not_a_former_peer() -> None:
    assert recovered(KILLED, [lease("b", 2, "vxlan")]).leases == ()


def test_recovery_from_a_key() -> None:
    peers = (wireguard.Peer(KEY, allowed=frozenset({"10.244.2.0/24"})), wireguard.Peer(KEY))
    device = wireguard.Device("flannel-wg", listen_port=51999, peers=peers)
    have = seen(device, links=(Link(3, "flannel-wg", "", 1420, IFF_UP, "wireguard"),))
    left = recovered(have, [lease("b", 2, "vxlan"), lease("c", 3, "vxlan")])
    assert left.options == {"wireguard": {"listenport": 51999}}
    assert [(f.node, f.backend, f.families[0].data) for f in left.leases] == [("b", "wireguard", {"PublicKey": KEY})]


OUT = xfrm.Policy("out", "10.244.1.0/24", "10.244.2.0/24", "192.0.2.1", "192.0.2.22", 11, IF_IDS[4])
SIX = xfrm.Policy("out", "fd00:1::/64", "fd00:2::/64", "2001:db8::1", "2001:db8::2", 11, IF_IDS[6])
IN = xfrm.Policy("in", "10.244.3.0/24", "10.244.1.0/24", "192.0.2.3", "192.0.2.1", 11, IF_IDS[4])
STATE = xfrm.State("192.0.2.1", "192.0.2.22", "c1", 11, IF_IDS[4], 0, 0)


def secured(*objects: object) -> Observed:
    return seen(*objects, links=(Link(3, "flannel-ipsec", "", 1423, IFF_UP, "xfrm", if_id=IF_IDS[4]),))


SECURED = secured(OUT, SIX, IN, STATE)


def test_recovery_from_a_policy() -> None:
    six = FamilyLease(ipaddress.ip_network("fd00:2::/64"), ipaddress.ip_address("2001:db8::9"))
    now = replace(lease("b", 2, "vxlan"), families=(*lease("b", 2, "vxlan").families, six))
    left = recovered(SECURED, [now, lease("c", 3, "vxlan")])
    assert left.options == {"ipsec": {"udpencap": False}}
    (former,) = left.leases
    assert (former.node, former.backend) == ("b", "ipsec")
    assert [(str(f.subnet), str(f.public_ip)) for f in former.families] == [
        ("10.244.2.0/24", "192.0.2.22"),
        ("fd00:2::/64", "2001:db8::2"),
    ], "the tunnel's endpoint, not the address in the present lease"
    assert recovered(SECURED, [lease("b", 2, "ipsec")]).leases == ()
    encap = secured(replace(STATE, encap=True))
    assert recovered(encap, []).options == {"ipsec": {"udpencap": True}}


def test_the_next_run_keeps_tunnels_without_the_secret() -> None:
    """The config is vxlan's now, so the PSK is unknown; the desired policies are those in the kernel."""
    have = secured(OUT, STATE)
    now = lease("b", 2, "vxlan")
    left, change = recovered(have, [now]), transition(15)
    change.recovered(left)
    linger, former = change.follow("vxlan", [now], 100)
    family = parse('{"Network": "10.244.0.0/16"}', frozenset(BACKENDS)).families
    config = NetworkConfig(family, "vxlan", {}, former=left.options)
    eth0 = Underlay("eth0", 2, 1500, (ipaddress.ip_interface("192.0.2.1/24"),))
    want = desired_state(config, Node(lease("a", 1, "vxlan"), eth0), [now], linger=linger, former=former)
    assert [xfrm_link.mtu for xfrm_link in want.of(XfrmLink)] == [1423] and want.of(IpsecEnd) == ()
    (peer,) = want.of(IpsecPeer)
    assert OUT in policies_for(peer)
    assert not [r for r in want.routes if r.link == "flannel-ipsec" or r.kind == "blackhole"]


def test_the_next_run_uses_what_was_recovered() -> None:
    change = transition(15)
    assert not change.is_recovered
    now = lease("b", 2, "host-gw")
    change.recovered(Recovery({"udp": {}}, (lease("b", 2, "vxlan"),)))
    linger, former = change.follow("host-gw", [now, lease("x", 9, "nonsense")], 100)
    assert linger == {"host-gw", "udp"}
    assert [f.backend for f in former] == ["vxlan"]
    assert 14 < change.next_check(101, waiting=False) < 14.1
    linger, former = change.follow("host-gw", [now], 116)
    assert (linger, former) == (frozenset({"host-gw"}), ())


def device(name: str) -> Desired:
    link = VxlanLink(name, 1, 8472, "192.0.2.1", "eth0", 1450, MAC)
    return Desired(link, LinkAddress(name, "10.244.1.0/32"))


def test_a_replaced_device_lingers() -> None:
    devices = LingeringDevices(VxlanLink, 15)
    one, two = device("flannel.1"), device("flannel.2")
    assert devices.follow(one, 0, used=True) == one
    assert devices.follow(two, 100, used=True) == merge((two, one))
    assert devices.ends_in(100) == 15
    assert devices.follow(two, 114, used=True) == merge((two, one))
    assert devices.follow(two, 116, used=True) == two
    assert devices.ends_in(116) == math.inf
    assert devices.follow(two, 120, used=False) == two, "the backend lingers with all its devices"
    assert devices.follow(Desired(), 132, used=False) == Desired(), "and it is removed afterwards"


def test_the_interval_between_checks_grows() -> None:
    change = transition(15)
    change.follow("bgp", [lease("b", 2, "vxlan")], 0)
    assert change.next_check(0, waiting=False) == math.inf
    assert change.next_check(10, waiting=True) == 0.1
    assert change.next_check(20, waiting=True) == 0.1
    assert change.next_check(30, waiting=True) == 2
    assert change.next_check(31, waiting=False) == math.inf
