"""The ipip and wireguard backends. Without a kernel that supports them."""

import base64
import ipaddress
import json
import os
import stat
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pybernetes.flannel.backends import BACKENDS, kernel_kinds, make
from pybernetes.flannel.backends.ipip import IpipLink
from pybernetes.flannel.backends.wireguard.device import WireguardDevices, WireguardLink
from pybernetes.flannel.backends.wireguard.key_file import KeyFile, default_path, public_of
from pybernetes.flannel.backends.wireguard.peers import WireguardPeer, WireguardPeers
from pybernetes.flannel.config import ConfigError, parse
from pybernetes.flannel.kernel.desired import Desired
from pybernetes.flannel.leases.lease import FamilyLease, Lease, Node, Underlay
from pybernetes.flannel.network import desired_state, mtu
from pybernetes.flannel.options import FlannelOptions
from pybernetes.flannel.reconciler import reconcile
from pybernetes.flannel.transition.transition import FormerLeases
from pybernetes.linux import link, netns, wireguard
from pybernetes.linux.link import Link
from pybernetes.linux.linkmsg import IFF_UP
from pybernetes.linux.rtnl import Netlink
from pybernetes.linux.wireguard import Endpoint, Peer

from .kinds import seen

ETH0 = Underlay("eth0", 2, 1500, (ipaddress.ip_interface("192.0.2.1/24"), ipaddress.ip_interface("2001:db8::1/64")))
KEYS = [base64.b64encode(bytes([n]) * 32).decode() for n in range(1, 9)]
PSK = KEYS[7]
NETWORK = {"Network": "10.244.0.0/16", "EnableIPv6": True, "IPv6Network": "fd00:244::/48"}


def lease(node: str, n: int, backend: str, public: str = "", **data: Any) -> Lease:
    facts = data or ({"PublicKey": KEYS[n]} if backend == "wireguard" else {})
    v4, v6 = ipaddress.ip_address(public or f"192.0.2.{n}"), ipaddress.ip_address(f"2001:db8::{n}")
    subnets = ipaddress.ip_network(f"10.244.{n}.0/24"), ipaddress.ip_network(f"fd00:244:0:{n}::/64")
    return Lease(node, backend, (FamilyLease(subnets[0], v4, facts), FamilyLease(subnets[1], v6, facts)))


def state(backend: dict[str, Any], *peers: Lease, own: Lease | None = None, former: tuple[Lease, ...] = ()) -> Desired:
    config = parse(json.dumps({**NETWORK, "Backend": backend}), frozenset(BACKENDS))
    node = Node(own or lease("me", 1, backend["Type"]), ETH0)
    return desired_state(config, node, peers, linger=frozenset(), former=former)


def test_ipip_reaches_a_peer_over_ipv4() -> None:
    want = state({"Type": "ipip"}, lease("b", 2, "ipip"))
    ((tunnel,), (route,)) = (want.of(IpipLink), want.routes)
    assert (tunnel.name, tunnel.local, tunnel.mtu) == ("flannel.ipip", "192.0.2.1", 1480)
    assert (route.dst, route.gateway, route.link, route.onlink) == ("10.244.2.0/24", "192.0.2.2", "flannel.ipip", True)
    assert [(a.link, a.cidr) for a in want.addresses] == [("flannel.ipip", "10.244.1.0/32")]
    assert "carries IPv4 only" in want.problems[0]


def test_ipip_direct_routing_only_to_the_same_segment() -> None:
    far = lease("c", 3, "ipip", public="198.51.100.3")
    want = state({"Type": "ipip", "DirectRouting": True}, lease("b", 2, "ipip"), far)
    assert {(r.gateway, r.link, r.onlink) for r in want.routes} == {
        ("192.0.2.2", "eth0", False),
        ("198.51.100.3", "flannel.ipip", True),
    }


def test_wireguard_has_a_device_for_each_family() -> None:
    want = state({"Type": "wireguard", "PSK": PSK, "PersistentKeepaliveInterval": 25}, lease("b", 2, "wireguard"))
    assert [(w.name, w.port, w.mtu) for w in want.of(WireguardLink)] == [
        ("flannel-wg", 51820, 1420),
        ("flannel-wg-v6", 51821, 1420),
    ]
    assert [(p.link, str(p.endpoint), p.allowed) for p in want.of(WireguardPeer)] == [
        ("flannel-wg", "192.0.2.2:51820", ("10.244.2.0/24",)),
        ("flannel-wg-v6", "[2001:db8::2]:51821", ("fd00:244:0:2::/64",)),
    ]
    assert {(p.public_key, p.psk, p.keepalive) for p in want.of(WireguardPeer)} == {(KEYS[2], PSK, 25)}
    assert {(r.dst, r.gateway, r.link) for r in want.routes} == {
        ("10.244.2.0/24", "", "flannel-wg"),
        ("fd00:244:0:2::/64", "", "flannel-wg-v6"),
    }
    assert PSK not in repr(want)


@pytest.mark.parametrize(
    ("mode", "endpoint"),
    [("auto", "192.0.2.2:51820"), ("ipv4", "192.0.2.2:51820"), ("ipv6", "[2001:db8::2]:51820")],
)
def test_wireguard_with_one_device_for_both_families(mode: str, endpoint: str) -> None:
    want = state({"Type": "wireguard", "Mode": mode}, lease("b", 2, "wireguard"))
    assert [w.name for w in want.of(WireguardLink)] == ["flannel-wg"]
    (peer,) = want.of(WireguardPeer)
    assert (str(peer.endpoint), peer.allowed) == (endpoint, ("10.244.2.0/24", "fd00:244:0:2::/64"))
    assert {r.link for r in want.routes} == {"flannel-wg"}
    assert len(want.addresses) == 2


def test_the_pods_mtu() -> None:
    sizes = {}
    for kind in ("ipip", "wireguard"):
        config = parse(json.dumps({"Network": "10.244.0.0/16", "Backend": {"Type": kind}}), frozenset(BACKENDS))
        sizes[kind] = mtu(config, ETH0)
    assert sizes == {"ipip": 1480, "wireguard": 1420}


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"mode": "both"}, "Backend.Mode must be one of separate, auto, ipv4, ipv6"),
        ({"psk": "hunter2"}, "Backend.PSK must be base64 of 32 bytes"),
        ({"psk": 7}, "Backend.PSK must be base64"),
        ({"listenport": 70000}, "Backend.ListenPort must lie between"),
        ({"listenport": 51821}, "must differ"),
        ({"persistentkeepaliveinterval": -1}, "PersistentKeepaliveInterval must lie between"),
    ],
)
def test_bad_options_are_refused(options: dict[str, Any], says: str) -> None:
    with pytest.raises(ConfigError, match=says) as refused:
        make("wireguard", options)
    assert "hunter2" not in str(refused.value)


@pytest.mark.parametrize("key", ["", "short", 7, None, ["x"], KEYS[1] + "=", base64.b64encode(bytes(32)).decode()])
def test_a_lease_without_a_usable_key_is_reported(key: object) -> None:
    want = state({"Type": "wireguard"}, lease("b", 2, "wireguard", PublicKey=key))
    assert not want.of(WireguardPeer) and not want.routes
    assert "no usable PublicKey" in want.problems[0]


def test_one_key_on_two_nodes_is_reported() -> None:
    twins = [lease(n, i, "wireguard", PublicKey=KEYS[5]) for n, i in (("b", 2), ("c", 3))]
    assert any("c has the PublicKey of b" in p for p in state({"Type": "wireguard"}, *twins).problems)
    mirror = lease("b", 2, "wireguard", PublicKey=KEYS[1])
    assert any("is our own" in p for p in state({"Type": "wireguard"}, mirror).problems)


def test_the_former_backend_of_a_peer_stays_for_packets_in_flight() -> None:
    now, before = lease("b", 2, "ipip"), lease("b", 2, "wireguard")
    others = lease("c", 3, "wireguard")
    want = state({"Type": "ipip"}, now, others, former=(before,))
    assert {p.public_key for p in want.of(WireguardPeer)} == {KEYS[2], KEYS[3]}
    assert {(r.dst, r.link) for r in want.routes if r.dst.startswith("10.244.2.")} == {
        ("10.244.2.0/24", "flannel.ipip")
    }


def test_former_leases_are_dropped_after_a_time() -> None:
    former = FormerLeases(15)
    old, new = lease("b", 2, "vxlan", VNI=1), lease("b", 2, "ipip")
    assert former.follow([old], 0, own="ipip") == ()
    assert former.follow([new], 1, own="ipip") == (old,)
    assert former.follow([new], 15.5, own="ipip") == (old,)
    assert former.follow([new], 16.5, own="ipip") == ()
    assert former.follow([old], 17, own="vxlan") == (new,)
    assert former.follow([], 18, own="vxlan") == ()


def test_a_former_lease_is_kept_while_its_backend_is_our_own() -> None:
    """The peer reaches us by the backend that we announce."""
    former = FormerLeases(15)
    old, new = lease("b", 2, "wireguard"), lease("b", 2, "ipip")
    former.follow([old], 0, own="wireguard")
    for now in (1, 100, 1000):
        assert former.follow([new], now, own="wireguard") == (old,)
    assert former.follow([new], 1014, own="ipip") == (old,)
    assert former.follow([new], 1016, own="ipip") == ()


# -- peers -----------------------------------------------------------------------------------------------
def test_routes_that_wait_until_their_peer_has_answered() -> None:
    want = state({"Type": "wireguard"}, lease("b", 2, "wireguard"))
    waiting = PEERS.pending(want, seen(), 0)
    assert waiting["10.244.2.0/24"] == "192.0.2.2:51820 answers on flannel-wg"
    prompted = PEERS.prompt(want, {"10.244.2.0/24"})
    assert {p.link: p.keepalive for p in prompted.of(WireguardPeer)} == {"flannel-wg": 1, "flannel-wg-v6": 0}
    answered = wireguard.Device("flannel-wg", peers=(Peer(KEYS[2], last_handshake=1.0),))
    assert list(PEERS.pending(want, seen(answered), 0)) == ["fd00:244:0:2::/64"]
    assert PEERS.prompt(want, ()) is want


PEERS = WireguardPeers()


def planned(*known: Peer, now: float = 1000.0) -> tuple[tuple[Peer, ...], tuple[str, ...]]:
    """The peers to set, and the keys of those to remove."""
    want = state({"Type": "wireguard", "Mode": "auto"}, lease("b", 2, "wireguard"))
    device = wireguard.Device("flannel-wg", private_key=KEYS[1], listen_port=51820, peers=known)
    actions = [change.action for change in PEERS.diff(want, seen(device), now)]
    return tuple(p for action in actions for p in action.set), tuple(key for action in actions for key in action.remove)


RIGHT = Peer(KEYS[2], Endpoint("192.0.2.2", 51820), frozenset({"10.244.2.0/24", "fd00:244:0:2::/64"}))


def test_peers_are_compared() -> None:
    assert planned(RIGHT) == ((), ())
    assert planned() == ((RIGHT,), ())
    assert planned(RIGHT, Peer(KEYS[3])) == ((), (KEYS[3],))
    assert planned(Peer(KEYS[2], RIGHT.endpoint, frozenset({"0.0.0.0/0"}))) == ((RIGHT,), ())


def test_a_device_with_another_key_or_port_is_configured_again() -> None:
    want = state({"Type": "wireguard", "Mode": "auto"}, lease("b", 2, "wireguard"))
    device = wireguard.Device("flannel-wg", private_key=KEYS[1], listen_port=51820)
    link = Link(7, "flannel-wg", "", 1420, IFF_UP, "wireguard")
    for key, port, changed in ((1, 51820, False), (2, 51820, True), (1, 51999, True)):
        have = seen(replace(device, private_key=KEYS[key], listen_port=port), links=(link,))
        found = [c.text for c in WireguardDevices(lambda: KEYS[1]).diff(want, have, 0)]
        assert ("key and port 51820 of flannel-wg set" in found) == changed


def test_a_peer_behind_nat_keeps_the_address_it_comes_from_while_it_talks() -> None:
    roamed = Peer(RIGHT.public_key, Endpoint("203.0.113.9", 4242), RIGHT.allowed, last_handshake=900.0)
    assert planned(roamed, now=1000) == ((), ())
    assert planned(roamed, now=1100) == ((RIGHT,), ())


# -- the key ---------------------------------------------------------------------------------------------
def test_the_key_is_made_once_and_only_root_can_read_it(tmp_path: Path) -> None:
    path = tmp_path / "flannel" / "wgkey"
    key = KeyFile(path).private()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert KeyFile(path).private() == key
    assert KeyFile(path).public() == public_of(key) != key
    assert os.listdir(path.parent) == ["wgkey"]


@pytest.mark.parametrize("content", [b"", b"nonsense", b"\xff\xfe", b"A" * 44])
def test_a_malformed_key_file_is_an_error_that_names_the_fix(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "wgkey"
    path.write_bytes(content)
    with pytest.raises(ConfigError, match="remove it, and a new one is made"):
        KeyFile(path).private()
    assert path.read_bytes() == content


def test_where_the_key_is() -> None:
    assert default_path({}, Path("/run/flannel")) == Path("/run/flannel/wgkey")
    assert default_path({"WIREGUARD_KEY_FILE": "/etc/wg"}, Path("/run/flannel")) == Path("/etc/wg")


# -- a kernel without the modules --------------------------------------------------------------------------
@pytest.mark.kernel
@pytest.mark.parametrize("kind", ["ipip", "wireguard"])
def test_a_missing_kernel_module_is_reported_by_name(kind: str, tmp_path: Path) -> None:
    name = f"pbt-{os.getpid()}-tun"
    options = FlannelOptions(node_name="a", wireguard_key=tmp_path / "wgkey")
    netns.create(name)
    try:
        want = state({"Type": kind}, lease("b", 2, kind))
        with Netlink(name) as nl:
            outcome = reconcile(nl, kernel_kinds(options), want, 0)
            made = {li.name for li in link.links(nl)}
    finally:
        netns.delete(name)
    if "flannel" in " ".join(made):  # this kernel has the module
        assert outcome.errors == ()
        return
    assert f"this kernel lacks the module {kind}: load it ('modprobe {kind}')" in outcome.errors[0]
