"""Routes that wait for their peers, from any backend to any other that needs an answer. Without a kernel."""

from dataclasses import replace

import pytest

from pybernetes.flannel.backends.ipsec.interface import IF_IDS, XfrmLink
from pybernetes.flannel.backends.ipsec.policies import REQID, IpsecPeer
from pybernetes.flannel.backends.wireguard.device import WireguardLink
from pybernetes.flannel.backends.wireguard.peers import WireguardPeer
from pybernetes.flannel.kernel.desired import Desired, Forwarding, LearnedRoute, LinkAddress, Neighbour, PeerRoute
from pybernetes.flannel.kernel.observed import Observed
from pybernetes.flannel.kernel.routes import DaemonRoute
from pybernetes.flannel.transition.pending_routes import hold, keep_old_routes
from pybernetes.linux import linkmsg, route, wireguard, xfrm
from pybernetes.linux.link import Link
from pybernetes.linux.wireguard import Endpoint

from .kinds import KINDS, seen

NOW = 1_000_000.0
DST, MAC, KEY = "10.244.2.0/24", "02:00:00:00:00:02", "AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE="


def link(name: str, kind: str, number: int, *, up: bool = True) -> Link:
    return Link(number, name, "", 1450, linkmsg.IFF_UP if up else 0, kind)


FLANNEL1, ETH0 = link("flannel.1", "vxlan", 7), link("eth0", "veth", 2)
OLD = PeerRoute(DST, "10.244.2.0", "flannel.1", onlink=True)
NEIGHBOUR = Neighbour("flannel.1", "10.244.2.0", MAC)
FORWARDING = Forwarding("flannel.1", MAC, "192.0.2.2")
ADDRESS = LinkAddress("flannel.1", "10.244.1.0/32")
#: The objects of the old backend that the peer needs, and the entries of another peer that has been removed.
ENTRIES = (
    NEIGHBOUR,
    FORWARDING,
    ADDRESS,
    Neighbour("flannel.1", "10.244.9.0", "02:00:00:00:00:09"),
    Forwarding("flannel.1", "02:00:00:00:00:09", "192.0.2.9"),
)
#: A network that is changing from vxlan to another backend.
VXLAN = seen(OLD, *ENTRIES, links=(FLANNEL1, ETH0))
WIDE = PeerRoute("10.244.0.0/16", "", "flannel0")
UDP = seen(WIDE, links=(link("flannel0", "tun", 7),))

PEER = IpsecPeer("b", "192.0.2.1", "192.0.2.1", "192.0.2.2", "10.244.1.0/24", DST, "flannel-ipsec", IF_IDS[4])
BLACKHOLE = PeerRoute(DST, "", "", kind="blackhole")
WANTED = {
    "wireguard": Desired(
        WireguardLink("flannel-wg", 51820, 1420),
        WireguardPeer("flannel-wg", KEY, Endpoint("192.0.2.2", 51820), (DST,)),
        PeerRoute(DST, "", "flannel-wg"),
    ),
    "ipsec": Desired(XfrmLink("flannel-ipsec", IF_IDS[4], 1423), PEER, PeerRoute(DST, "", "flannel-ipsec"), BLACKHOLE),
    "bgp": Desired(LearnedRoute(DST)),
}
UNTIL = {
    "wireguard": "192.0.2.2:51820 answers on flannel-wg",
    "ipsec": "the tunnel to 192.0.2.2 stands",
    "bgp": "BIRD learns another",
}


def answered(kind: str) -> Observed:
    """The old route exists, and the new one works."""
    ends = ("192.0.2.1", "192.0.2.2")
    states = [xfrm.State(*e, "c1", REQID, IF_IDS[4], int(NOW - 5), 0) for e in (ends, ends[::-1])]
    proof: dict[str, list[object]] = {
        "wireguard": [wireguard.Device("flannel-wg", peers=(wireguard.Peer(KEY, last_handshake=1.0),))],
        "ipsec": [*states],
        "bgp": [DaemonRoute(route.Route(DST, gateway="192.0.2.2", device=2))],
    }
    return seen(OLD, *ENTRIES, *proof[kind], links=(FLANNEL1, ETH0))


def aim(want: Desired, have: Observed) -> tuple[Desired, tuple[str, ...]]:
    return keep_old_routes(KINDS, want, have, NOW)


def changes(want: Desired, have: Observed) -> list[str]:
    return [change.text for kind in KINDS if kind.type not in NEW for change in kind.diff(want, have, NOW)]


#: Changes of the new backends, which these tests do not compare.
NEW = (WireguardLink, WireguardPeer, XfrmLink, IpsecPeer, LearnedRoute)


@pytest.fixture(params=sorted(WANTED))
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def test_the_old_route_stays_with_all_objects_that_it_needs(kind: str) -> None:
    """No backend desires it: vxlan's linger time is over."""
    want, waiting = aim(WANTED[kind], VXLAN)
    assert waiting == (f"route to {DST} stays on flannel.1 until {UNTIL[kind]}",)
    assert {r for r in want.routes if r.link} == {OLD}
    assert (want.neighbours, want.forwarding, want.addresses) == ((NEIGHBOUR,), (FORWARDING,), (ADDRESS,))


def test_only_objects_that_the_old_route_does_not_need_are_removed(kind: str) -> None:
    want, _ = aim(WANTED[kind], VXLAN)
    want = want.with_only(PeerRoute, [r for r in want.routes if r.link])
    assert sorted(changes(want, VXLAN)) == [
        "forwarding of 02:00:00:00:00:09 to 192.0.2.9 removed",
        "neighbour 10.244.9.0 on flannel.1 removed",
    ]


def test_a_new_route_that_works_is_used(kind: str) -> None:
    assert aim(WANTED[kind], answered(kind)) == (WANTED[kind], ())


@pytest.mark.parametrize(
    "have",
    [
        seen(),
        seen(OLD, *ENTRIES),
        seen(OLD, *ENTRIES, links=(link("flannel.1", "vxlan", 7, up=False),)),
        seen(BLACKHOLE, *ENTRIES, links=(FLANNEL1, ETH0)),
    ],
    ids=["a new network", "no link", "a link that is down", "only a blackhole"],
)
def test_a_destination_without_a_working_route_does_not_wait(kind: str, have: Observed) -> None:
    assert aim(WANTED[kind], have) == (WANTED[kind], ())


def test_the_route_to_a_removed_peer_is_not_kept() -> None:
    assert aim(Desired(), VXLAN) == (Desired(), ())


@pytest.mark.parametrize("kind", ["wireguard", "ipsec"])
def test_a_switched_route_does_not_switch_back(kind: str) -> None:
    """Not even when the tunnel breaks; for IPv6 the kernel may still have the old route as well."""
    moved = PeerRoute(DST, "", WANTED[kind].routes[0].link)
    have = seen(OLD, moved, *ENTRIES, links=(FLANNEL1, ETH0, link(moved.link, kind, 8)))
    assert aim(WANTED[kind], have) == (WANTED[kind], ())


def test_a_route_to_the_pod_network_is_kept_too(kind: str) -> None:
    """The route of udp: a more specific route, or a blackhole, would take its packets."""
    want = WANTED[kind].with_only(PeerRoute, [WIDE, *WANTED[kind].routes])
    held, waiting = aim(want, UDP)
    assert waiting == (f"route to {DST} stays on flannel0 until {UNTIL[kind]}",)
    assert held.routes == (WIDE,)
    assert aim(WANTED[kind], UDP) == (WANTED[kind], ()), "but only for its backend's linger time"


def test_only_peers_whose_routes_wait_are_prompted() -> None:
    other = WireguardPeer("flannel-wg", "other", Endpoint("192.0.2.3", 51820), ("10.244.3.0/24",), keepalive=25)
    want = WANTED["wireguard"]
    want = want.with_only(WireguardPeer, [*want.of(WireguardPeer), other])
    held, _ = aim(want, VXLAN)
    assert [p.keepalive for p in held.of(WireguardPeer)] == [1, 25]


def test_a_blackhole_stays_with_the_route_that_it_protects() -> None:
    """From ipsec to another backend: nothing is sent unencrypted until the new route works."""
    secured = PeerRoute(DST, "", "flannel-ipsec")
    have = seen(secured, BLACKHOLE, links=(link("flannel-ipsec", "xfrm", 7),))
    for kind in ("wireguard", "bgp"):
        want, (_,) = aim(WANTED[kind], have)
        assert set(want.routes) == {secured, BLACKHOLE}


def test_nothing_is_kept_if_nothing_waits() -> None:
    want = WANTED["wireguard"]
    assert hold(want, VXLAN, {}) == (want, {})
    assert hold(want, VXLAN, {"10.244.77.0/24": "something happens"}) == (want, {}), "it was not reached before"


def test_families_are_independent() -> None:
    want = Desired(WIDE)
    held, waiting = hold(want, UDP, {DST: "x", "fd00:244:0:2::/64": "x"})
    assert held == want and list(waiting) == [DST]


def test_a_device_stays_while_routes_use_it() -> None:
    want, _ = aim(WANTED["bgp"], VXLAN)
    assert not [text for text in changes(want, VXLAN) if text.startswith("link ")]
    assert "link flannel.1 removed: no peer needs it" in changes(Desired(), replace(VXLAN, objects={}))
