"""WireGuard devices: keys, port and peers, through generic netlink. `link.add_wireguard` creates the link.

Keys are text as `wg` prints it: base64 of 32 bytes. Secrets never appear in a repr or an error message.
Source: linux/wireguard.h.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from ipaddress import ip_address, ip_network
from struct import Struct

from pybernetes.linux import genl, ipmsg
from pybernetes.linux.errors import ProtocolError
from pybernetes.linux.netns import Netns
from pybernetes.linux.rtnl import Request, attr, iter_attrs, nested, parse_attrs, read_text, text, u8, u16, u32

FAMILY = "wireguard"
_GET_DEVICE, _SET_DEVICE = 0, 1
_IFNAME, _PRIVATE_KEY, _PUBLIC_KEY, _DEVICE_FLAGS, _LISTEN_PORT, _FWMARK, _PEERS = 2, 3, 4, 5, 6, 7, 8
_REPLACE_PEERS = 1
_PEER_KEY, _PEER_PSK, _PEER_FLAGS, _PEER_ENDPOINT, _PEER_KEEPALIVE = 1, 2, 3, 4, 5
_PEER_HANDSHAKE, _PEER_RX, _PEER_TX, _PEER_ALLOWED = 6, 7, 8, 9
_REMOVE_ME, _REPLACE_ALLOWED = 1, 2
_ALLOWED_FAMILY, _ALLOWED_ADDRESS, _ALLOWED_LENGTH = 1, 2, 3

_NO_KEY = bytes(32)
_SOCKADDR_IN, _SOCKADDR_IN6 = Struct("=H2s4s8x"), Struct("=H2sI16sI")
_TIMESPEC = Struct("=qq")
#: Peers in one message: with one or two allowed networks each they stay far below the limit of 64 KiB.
_CHUNK = 100


@dataclass(frozen=True, slots=True)
class Endpoint:
    """The UDP address of a peer."""

    address: str
    port: int

    def __str__(self) -> str:
        return f"[{self.address}]:{self.port}" if ":" in self.address else f"{self.address}:{self.port}"


@dataclass(frozen=True, slots=True)
class Peer:
    """One peer, as desired or as observed."""

    public_key: str
    endpoint: Endpoint | None = None
    allowed: frozenset[str] = frozenset()
    """Networks from which the peer may send, and for which packets are sent to it."""
    keepalive: int = 0
    """Seconds; 0 for none."""
    psk: str = field(default="", repr=False)
    """The preshared key, if any."""
    last_handshake: float = field(default=0.0, compare=False)
    """Unix time; 0 for never."""
    received: int = field(default=0, compare=False)
    sent: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class Device:
    """A device with its peers."""

    name: str
    public_key: str = ""
    """Empty if there is no private key."""
    private_key: str = field(default="", repr=False)
    listen_port: int = 0
    fwmark: int = 0
    peers: tuple[Peer, ...] = ()

    def peer(self, public_key: str) -> Peer | None:
        """The peer with that key."""
        return next((p for p in self.peers if p.public_key == public_key), None)


def key_bytes(key: str) -> bytes:
    """The 32 bytes of a key. Raises ValueError, whose message does not contain the key."""
    try:
        raw = base64.b64decode(key.encode(), validate=True)
    except (binascii.Error, ValueError):
        raw = b""
    if len(raw) != 32:
        raise ValueError("expected a WireGuard key, base64 of 32 bytes")
    return raw


def key_text(raw: bytes) -> str:
    """Base64; empty for no key, which the kernel reports as zeros."""
    if raw in (b"", _NO_KEY):
        return ""
    if len(raw) != 32:
        raise ProtocolError(f"WireGuard key of {len(raw)} bytes")
    return base64.b64encode(raw).decode()


# -- wire format, pure -----------------------------------------------------------------------------------
def _encode_endpoint(endpoint: Endpoint) -> bytes:
    address, port = ip_address(endpoint.address), endpoint.port.to_bytes(2, "big")
    if address.version == 4:
        return _SOCKADDR_IN.pack(ipmsg.AF_INET, port, address.packed)
    return _SOCKADDR_IN6.pack(ipmsg.AF_INET6, port, 0, address.packed, 0)


def _decode_endpoint(data: bytes) -> Endpoint | None:
    family = int.from_bytes(data[:2], "little")
    if family == ipmsg.AF_INET and len(data) >= 8:
        return Endpoint(ipmsg.unpack(data[4:8]), int.from_bytes(data[2:4], "big"))
    if family == ipmsg.AF_INET6 and len(data) >= 24:
        return Endpoint(ipmsg.unpack(data[8:24]), int.from_bytes(data[2:4], "big"))
    return None


def _encode_allowed(network: str) -> bytes:
    parsed = ip_network(network)
    family = ipmsg.AF_INET if parsed.version == 4 else ipmsg.AF_INET6
    body = u16(_ALLOWED_FAMILY, family) + attr(_ALLOWED_ADDRESS, parsed.network_address.packed)
    return nested(0, body + u8(_ALLOWED_LENGTH, parsed.prefixlen))


def _decode_allowed(data: bytes) -> str:
    attrs = parse_attrs(data)
    address = attrs.get(_ALLOWED_ADDRESS, b"")
    if len(address) not in (4, 16):
        raise ProtocolError(f"WireGuard allowed address of {len(address)} bytes")
    return f"{ipmsg.unpack(address)}/{int.from_bytes(attrs.get(_ALLOWED_LENGTH, b''), 'little')}"


def encode_peer(peer: Peer) -> bytes:
    """A peer to set: all of its properties are replaced."""
    body = attr(_PEER_KEY, key_bytes(peer.public_key)) + u32(_PEER_FLAGS, _REPLACE_ALLOWED)
    body += attr(_PEER_PSK, key_bytes(peer.psk) if peer.psk else _NO_KEY)
    if peer.endpoint is not None:
        body += attr(_PEER_ENDPOINT, _encode_endpoint(peer.endpoint))
    body += u16(_PEER_KEEPALIVE, peer.keepalive)
    return nested(0, body + nested(_PEER_ALLOWED, *map(_encode_allowed, sorted(peer.allowed))))


def decode_peer(data: bytes) -> Peer:
    """A peer as the kernel reports it. Raises ProtocolError."""
    attrs = parse_attrs(data)
    when = attrs.get(_PEER_HANDSHAKE, b"")
    seconds, nanoseconds = _TIMESPEC.unpack(when) if len(when) == _TIMESPEC.size else (0, 0)
    return Peer(
        public_key=key_text(attrs.get(_PEER_KEY, b"")),
        endpoint=_decode_endpoint(attrs.get(_PEER_ENDPOINT, b"")),
        allowed=frozenset(_decode_allowed(entry) for _, entry in iter_attrs(attrs.get(_PEER_ALLOWED, b""))),
        keepalive=int.from_bytes(attrs.get(_PEER_KEEPALIVE, b""), "little"),
        psk=key_text(attrs.get(_PEER_PSK, b"")),
        last_handshake=seconds + nanoseconds / 1e9,
        received=int.from_bytes(attrs.get(_PEER_RX, b""), "little"),
        sent=int.from_bytes(attrs.get(_PEER_TX, b""), "little"),
    )


def decode(payloads: Iterable[bytes]) -> Device:
    """A device from the messages of one listing. A peer with many networks continues in the next message."""
    device = Device("")
    peers: dict[str, Peer] = {}
    for payload in payloads:
        attrs = genl.attributes(payload)
        if _IFNAME in attrs:
            device = Device(
                name=read_text(attrs[_IFNAME]),
                public_key=key_text(attrs.get(_PUBLIC_KEY, b"")),
                private_key=key_text(attrs.get(_PRIVATE_KEY, b"")),
                listen_port=int.from_bytes(attrs.get(_LISTEN_PORT, b"")[:2], "little"),
                fwmark=int.from_bytes(attrs.get(_FWMARK, b"")[:4], "little"),
            )
        for _, entry in iter_attrs(attrs.get(_PEERS, b"")):
            peer = decode_peer(entry)
            known = peers.get(peer.public_key)
            peers[peer.public_key] = replace(known, allowed=known.allowed | peer.allowed) if known else peer
    return replace(device, peers=tuple(peers.values()))


def set_body(name: str, *attrs: bytes) -> bytes:
    """The body of a message that changes a device."""
    return genl.header(_SET_DEVICE) + text(_IFNAME, name) + b"".join(attrs)


# -- the kernel ------------------------------------------------------------------------------------------
class Wireguard:
    """WireGuard in one namespace. Use as a context manager. Raises NotSupported if the module is not loaded."""

    def __init__(self, netns: Netns | None = None) -> None:
        self._genl = genl.Genl(FAMILY, netns)

    def __enter__(self) -> Wireguard:
        return self

    def __exit__(self, *_: object) -> None:
        self._genl.close()

    def device(self, name: str) -> Device:
        """A device with its peers. Raises Missing."""
        body = genl.header(_GET_DEVICE) + text(_IFNAME, name)
        return decode(self._genl.dump(Request(self._genl.family, 0, body, "read WireGuard device", name)))

    def configure(self, name: str, *, private_key: str = "", listen_port: int | None = None) -> None:
        """Set the given properties of the device."""
        body = attr(_PRIVATE_KEY, key_bytes(private_key)) if private_key else b""
        if listen_port is not None:
            body += u16(_LISTEN_PORT, listen_port)
        self._set(name, "configure WireGuard device", body)

    def set_peers(self, name: str, peers: Sequence[Peer], *, only: bool = False) -> None:
        """Add or replace peers; with `only`, remove all others."""
        if only and not peers:
            self._set(name, "remove the peers of", u32(_DEVICE_FLAGS, _REPLACE_PEERS))
        for start in range(0, len(peers), _CHUNK):
            flags = u32(_DEVICE_FLAGS, _REPLACE_PEERS) if only and start == 0 else b""
            part = peers[start : start + _CHUNK]
            self._set(name, "set peers of", flags + nested(_PEERS, *map(encode_peer, part)))

    def remove_peers(self, name: str, public_keys: Sequence[str]) -> None:
        """Remove peers, if they exist."""
        for start in range(0, len(public_keys), _CHUNK):
            entries = [
                nested(0, attr(_PEER_KEY, key_bytes(key)), u32(_PEER_FLAGS, _REMOVE_ME))
                for key in public_keys[start : start + _CHUNK]
            ]
            self._set(name, "remove peers of", nested(_PEERS, *entries))

    def _set(self, name: str, op: str, body: bytes) -> None:
        self._genl.request(Request(self._genl.family, 0, set_body(name, body), op, name))
