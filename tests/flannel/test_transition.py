"""What stays during a change of backend, without a kernel."""

import ipaddress
import math
from dataclasses import replace

from pybernetes.flannel.backends import BACKENDS
from pybernetes.flannel.backends.ipsec.backend import IF_IDS
from pybernetes.flannel.backends.ipsec.policies import Security, policies_for
from pybernetes.flannel.config import NetworkConfig, parse
from pybernetes.flannel.kernel.desired import Desired, Forwarding, LinkAddress, Neighbour, VxlanLink, merge
from pybernetes.flannel.kernel.reconcile import Observed
from pybernetes.flannel.leases.lease import FamilyLease, Lease, Underlay
from pybernetes.flannel.network import Node, desired_state
from pybernetes.flannel.transition.recovery import Remains, remains
from pybernetes.flannel.transition.transition import Devices, Former, Lingering, Patience, Transition
from pybernetes.linux import wireguard, xfrm
from pybernetes.linux.link import Link, VxlanInfo
from pybernetes.linux.linkmsg import IFF_UP

KEY = "AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE="
MAC = "02:00:00:00:00:02"


def lease(node: str, n: int, backend: str) -> Lease:
    subnet = ipaddress.ip_network(f"10.244.{n}.0/24")
    return Lease(node, backend, (FamilyLease(subnet, ipaddress.ip_address(f"192.0.2.{n}")),))


def test_what_was_in_use_lingers() -> None:
    lingering = Lingering(15)
    assert lingering.follow({"vxlan"}, 0) == {"vxlan"}
    assert lingering.ends_in(0) == math.inf
    assert lingering.follow({"udp"}, 1) == {"vxlan", "udp"}
    assert lingering.ends_in(1) == 15
    assert lingering.follow({"udp"}, 15.5) == {"vxlan", "udp"}
    assert lingering.follow({"udp"}, 16.5) == {"udp"}


def test_use_lasts_until_the_pass_that_ends_it() -> None:
    """However long ago the pass before was: nobody has heard of the change yet."""
    lingering = Lingering(15)
    lingering.follow({"vxlan"}, 0)
    assert lingering.follow({"udp"}, 1000) == {"vxlan", "udp"}


def test_while_routes_wait_nothing_goes() -> None:
    lingering, former = Lingering(15), Former(15)
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


def test_patience_is_not_for_ever() -> None:
    patience = Patience(100)
    assert not patience.follow(False, 0)
    assert all(patience.follow(True, now) for now in (1, 50, 100))
    assert not patience.follow(True, 101), "a peer that is dead is not waited for"
    assert not patience.follow(False, 102)
    assert patience.follow(True, 103), "a new wait has its own time"


def test_a_peer_that_answers_late_finds_its_old_way() -> None:
    transition = Transition(15)
    old, new = lease("b", 2, "wireguard"), lease("b", 2, "ipsec")
    transition.follow("ipsec", [old], 0)
    for now in (10.0, 60, 119):
        assert transition.follow("ipsec", [new], now) == (frozenset({"wireguard", "ipsec"}), (old,))
        transition.look_again(now, waiting=True)
    assert transition.follow("ipsec", [new], 240) == (frozenset({"ipsec"}), ()), "it does not answer at all"


def vxlan(name: str, vni: int) -> Link:
    return Link(7, name, "02:00:00:00:00:01", 1450, IFF_UP, "vxlan", vxlan=VxlanInfo(vni, 4789, learning=False))


KILLED = Observed(
    links={"flannel.5": vxlan("flannel.5", 5), "eth0": Link(2, "eth0", "", 1500, IFF_UP, "veth")},
    neighbours=frozenset({Neighbour("flannel.5", "10.244.2.0", MAC)}),
    forwarding=frozenset({Forwarding("flannel.5", MAC, "192.0.2.2")}),
)


def test_a_device_tells_of_an_earlier_life() -> None:
    left = remains(KILLED, [lease("b", 2, "host-gw"), lease("c", 3, "host-gw")])
    assert left.options == {"vxlan": {"vni": 5, "port": 4789, "gbp": False, "learning": False}}
    (former,) = left.leases
    assert (former.node, former.backend) == ("b", "vxlan")
    assert former.families[0].data == {"VNI": 5, "VtepMAC": MAC}


def test_who_is_still_reached_so_is_no_former_peer() -> None:
    assert remains(KILLED, [lease("b", 2, "vxlan")]).leases == ()


def test_a_key_tells_of_an_earlier_life() -> None:
    peers = (wireguard.Peer(KEY, allowed=frozenset({"10.244.2.0/24"})), wireguard.Peer(KEY))
    devices = {"flannel-wg": wireguard.Device("flannel-wg", listen_port=51999, peers=peers)}
    have = Observed(links={"flannel-wg": Link(3, "flannel-wg", "", 1420, IFF_UP, "wireguard")}, wireguard=devices)
    left = remains(have, [lease("b", 2, "vxlan"), lease("c", 3, "vxlan")])
    assert left.options == {"wireguard": {"listenport": 51999}}
    assert [(f.node, f.backend, f.families[0].data) for f in left.leases] == [("b", "wireguard", {"PublicKey": KEY})]


OUT = xfrm.Policy("out", "10.244.1.0/24", "10.244.2.0/24", "192.0.2.1", "192.0.2.22", 11, IF_IDS[4])
SIX = xfrm.Policy("out", "fd00:1::/64", "fd00:2::/64", "2001:db8::1", "2001:db8::2", 11, IF_IDS[6])
IN = xfrm.Policy("in", "10.244.3.0/24", "10.244.1.0/24", "192.0.2.3", "192.0.2.1", 11, IF_IDS[4])
SECURED = Observed(
    links={"flannel-ipsec": Link(3, "flannel-ipsec", "", 1423, IFF_UP, "xfrm", if_id=IF_IDS[4])},
    ipsec=Security(frozenset({OUT, SIX, IN}), (xfrm.State("192.0.2.1", "192.0.2.22", "c1", 11, IF_IDS[4], 0, 0),)),
)


def test_a_policy_tells_of_an_earlier_life() -> None:
    six = FamilyLease(ipaddress.ip_network("fd00:2::/64"), ipaddress.ip_address("2001:db8::9"))
    now = replace(lease("b", 2, "vxlan"), families=(*lease("b", 2, "vxlan").families, six))
    left = remains(SECURED, [now, lease("c", 3, "vxlan")])
    assert left.options == {"ipsec": {"udpencap": False}}
    (former,) = left.leases
    assert (former.node, former.backend) == ("b", "ipsec")
    assert [(str(f.subnet), str(f.public_ip)) for f in former.families] == [
        ("10.244.2.0/24", "192.0.2.22"),
        ("fd00:2::/64", "2001:db8::2"),
    ], "where its tunnel ends, not where its lease of this moment says"
    assert remains(SECURED, [lease("b", 2, "ipsec")]).leases == ()
    (state,) = SECURED.ipsec.states
    encap = replace(SECURED, ipsec=Security(states=(replace(state, encap=True),)))
    assert remains(encap, []).options == {"ipsec": {"udpencap": True}}


def test_a_successor_without_the_secret_keeps_the_tunnels() -> None:
    """The network is vxlan's by now, so that nobody knows the PSK; what the kernel has is what is wanted."""
    have = replace(SECURED, ipsec=replace(SECURED.ipsec, policies=frozenset({OUT})))
    now = lease("b", 2, "vxlan")
    left, transition = remains(have, [now]), Transition(15)
    transition.found(left)
    linger, former = transition.follow("vxlan", [now], 100)
    family = parse('{"Network": "10.244.0.0/16"}', frozenset(BACKENDS)).families
    config = NetworkConfig(family, "vxlan", {}, former=left.options)
    eth0 = Underlay("eth0", 2, 1500, (ipaddress.ip_interface("192.0.2.1/24"),))
    want = desired_state(config, Node(lease("a", 1, "vxlan"), eth0), [now], linger=linger, former=former)
    assert [xfrm_link.mtu for xfrm_link in want.xfrms] == [1423] and want.ipsec_ends == ()
    (peer,) = want.ipsec_peers
    assert OUT in policies_for(peer)
    assert not [r for r in want.routes if r.link == "flannel-ipsec" or r.kind == "blackhole"]


def test_a_successor_knows_what_was_found() -> None:
    transition = Transition(15)
    assert not transition.knows_its_past
    now = lease("b", 2, "host-gw")
    transition.found(Remains({"udp": {}}, (lease("b", 2, "vxlan"),)))
    linger, former = transition.follow("host-gw", [now, lease("x", 9, "nonsense")], 100)
    assert linger == {"host-gw", "udp"}
    assert [f.backend for f in former] == ["vxlan"]
    assert 14 < transition.look_again(101, waiting=False) < 14.1
    linger, former = transition.follow("host-gw", [now], 116)
    assert (linger, former) == (frozenset({"host-gw"}), ())


def device(name: str) -> Desired:
    link = VxlanLink(name, 1, 8472, "192.0.2.1", "eth0", 1450, MAC)
    return Desired(links=(link,), addresses=(LinkAddress(name, "10.244.1.0/32"),))


def test_a_device_that_gave_way_to_another_lingers() -> None:
    devices = Devices(15)
    one, two = device("flannel.1"), device("flannel.2")
    assert devices.follow(one, 0, used=True) == one
    assert devices.follow(two, 100, used=True) == merge((two, one))
    assert devices.ends_in(100) == 15
    assert devices.follow(two, 114, used=True) == merge((two, one))
    assert devices.follow(two, 116, used=True) == two
    assert devices.ends_in(116) == math.inf
    assert devices.follow(two, 120, used=False) == two, "the whole backend lingers"
    assert devices.follow(Desired(), 132, used=False) == Desired(), "and is not kept for longer"


def test_an_answer_is_looked_for_often_then_now_and_then() -> None:
    transition = Transition(15)
    transition.follow("bgp", [lease("b", 2, "vxlan")], 0)
    assert transition.look_again(0, waiting=False) == math.inf
    assert transition.look_again(10, waiting=True) == 0.1
    assert transition.look_again(20, waiting=True) == 0.1
    assert transition.look_again(30, waiting=True) == 2
    assert transition.look_again(31, waiting=False) == math.inf
