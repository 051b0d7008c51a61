"""WireGuard's and IPIP's messages: encoded and decoded, also malformed ones."""

from __future__ import annotations

import base64
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pybernetes.linux import genl, link, linkmsg, rtnl, wireguard
from pybernetes.linux.errors import ProtocolError
from pybernetes.linux.wireguard import Device, Endpoint, Peer

keys = st.binary(min_size=32, max_size=32).filter(any).map(lambda raw: base64.b64encode(raw).decode())
networks = st.one_of(
    st.tuples(st.integers(0, 2**24 - 1)).map(lambda n: f"{n[0] >> 16}.{n[0] >> 8 & 255}.{n[0] & 255}.0/24"),
    st.integers(1, 2**16 - 1).map(lambda n: f"fd00:{n:x}::/64"),
)
endpoints = st.builds(Endpoint, st.sampled_from(["192.0.2.7", "2001:db8::7"]), st.integers(1, 65535))
peers = st.builds(
    Peer,
    public_key=keys,
    endpoint=st.none() | endpoints,
    allowed=st.frozensets(networks, max_size=5),
    keepalive=st.integers(0, 65535),
    psk=st.just("") | keys,
)


def message(*attrs: bytes) -> bytes:
    return genl.header(0) + b"".join(attrs)


@given(peer=peers)
def test_a_peer_survives_encoding_and_decoding(peer: Peer) -> None:
    ((_, body),) = rtnl.iter_attrs(wireguard.encode_peer(peer))
    assert wireguard.decode_peer(body) == peer


@given(first=peers, second=peers, more=st.frozensets(networks, max_size=3))
def test_a_listing_in_several_messages(first: Peer, second: Peer, more: frozenset[str]) -> None:
    head = message(rtnl.text(2, "wg0"), rtnl.u16(6, 51820), rtnl.nested(8, wireguard.encode_peer(first)))
    rest = Peer(first.public_key, allowed=more)
    tail = message(rtnl.nested(8, wireguard.encode_peer(rest), wireguard.encode_peer(second)))
    device = wireguard.decode([head, tail])
    assert (device.name, device.listen_port) == ("wg0", 51820)
    joined = device.peer(first.public_key)
    assert joined is not None
    if first.public_key != second.public_key:
        assert joined.allowed == first.allowed | more
        assert device.peer(second.public_key) == second


DECODERS: list[Callable[[bytes], object]] = [
    wireguard.decode_peer,
    genl.attributes,
    lambda data: wireguard.decode([data]),
    lambda data: wireguard.decode([message(rtnl.nested(8, rtnl.nested(0, data)))]),
    lambda data: wireguard.decode([message(rtnl.nested(8, rtnl.nested(0, rtnl.attr(9, data))))]),
    lambda data: wireguard.decode([message(rtnl.nested(8, rtnl.nested(0, rtnl.attr(4, data), rtnl.attr(6, data))))]),
    lambda data: link.decode(
        linkmsg.header() + rtnl.nested(18, rtnl.text(1, "ipip"), rtnl.nested(2, rtnl.attr(2, data), rtnl.attr(1, data)))
    ),
]


@pytest.mark.parametrize("decode", DECODERS)
@given(data=st.binary(max_size=120))
def test_garbage_gives_a_value_or_a_protocol_error(decode: Callable[[bytes], object], data: bytes) -> None:
    try:
        decode(data)
    except ProtocolError:
        pass


@pytest.mark.parametrize("bad", ["", "x", "c2hvcnQ=", "A" * 44, "ä" * 44, base64.b64encode(bytes(33)).decode()])
def test_errors_do_not_contain_the_key(bad: str) -> None:
    with pytest.raises(ValueError) as refused:
        wireguard.key_bytes(bad)
    assert not bad or bad == "x" or bad not in str(refused.value)


def test_secrets_are_not_shown() -> None:
    secret = base64.b64encode(bytes(range(32))).decode()
    assert secret not in repr(Device("wg0", private_key=secret, peers=(Peer("p", psk=secret),)))


def test_ipip_ends() -> None:
    request = linkmsg.ipip("t0", local=bytes([192, 0, 2, 1]), remote=bytes([192, 0, 2, 2]), mtu=1480)
    made = link.decode(request.body)
    assert (made.kind, made.mtu, made.ipip) == ("ipip", 1480, link.IpipInfo("192.0.2.1", "192.0.2.2"))
    assert link.decode(linkmsg.ipip("t0").body).ipip == link.IpipInfo()
