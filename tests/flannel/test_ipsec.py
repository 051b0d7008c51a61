"""The ipsec backend without charon: options, kernel objects, charon's configuration, routes that wait."""

import ipaddress
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pybernetes.flannel.backends import BACKENDS, make
from pybernetes.flannel.backends.ipsec import charon
from pybernetes.flannel.backends.ipsec.actor import CharonActor
from pybernetes.flannel.backends.ipsec.backend import Ipsec
from pybernetes.flannel.backends.ipsec.connections import (
    Tunnel,
    connection,
    goes_first,
    name_of,
    reason,
    shared,
    tunnels,
)
from pybernetes.flannel.backends.ipsec.interface import IF_IDS, XfrmLink
from pybernetes.flannel.backends.ipsec.policies import REQID, IpsecEnd, IpsecPeer, Policies, policies_for
from pybernetes.flannel.backends.ipsec.tunnels import outlived
from pybernetes.flannel.backends.ipsec.vici import Message
from pybernetes.flannel.config import ConfigError, NetworkConfig
from pybernetes.flannel.config import parse as parse_config
from pybernetes.flannel.kernel.desired import Desired, LinkAddress, PeerRoute
from pybernetes.flannel.leases.lease import FamilyLease, Lease, LeaseError, Node, Underlay
from pybernetes.flannel.network import desired_state, mtu
from pybernetes.linux import xfrm
from pybernetes.linux.errors import ProtocolError

from .kinds import seen

PSK = "0123456789abcdef" * 6
ETH0 = Underlay("eth0", 2, 1500, (ipaddress.ip_interface("192.0.2.1/24"), ipaddress.ip_interface("2001:db8::1/64")))
PEER = IpsecPeer(
    "b", "192.0.2.1", "192.0.2.1", "192.0.2.2", "10.244.1.0/24", "10.244.2.0/24", "flannel-ipsec", IF_IDS[4]
)


def lease(node: str, n: int, backend: str = "ipsec", public: str = "") -> Lease:
    subnet = ipaddress.ip_network(f"10.244.{n}.0/24")
    return Lease(node, backend, (FamilyLease(subnet, ipaddress.ip_address(public or f"192.0.2.{n}")),))


def config(backend: str = "ipsec", former: dict[str, Any] | None = None, **options: Any) -> NetworkConfig:
    family = parse_config('{"Network": "10.244.0.0/16"}', frozenset(BACKENDS)).families
    if backend == "ipsec":
        options = {"PSK": PSK, **options}
    return NetworkConfig(family, backend, {key.lower(): value for key, value in options.items()}, former=former or {})


# -- options ---------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({}, r"Backend\.PSK must be a string of at least 96 characters; found none"),
        ({"PSK": "top-secret"}, r"Backend\.PSK must be a string of at least 96 characters; found 10, which are not"),
        ({"PSK": 4711}, r"Backend\.PSK must be a string of at least 96 characters; found something else"),
        ({"PSK": ["top-secret"]}, "found something else, which is not shown"),
        ({"PSK": "\ud800" * 96}, "that can be written as UTF-8"),
        ({"PSK": "top-secret" * 7000}, r"Backend\.PSK must have at most 65535 bytes; found 70000"),
        ({"PSK": PSK, "UDPEncap": "yes"}, r"Backend\.UDPEncap must be true or false, found 'yes'"),
        ({"PSK": PSK, "ESPProposal": 1}, r"Backend\.ESPProposal must be such as aes128gcm16-.*, found 1"),
        ({"PSK": PSK, "ESPProposal": "aes128 sha1"}, r"found 'aes128 sha1'"),
        ({"PSK": PSK, "ESPProposal": "aes128\nsha1"}, "found"),
    ],
)
def test_bad_options_are_refused_without_showing_secrets(options: dict[str, Any], says: str) -> None:
    with pytest.raises(ConfigError, match=says) as refused:
        make("ipsec", {key.lower(): value for key, value in options.items()})
    assert "top-secret" not in str(refused.value) and PSK not in str(refused.value)


@given(
    st.dictionaries(
        st.sampled_from(["psk", "udpencap", "espproposal"]),
        st.none() | st.booleans() | st.integers() | st.text(max_size=120) | st.lists(st.text(), max_size=2),
    )
)
def test_any_options_make_a_backend_or_a_config_error(options: dict[str, Any]) -> None:
    try:
        made = make("ipsec", options)
    except ConfigError:
        return
    assert made.overhead(4) >= 77


@pytest.mark.parametrize(
    ("options", "overhead"),
    [
        ({}, 77),
        ({"UDPEncap": True}, 85),
        ({"ESPProposal": "aes256-sha512-ecp256"}, 93),
        ({"ESPProposal": "aes256-sha384", "UDPEncap": True}, 93),
    ],
)
def test_the_mtu_leaves_room(options: dict[str, Any], overhead: int) -> None:
    assert mtu(config(**options), ETH0) == 1500 - overhead
    assert make("ipsec", config(**options).options).overhead(6) == overhead + 20


# -- the desired state -----------------------------------------------------------------------------------
def test_the_desired_state() -> None:
    want = desired_state(config(), Node(lease("me", 1), ETH0), [lease("b", 2)], linger=frozenset())
    assert want.of(XfrmLink) == (XfrmLink("flannel-ipsec", IF_IDS[4], 1423),)
    assert want.addresses == (LinkAddress("flannel-ipsec", "10.244.1.0/32"),)
    assert want.of(IpsecEnd) == (IpsecEnd(PSK, "aes128gcm16-sha256-prfsha256-ecp256", False),)
    assert want.of(IpsecPeer) == (PEER,)
    assert want.routes == (
        PeerRoute("10.244.2.0/24", "", "flannel-ipsec"),
        PeerRoute("10.244.2.0/24", "", "", kind="blackhole"),
    )
    assert want.problems == () and PSK not in repr(want)
    assert Ipsec({"psk": PSK}).announce(4, {}) == {}


def test_behind_nat_the_tunnel_ends_at_the_interface() -> None:
    want = desired_state(
        config(), Node(lease("me", 1, public="203.0.113.7"), ETH0), [lease("b", 2)], linger=frozenset()
    )
    (peer,) = want.of(IpsecPeer)
    assert (peer.local, peer.identity) == ("192.0.2.1", "203.0.113.7")


def test_a_tunnel_to_a_peer_that_switched_first_uses_the_former_secret() -> None:
    want = desired_state(config("vxlan"), Node(lease("me", 1, "vxlan"), ETH0), [lease("b", 2)], linger=frozenset())
    assert want.of(IpsecEnd) == () and want.of(IpsecPeer) == (PEER,)
    former = config("vxlan", former={"ipsec": {"psk": PSK}})
    want = desired_state(former, Node(lease("me", 1, "vxlan"), ETH0), [lease("b", 2)], linger=frozenset())
    assert [end.psk for end in want.of(IpsecEnd)] == [PSK], "the secret of the previous config"


# -- routes that wait ------------------------------------------------------------------------------------
NOW = 1_000_000.0
WANT = Desired(PEER, PeerRoute("10.244.2.0/24", "", "flannel-ipsec"))


def state(src: str, dst: str, age: float) -> xfrm.State:
    return xfrm.State(src, dst, "c0000001", REQID, IF_IDS[4], int(NOW - age), 0)


OUT, IN = ("192.0.2.1", "192.0.2.2"), ("192.0.2.2", "192.0.2.1")


@pytest.mark.parametrize(
    ("states", "waits"),
    [
        ((), True),
        ((state(*OUT, 5),), True),
        ((state(*OUT, 5), state(*IN, 0)), True),
        ((state(*OUT, 5), state(*IN, 5)), False),
    ],
    ids=["no tunnel", "half a tunnel", "a new tunnel", "a tunnel"],
)
def test_routes_that_wait_for_their_tunnel(states: tuple[xfrm.State, ...], waits: bool) -> None:
    found = Policies().pending(WANT, seen(*states), NOW)
    assert found == ({"10.244.2.0/24": "the tunnel to 192.0.2.2 stands"} if waits else {})


# -- policies as netlink has them ------------------------------------------------------------------------
def test_policies_decode_to_what_was_encoded() -> None:
    for policy in policies_for(PEER):
        assert xfrm._decode_policy(xfrm.encode_policy(policy)) == policy
    six = IpsecPeer("b", "2001:db8::1", "x", "2001:db8::2", "fd00:1::/64", "fd00:2::/64", "flannel-ipsec6", 9)
    assert {xfrm._decode_policy(xfrm.encode_policy(p)) for p in policies_for(six)} == set(policies_for(six))


@given(st.binary(max_size=400))
def test_garbage_from_netlink_is_a_protocol_error(data: bytes) -> None:
    for decode in (xfrm.decode_state, xfrm._decode_policy):
        try:
            decode(data)
        except ProtocolError:
            continue


# -- charon's configuration ------------------------------------------------------------------------------
def test_connections() -> None:
    end = IpsecEnd(PSK, "aes128gcm16", True)
    assert shared(end, PEER)["owners"] == ["192.0.2.1", "192.0.2.2"]
    made = json.loads(json.dumps(connection(end, PEER)))[name_of(PEER)]
    assert (made["local_addrs"], made["remote_addrs"], made["encap"]) == (["192.0.2.1"], ["192.0.2.2"], "yes")
    assert "aes256-sha256-modp4096" in made["proposals"], "Go flannel's"
    (child,) = made["children"].values()
    assert (child["local_ts"], child["remote_ts"]) == (["10.244.1.0/24"], ["10.244.2.0/24"])
    assert child["esp_proposals"] == ["aes128gcm16"] and child["policies"] == "no"
    assert PSK not in json.dumps(made) and PSK not in repr(end)


def test_one_of_two_nodes_is_the_initiator() -> None:
    other = IpsecPeer("a", "192.0.2.2", "192.0.2.2", "192.0.2.1", PEER.far, PEER.near, PEER.link, PEER.if_id)
    assert goes_first(PEER) and not goes_first(other)


def test_which_tunnels_are_established() -> None:
    child: Message = {"state": "INSTALLED", "spi-in": "c1", "spi-out": "c2"}
    events: list[Message] = [
        {"flannel-192.0.2.2": {"uniqueid": "7", "child-sas": {"x-1": child, "x-2": {**child, "state": "DELETING"}}}},
        {"flannel-192.0.2.3": {"uniqueid": "8", "state": "CONNECTING"}},
        {"garbage": "text", "more": ["of", "it"]},
    ]
    (found,) = tunnels(events)
    assert (found.connection, found.ike, found.spis) == ("flannel-192.0.2.2", "7", ("c1", "c2"))


def test_outlived_tunnels() -> None:
    """Ages in seconds: the peer of 1 and 2 restarted twice; 4 and 5 began at both ends at the same time."""
    listed = [Tunnel("b", "1", ("a1", "a2")), Tunnel("b", "2", ("b1", "b2")), Tunnel("b", "3", ("c1", "c2"))]
    listed += [Tunnel("c", "4", ("d1", "d2")), Tunnel("c", "5", ("e1", "e2")), Tunnel("c", "6", ("gone", "f2"))]
    ages = {"a": 100, "b": 50, "c": 9, "d": 30, "e": 28, "f": 200}
    states = [replace(state(*OUT, age), spi=f"{name}{n}") for name, age in ages.items() for n in (1, 2)]
    assert outlived(listed, states, NOW) == ["1", "2"]
    assert outlived(listed, states, NOW - 5) == [], "the youngest is not old enough to replace the others"


@pytest.mark.parametrize(
    ("lines", "says"),
    [
        (["received AUTHENTICATION_FAILED notify error", "establishing failed"], "the same Backend.PSK"),
        (["received NO_PROPOSAL_CHOSEN notify error"], "compare Backend.ESPProposal"),
        (["giving up after 5 retransmits"], "does not answer on UDP port 500 or 4500"),
        (["something new", ""], "charon says: something new"),
        ([], "charon gives no reason"),
    ],
)
def test_why_there_is_no_tunnel(lines: list[str], says: str) -> None:
    assert says in reason(lines)


def test_charons_config(tmp_path: Path) -> None:
    text = charon.render(tmp_path)
    assert f'socket = "unix://{tmp_path}/charon.vici"' in text
    assert text.count("{") == text.count("}")
    with pytest.raises(ValueError, match="quotation mark"):
        charon.render(Path('/tmp/a"b'))


async def test_a_missing_strongswan_is_reported(tmp_path: Path) -> None:
    made = CharonActor(tmp_path / "charon", search=str(tmp_path))
    with pytest.raises(LeaseError, match="apt-get install charon-systemd libstrongswan-standard-plugins"):
        await made.prepare(config())
    assert await made.prepare(config("vxlan")) == {}
    assert not (tmp_path / "charon").exists()
