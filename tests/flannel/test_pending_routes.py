"""Routes that wait for their peers, whatever the old way and the new one are. Without a kernel."""

from dataclasses import replace

import pytest

from pybernetes.flannel.backends.ipsec.backend import IF_IDS
from pybernetes.flannel.backends.ipsec.policies import REQID, Security
from pybernetes.flannel.kernel.desired import (
    Desired,
    Forwarding,
    IpsecPeer,
    LearnedRoute,
    LinkAddress,
    Neighbour,
    PeerRoute,
    WireguardLink,
    WireguardPeer,
    XfrmLink,
)
from pybernetes.flannel.kernel.reconcile import Observed, plan_entries, plan_links, with_old_ways
from pybernetes.flannel.transition.pending_routes import hold
from pybernetes.linux import linkmsg, route, wireguard, xfrm
from pybernetes.linux.link import Link
from pybernetes.linux.wireguard import Endpoint

NOW = 1_000_000.0
DST, MAC, KEY = "10.244.2.0/24", "02:00:00:00:00:02", "AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE="


def link(name: str, kind: str, number: int, *, up: bool = True) -> Link:
    return Link(number, name, "", 1450, linkmsg.IFF_UP if up else 0, kind)


OLD = PeerRoute(DST, "10.244.2.0", "flannel.1", onlink=True)
NEIGHBOUR = Neighbour("flannel.1", "10.244.2.0", MAC)
FORWARDING = Forwarding("flannel.1", MAC, "192.0.2.2")
ADDRESS = LinkAddress("flannel.1", "10.244.1.0/32")
#: A network of vxlan, with another peer that has gone, amid a change to something else.
VXLAN = Observed(
    links={"flannel.1": link("flannel.1", "vxlan", 7), "eth0": link("eth0", "veth", 2)},
    routes=frozenset({OLD}),
    neighbours=frozenset({NEIGHBOUR, Neighbour("flannel.1", "10.244.9.0", "02:00:00:00:00:09")}),
    forwarding=frozenset({FORWARDING, Forwarding("flannel.1", "02:00:00:00:00:09", "192.0.2.9")}),
    addresses=frozenset({ADDRESS, LinkAddress("flannel-wg", "10.244.1.0/32")}),
)
UDP = Observed(
    links={"flannel0": link("flannel0", "tun", 7)}, routes=frozenset({PeerRoute("10.244.0.0/16", "", "flannel0")})
)

PEER = IpsecPeer("b", "192.0.2.1", "192.0.2.1", "192.0.2.2", "10.244.1.0/24", DST, "flannel-ipsec", IF_IDS[4])
WANTED = {
    "wireguard": Desired(
        wireguards=(WireguardLink("flannel-wg", 51820, 1420),),
        wireguard_peers=(WireguardPeer("flannel-wg", KEY, Endpoint("192.0.2.2", 51820), (DST,)),),
        routes=(PeerRoute(DST, "", "flannel-wg"),),
    ),
    "ipsec": Desired(
        xfrms=(XfrmLink("flannel-ipsec", IF_IDS[4], 1423),),
        ipsec_peers=(PEER,),
        routes=(PeerRoute(DST, "", "flannel-ipsec"), PeerRoute(DST, "", "", kind="blackhole")),
    ),
    "bgp": Desired(learned=(LearnedRoute(DST),)),
}
UNTIL = {
    "wireguard": "192.0.2.2:51820 answers on flannel-wg",
    "ipsec": "the tunnel to 192.0.2.2 stands",
    "bgp": "BIRD learns another",
}


def answered(kind: str, have: Observed) -> Observed:
    """As `have`, but the new way is there."""
    ends = ("192.0.2.1", "192.0.2.2")
    states = tuple(xfrm.State(*e, "c1", REQID, IF_IDS[4], int(NOW - 5), 0) for e in (ends, ends[::-1]))
    peers = (wireguard.Peer(KEY, last_handshake=1.0),)
    match kind:
        case "wireguard":
            return replace(have, wireguard={"flannel-wg": wireguard.Device("flannel-wg", peers=peers)})
        case "ipsec":
            return replace(have, ipsec=Security(states=states))
    return replace(have, learned=frozenset({route.Route(DST, gateway="192.0.2.2", device=2)}))


@pytest.fixture(params=sorted(WANTED))
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def test_the_old_way_stays_with_all_that_it_needs(kind: str) -> None:
    """Nothing else wants it any more: vxlan has lingered for its time."""
    want, waiting = with_old_ways(WANTED[kind], VXLAN, NOW)
    assert waiting == (f"route to {DST} stays on flannel.1 until {UNTIL[kind]}",)
    assert {r for r in want.routes if r.link} == {OLD}
    assert (want.neighbours, want.forwarding, want.addresses) == ((NEIGHBOUR,), (FORWARDING,), (ADDRESS,))
    assert plan_links(want, VXLAN).leave == ()


def test_what_stays_is_not_touched_and_the_rest_goes(kind: str) -> None:
    want, _ = with_old_ways(WANTED[kind], replace(VXLAN, addresses=frozenset({ADDRESS})), NOW)
    want = replace(want, routes=tuple(r for r in want.routes if r.link))
    done = [change.text for change in plan_entries(want, replace(VXLAN, addresses=frozenset({ADDRESS})))]
    assert done == [
        "forwarding of 02:00:00:00:00:09 to 192.0.2.9 removed",
        "neighbour 10.244.9.0 on flannel.1 removed",
    ]


def test_a_new_way_that_is_there_is_taken(kind: str) -> None:
    assert with_old_ways(WANTED[kind], answered(kind, VXLAN), NOW) == (WANTED[kind], ())


@pytest.mark.parametrize(
    "have",
    [
        Observed(),
        replace(VXLAN, links={}),
        replace(VXLAN, links={"flannel.1": link("flannel.1", "vxlan", 7, up=False)}),
        replace(VXLAN, routes=frozenset({PeerRoute(DST, "", "", kind="blackhole")})),
    ],
    ids=["a new network", "no link", "a link that is down", "only a blackhole"],
)
def test_who_has_nothing_to_lose_does_not_wait(kind: str, have: Observed) -> None:
    assert with_old_ways(WANTED[kind], have, NOW) == (WANTED[kind], ())


def test_a_peer_that_has_gone_is_not_held() -> None:
    assert with_old_ways(Desired(), VXLAN, NOW) == (Desired(), ())


@pytest.mark.parametrize("kind", ["wireguard", "ipsec"])
def test_a_route_that_has_moved_does_not_go_back(kind: str) -> None:
    """Not even when the tunnel breaks; of IPv6 the kernel may still have the old route as well."""
    moved = PeerRoute(DST, "", WANTED[kind].routes[0].link)
    links = {**VXLAN.links, moved.link: link(moved.link, kind, 8)}
    have = replace(VXLAN, links=links, routes=frozenset({OLD, moved}))
    assert with_old_ways(WANTED[kind], have, NOW) == (WANTED[kind], ())


def test_a_route_of_the_whole_network_is_an_old_way_too(kind: str) -> None:
    """That of udp: a narrower one, or a blackhole, would take packets from it."""
    (wide,) = UDP.routes
    want = replace(WANTED[kind], routes=(wide, *WANTED[kind].routes))
    held, waiting = with_old_ways(want, UDP, NOW)
    assert waiting == (f"route to {DST} stays on flannel0 until {UNTIL[kind]}",)
    assert held.routes == (wide,)
    assert with_old_ways(WANTED[kind], UDP, NOW) == (WANTED[kind], ()), "but not longer than its backend lingers"


def test_only_those_who_wait_are_greeted() -> None:
    other = WireguardPeer("flannel-wg", "other", Endpoint("192.0.2.3", 51820), ("10.244.3.0/24",), keepalive=25)
    want = WANTED["wireguard"]
    want = replace(want, wireguard_peers=(*want.wireguard_peers, other))
    held, _ = with_old_ways(want, VXLAN, NOW)
    assert [p.keepalive for p in held.wireguard_peers] == [1, 25]


def test_a_blackhole_stays_beside_the_route_that_it_guards() -> None:
    """Away from ipsec: nothing leaves in clear until the new way is there."""
    secured, guard = PeerRoute(DST, "", "flannel-ipsec"), PeerRoute(DST, "", "", kind="blackhole")
    have = Observed(links={"flannel-ipsec": link("flannel-ipsec", "xfrm", 7)}, routes=frozenset({secured, guard}))
    for kind in ("wireguard", "bgp"):
        want, (_,) = with_old_ways(WANTED[kind], have, NOW)
        assert set(want.routes) == {secured, guard}


def test_nobody_waits() -> None:
    want = WANTED["wireguard"]
    assert hold(want, VXLAN, {}) == (want, {})
    assert hold(want, VXLAN, {"10.244.77.0/24": "something happens"}) == (want, {}), "it was not reached before"


def test_families_are_kept_apart() -> None:
    (wide,) = UDP.routes
    want = Desired(routes=(wide,))
    held, waiting = hold(want, UDP, {DST: "x", "fd00:244:0:2::/64": "x"})
    assert held == want and list(waiting) == [DST]
