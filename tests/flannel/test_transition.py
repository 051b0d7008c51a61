"""What stays during a change of backend, without a kernel."""

import ipaddress
import math

from pybernetes.flannel.desired import Desired, Forwarding, LinkAddress, Neighbour, VxlanLink, merge
from pybernetes.flannel.kernel import Observed
from pybernetes.flannel.lease import FamilyLease, Lease
from pybernetes.flannel.remains import Remains, remains
from pybernetes.flannel.transition import Devices, Lingering, Transition
from pybernetes.linux import wireguard
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


def test_while_routes_wait_nothing_goes_but_not_for_ever() -> None:
    lingering = Lingering(15, patience=100)
    lingering.follow({"vxlan"}, 0)
    for now in (1, 20, 50, 90):
        assert lingering.follow({"bgp"}, now, waiting=True) == {"vxlan", "bgp"}
    assert lingering.follow({"bgp"}, 104, waiting=True) == {"vxlan", "bgp"}
    assert lingering.follow({"bgp"}, 106, waiting=True) == {"bgp"}, "a peer that is dead is not waited for"
    lingering.follow({"udp"}, 200)
    assert lingering.follow({"udp"}, 210, waiting=True) == {"bgp", "udp"}, "a new wait has its own time"
    assert lingering.follow({"udp"}, 224, waiting=False) == {"bgp", "udp"}
    assert lingering.follow({"udp"}, 226) == {"udp"}


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
