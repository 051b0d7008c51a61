"""IPsec in the kernel through netlink: security policies (what must be encrypted) and states (with which keys).

Only what a key exchange daemon leaves to other programs: policies are added and removed, states listed and removed.
An interface id ties both to the xfrm interface with that id (`link.add_xfrm`); with 0 they apply to all traffic.
Keys are never decoded. Source: linux/xfrm.h.
"""

from __future__ import annotations

import errno
import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import ip_address, ip_network
from struct import Struct

from pybernetes.linux import ipmsg
from pybernetes.linux.errors import Exists, NetlinkError, NotSupported, ProtocolError
from pybernetes.linux.netns import Netns
from pybernetes.linux.rtnl import Netlink, Request, attr, parse_attrs, read_u32, u32

NETLINK_XFRM = 6
NEWSA, DELSA, GETSA, NEWPOLICY, DELPOLICY, GETPOLICY = 0x10, 0x11, 0x12, 0x13, 0x14, 0x15
EXPIRE, UPDPOLICY, UPDSA, FLUSHSA, FLUSHPOLICY = 0x18, 0x19, 0x1A, 0x1C, 0x1D
GROUPS = {"expire": 2, "state": 3, "policy": 4}
_ENCAP, _TMPL, _ALG_AEAD, _IF_ID = 4, 5, 18, 31
_ESP = 50
_TUNNEL = 1
_INFINITE = 2**64 - 1
_FAMILY = {4: 2, 6: 10}
DIRECTIONS = {"in": 0, "out": 1, "fwd": 2}
_DIRECTION_NAMES = {number: name for name, number in DIRECTIONS.items()}

_SELECTOR = Struct("=16s16sHHHHHBBB3xiI")
_LIFETIME = Struct("=8Q4Q")  # limits, then current usage
_POLICY = Struct("=IIBBBB4x")  # priority, index, direction, action, flags, share
_POLICY_ID = Struct("=IB3x")
_TEMPLATE = Struct("=16sIB3xH2x16sIBBBxIII")
_STATE_ID = Struct("=16s4sHBx")  # daddr, spi, family, protocol
_STATE_KEY = Struct("=16s4sB3x16s")  # daddr, spi, protocol, saddr
_STATE_TAIL = Struct("=3IIIHBBB7x")  # statistics, sequence, reqid, family, mode, window, flags

_POLICY_SIZE = _SELECTOR.size + _LIFETIME.size + _POLICY.size
_STATE_SIZE = _SELECTOR.size + _STATE_KEY.size + _LIFETIME.size + _STATE_TAIL.size
assert (_POLICY_SIZE, _TEMPLATE.size, _STATE_SIZE) == (168, 64, 224)


@dataclass(frozen=True, slots=True)
class Policy:
    """Packets from `src` to `dst` use an ESP tunnel from `near` to `far`; `in` and `fwd`: must have used it."""

    direction: str
    """`in`, `out` or `fwd`."""
    src: str
    dst: str
    near: str
    far: str
    reqid: int
    if_id: int


@dataclass(frozen=True, slots=True)
class State:
    """One direction of an ESP tunnel."""

    src: str
    dst: str
    spi: str
    """Eight hexadecimal digits, as charon reports it."""
    reqid: int
    if_id: int
    added: int
    """Unix time in seconds."""
    packets: int
    encap: bool = False
    """Encapsulated in UDP."""


class Xfrm(Netlink):
    """A socket inside a namespace. Raises NotSupported, naming the module, if the kernel lacks it."""

    def __init__(self, netns: Netns | None = None) -> None:
        try:
            super().__init__(netns, NETLINK_XFRM)
        except OSError as error:
            if error.errno not in (errno.EPROTONOSUPPORT, errno.EAFNOSUPPORT):
                raise
            raise NotSupported(error.errno, "open", "XFRM netlink", _hint("xfrm_user")) from error

    def __enter__(self) -> Xfrm:
        return self

    def policies(self, if_id: int) -> set[Policy]:
        """The ESP tunnel policies with this interface id."""
        found = (_decode_policy(payload) for payload in self.dump(Request(GETPOLICY, 0, b"", "list", "policies")))
        return {policy for policy in found if policy is not None and policy.if_id == if_id}

    def states(self, if_id: int) -> list[State]:
        """States with this interface id that have keys."""
        found = (decode_state(payload) for payload in self.dump(Request(GETSA, 0, b"", "list", "states")))
        return [state for state in found if state is not None and state.if_id == if_id]

    def add_policies(self, policies: Iterable[Policy]) -> list[NetlinkError | None]:
        """Add policies, or replace those with the same selector. Returns None or an error for each."""
        return self.batch([Request(UPDPOLICY, 0, encode_policy(p), "add", describe(p)) for p in policies])

    def remove_policies(self, policies: Iterable[Policy]) -> list[NetlinkError | None]:
        """Remove policies. Returns None or an error for each."""
        requests = []
        for p in policies:
            body = _selector(p) + _POLICY_ID.pack(0, DIRECTIONS[p.direction]) + u32(_IF_ID, p.if_id)
            requests.append(Request(DELPOLICY, 0, body, "remove", describe(p)))
        return self.batch(requests)

    def remove_states(self, states: Iterable[State]) -> list[NetlinkError | None]:
        """Remove states. Returns None or an error for each."""
        return self.batch([_delete_state(state.dst, bytes.fromhex(state.spi)) for state in states])

    def probe(self) -> None:
        """Add an ESP state like those that charon negotiates, and remove it. Raises NetlinkError, naming the module."""
        spi = (0x8000_0000 | secrets.randbits(31)).to_bytes(4, "big")
        try:
            self.request(Request(NEWSA, 0, _probe_state(spi), "try", "IPsec ESP"))
        except Exists:
            return
        except NetlinkError as error:
            if error.errno in (errno.ENOSYS, errno.EPROTONOSUPPORT, errno.ENOENT):
                raise NotSupported(error.errno, error.op, error.what, _hint("esp4, gcm or seqiv")) from error
            raise
        self.run([_delete_state("127.0.0.1", spi)])


def describe(policy: Policy) -> str:
    """A short description, for the log."""
    return f"IPsec policy {policy.direction} {policy.src} to {policy.dst} by {policy.near} to {policy.far}"


def _hint(modules: str) -> str:
    load = f"modprobe -a {modules.replace(' or', '').replace(',', '')}"
    return f"this kernel lacks the module {modules}: load it ('{load}'), or choose another backend"


def _pack(address: str) -> bytes:
    return ipmsg.pack(address).ljust(16, b"\0")


def _unpack(raw: bytes, family: int) -> str:
    return ipmsg.unpack(raw[:4] if family == 2 else raw)


def _selector(policy: Policy) -> bytes:
    src, dst = ip_network(policy.src), ip_network(policy.dst)
    near, far = _pack(str(src.network_address)), _pack(str(dst.network_address))
    return _SELECTOR.pack(far, near, 0, 0, 0, 0, _FAMILY[src.version], dst.prefixlen, src.prefixlen, 0, 0, 0)


#: No limit for bytes, packets, time; nothing used.
_NO_LIMITS = _LIFETIME.pack(*(_INFINITE,) * 4, *(0,) * 8)
_PRIORITY = 1000


def encode_policy(policy: Policy) -> bytes:
    """The body of the message that adds a policy."""
    family = _FAMILY[ip_address(policy.far).version]
    everything = 2**32 - 1
    template = _TEMPLATE.pack(
        _pack(policy.far), 0, _ESP, family, _pack(policy.near), policy.reqid, _TUNNEL, 0, 0, *(everything,) * 3
    )
    head = _selector(policy) + _NO_LIMITS + _POLICY.pack(_PRIORITY, 0, DIRECTIONS[policy.direction], 0, 0, 0)
    return head + attr(_TMPL, template) + u32(_IF_ID, policy.if_id)


def _decode_policy(payload: bytes) -> Policy | None:
    if len(payload) < _POLICY_SIZE:
        raise ProtocolError(f"IPsec policy of {len(payload)} bytes")
    fields = _SELECTOR.unpack_from(payload)
    dst, src, family, dst_len, src_len = fields[0], fields[1], fields[6], fields[7], fields[8]
    _, _, direction, _, _, _ = _POLICY.unpack_from(payload, _SELECTOR.size + _LIFETIME.size)
    attrs = parse_attrs(payload, _POLICY_SIZE)
    template = attrs.get(_TMPL, b"")
    if family not in _FAMILY.values() or direction not in _DIRECTION_NAMES or len(template) != _TEMPLATE.size:
        return None
    far, _, protocol, outer, near, reqid, mode, *_ = _TEMPLATE.unpack(template)
    if protocol != _ESP or mode != _TUNNEL or outer not in _FAMILY.values():
        return None
    return Policy(
        direction=_DIRECTION_NAMES[direction],
        src=f"{_unpack(src, family)}/{src_len}",
        dst=f"{_unpack(dst, family)}/{dst_len}",
        near=_unpack(near, outer),
        far=_unpack(far, outer),
        reqid=reqid,
        if_id=read_u32(attrs.get(_IF_ID)),
    )


def decode_state(payload: bytes) -> State | None:
    """Decode a state; None if it is not ESP, or still without keys."""
    if len(payload) < _STATE_SIZE:
        raise ProtocolError(f"IPsec state of {len(payload)} bytes")
    dst, spi, protocol, src = _STATE_KEY.unpack_from(payload, _SELECTOR.size)
    lifetime = _LIFETIME.unpack_from(payload, _SELECTOR.size + _STATE_KEY.size)
    tail = _STATE_TAIL.unpack_from(payload, _SELECTOR.size + _STATE_KEY.size + _LIFETIME.size)
    reqid, family = tail[4], tail[5]
    attrs = parse_attrs(payload, _STATE_SIZE)
    has_keys = any(kind in attrs for kind in _ALGORITHMS)
    if protocol != _ESP or family not in _FAMILY.values() or not has_keys:
        return None
    return State(
        src=_unpack(src, family),
        dst=_unpack(dst, family),
        spi=spi.hex(),
        reqid=reqid,
        if_id=read_u32(attrs.get(_IF_ID)),
        added=lifetime[10],
        packets=lifetime[9],
        encap=_ENCAP in attrs,
    )


#: Attributes of states that have keys: XFRMA_ALG_CRYPT and XFRMA_ALG_AEAD.
_ALGORITHMS = (2, _ALG_AEAD)


def _delete_state(dst: str, spi: bytes) -> Request:
    body = _STATE_ID.pack(_pack(dst), spi, _FAMILY[ip_address(dst).version], _ESP)
    return Request(DELSA, 0, body, "remove", f"IPsec state {spi.hex()} to {dst}")


def _probe_state(spi: bytes) -> bytes:
    here = _pack("127.0.0.1")
    key = secrets.token_bytes(20)
    algorithm = b"rfc4106(gcm(aes))".ljust(64, b"\0") + (len(key) * 8).to_bytes(4, "little")
    algorithm += (128).to_bytes(4, "little") + key
    selector = _SELECTOR.pack(here, here, 0, 0, 0, 0, 2, 32, 32, 0, 0, 0)
    tail = _STATE_TAIL.pack(0, 0, 0, 0, 0, 2, _TUNNEL, 0, 0)
    return selector + _STATE_KEY.pack(here, spi, _ESP, here) + _NO_LIMITS + tail + attr(_ALG_AEAD, algorithm)
