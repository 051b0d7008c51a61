"""Netlink: the wire format, and a socket for it inside any network namespace.

What flows through: a `Request` (message type, flags, body) is sent; payloads of replies, or an error with the kernel's
explanation, come back. `linkmsg` and `ipmsg` know the bodies.

Written on `struct` and `_socket` because CNI plugins pay for each import (see docs/decisions/0002-own-rtnetlink.md);
agents use the same code. Lengths in messages are not trusted: a truncated message raises ProtocolError.

Source: RFC 3549, netlink(7), linux/netlink.h.
"""

from __future__ import annotations

import errno
from _socket import socket as _socket
from _struct import Struct  # `struct` adds nothing but its own import time

from pybernetes.linux import netns as _netns
from pybernetes.linux.errors import NetlinkError, ProtocolError, netlink_error

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

# -- linux/netlink.h -------------------------------------------------------------------------------------
AF_NETLINK = 16
NETLINK_ROUTE = 0
NETLINK_NETFILTER = 12
SOL_NETLINK = 270
NETLINK_ADD_MEMBERSHIP = 1
NETLINK_CAP_ACK = 10
NETLINK_EXT_ACK = 11
NETLINK_GET_STRICT_CHK = 12

NLMSG_NOOP = 1
NLMSG_ERROR = 2
NLMSG_DONE = 3

NLM_F_REQUEST = 0x001
NLM_F_MULTI = 0x002
NLM_F_ACK = 0x004
NLM_F_DUMP_INTR = 0x010
NLM_F_CAPPED = 0x100
NLM_F_ACK_TLVS = 0x200
NLM_F_DUMP = 0x300
NLM_F_REPLACE = 0x100
NLM_F_EXCL = 0x200
NLM_F_CREATE = 0x400
NLM_F_APPEND = 0x800

NLMSGERR_ATTR_MSG = 1
NLA_TYPE_MASK = 0x3FFF  # the two high bits say "nested" and "network byte order"
NLA_F_NESTED = 0x8000

_SOCK_RAW = 3
_SOCK_CLOEXEC = 0o2000000
_SOL_SOCKET = 1
_SO_RCVBUFFORCE = 33
_MSG_TRUNC = 0x20

_HEADER = Struct("=IHHII")  # length, type, flags, sequence, port
_ATTR = Struct("=HH")  # length, type
_ERRNO = Struct("=i")

RECEIVE = 1 << 16  # larger than any datagram of the kernel (32 KiB in dumps)
_BATCH = 128  # replies to this many messages fit into the default receive buffer
_RECEIVE_BUFFER = 4 << 20
_DUMP_TRIES = 8


class Request:
    """One message to the kernel; `op` and `what` describe it in error messages."""

    __slots__ = ("body", "flags", "op", "type", "what")

    def __init__(self, type: int, flags: int, body: bytes, op: str, what: str) -> None:
        self.type = type
        self.flags = flags
        self.body = body
        self.op = op
        self.what = what

    def __repr__(self) -> str:
        return f"Request({self.op} {self.what})"


class Message:
    """One message from the kernel."""

    __slots__ = ("flags", "payload", "sequence", "type")

    def __init__(self, type: int, flags: int, sequence: int, payload: bytes) -> None:
        self.type = type
        self.flags = flags
        self.sequence = sequence
        self.payload = payload


# -- wire format, pure -----------------------------------------------------------------------------------
def attr(kind: int, value: bytes) -> bytes:
    """One attribute, padded to four bytes."""
    return _ATTR.pack(4 + len(value), kind) + value + b"\0" * (-len(value) % 4)


def nested(kind: int, *attrs: bytes) -> bytes:
    """An attribute made of attributes."""
    return attr(kind | NLA_F_NESTED, b"".join(attrs))


def u8(kind: int, value: int) -> bytes:
    return attr(kind, value.to_bytes(1, "little"))


def u16(kind: int, value: int) -> bytes:
    return attr(kind, _U16.pack(value))


def u32(kind: int, value: int) -> bytes:
    return attr(kind, _U32.pack(value))


def text(kind: int, value: str) -> bytes:
    return attr(kind, value.encode() + b"\0")


_U16 = Struct("=H")
_U32 = Struct("=I")


def iter_attrs(data: bytes, offset: int = 0) -> Iterator[tuple[int, bytes]]:
    """The attributes in `data` from `offset` on. Raises ProtocolError if a length exceeds the data."""
    end = len(data)
    while offset + 4 <= end:
        length, kind = _ATTR.unpack_from(data, offset)
        if length < 4 or offset + length > end:
            raise ProtocolError(f"netlink attribute {kind & NLA_TYPE_MASK}: length {length} at {offset} of {end}")
        yield kind & NLA_TYPE_MASK, data[offset + 4 : offset + length]
        offset += (length + 3) & ~3


def parse_attrs(data: bytes, offset: int = 0) -> dict[int, bytes]:
    """Attributes by kind; the last one if a kind is repeated."""
    return dict(iter_attrs(data, offset))


def read_u32(data: bytes | None, default: int = 0) -> int:
    """A number of up to four bytes; `default` if it is absent."""
    return int.from_bytes(data[:4], "little") if data else default


def read_text(data: bytes | None) -> str:
    """A string up to its NUL; empty if it is absent."""
    return data.split(b"\0", 1)[0].decode("utf-8", "replace") if data else ""


def parse_messages(data: bytes) -> list[Message]:
    """All messages of one datagram."""
    messages = []
    offset, end = 0, len(data)
    while offset + 16 <= end:
        length, kind, flags, sequence, _port = _HEADER.unpack_from(data, offset)
        if length < 16 or offset + length > end:
            raise ProtocolError(f"netlink message {kind}: length {length} at {offset} of {end}")
        messages.append(Message(kind, flags, sequence, data[offset + 16 : offset + length]))
        offset += (length + 3) & ~3
    return messages


def encode(request: Request, sequence: int, extra_flags: int = 0) -> bytes:
    """The bytes of a request."""
    length = 16 + len(request.body)
    flags = request.flags | NLM_F_REQUEST | extra_flags
    return _HEADER.pack(length, request.type, flags, sequence, 0) + request.body + b"\0" * (-length % 4)


def read_verdict(message: Message) -> tuple[int, str]:
    """(errno, explanation) of an NLMSG_ERROR; errno 0 is an acknowledgement."""
    payload = message.payload
    if len(payload) < 4:
        raise ProtocolError("netlink error message without a code")
    code = -_ERRNO.unpack_from(payload)[0]
    if not message.flags & NLM_F_ACK_TLVS or len(payload) < 20:
        return code, ""
    # The header of the failed request follows the code, and its body unless NETLINK_CAP_ACK is set.
    skip = 20
    if not message.flags & NLM_F_CAPPED:
        skip = 4 + ((_HEADER.unpack_from(payload, 4)[0] + 3) & ~3)
    return code, read_text(parse_attrs(payload, skip).get(NLMSGERR_ATTR_MSG))


# -- the socket ------------------------------------------------------------------------------------------
class Netlink:
    """A request socket inside a namespace (None: the caller's own). Use as a context manager.

    The socket stays in its namespace, whichever one its owner's thread enters later. Blocking: the kernel replies
    within microseconds. Not for use by two threads at once.
    """

    def __init__(self, netns: _netns.Netns | None = None, protocol: int = NETLINK_ROUTE) -> None:
        self.netns = netns
        self._sequence = 0
        with _netns.enter(netns):
            self._socket = _socket(AF_NETLINK, _SOCK_RAW | _SOCK_CLOEXEC, protocol)
        for option in (NETLINK_CAP_ACK, NETLINK_EXT_ACK):
            self._socket.setsockopt(SOL_NETLINK, option, 1)
        if protocol == NETLINK_ROUTE:  # the kernel then applies the filters in dump requests
            self._socket.setsockopt(SOL_NETLINK, NETLINK_GET_STRICT_CHK, 1)
        self._room = False

    def __enter__(self) -> Netlink:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self._socket.close()

    def fileno(self) -> int:
        return self._socket.fileno()

    def batch(self, requests: Sequence[Request]) -> list[NetlinkError | None]:
        """Send all requests, many per system call. The kernel processes them in order and continues after errors.

        Returns one entry per request: None, or its error.
        """
        outcome: list[NetlinkError | None] = []
        for start in range(0, len(requests), _BATCH):
            outcome += self._exchange(requests[start : start + _BATCH])[0]
        return outcome

    def run(self, requests: Sequence[Request]) -> None:
        """Send all requests, in order; raise the first error (later requests are still carried out)."""
        for error in self.batch(requests):
            if error is not None:
                raise error

    def request(self, request: Request) -> list[bytes]:
        """Send one request; return the payloads of the reply, or raise its error."""
        errors, replies = self._exchange([request])
        if errors[0] is not None:
            raise errors[0]
        return replies

    def dump(self, request: Request) -> list[bytes]:
        """The payloads of a listing; read again if it changed in the meantime."""
        self._make_room()
        for _ in range(_DUMP_TRIES):
            payloads, consistent = self._dump_once(request)
            if consistent:
                return payloads
        return payloads  # the table changes all the time: use the last listing

    def _exchange(self, requests: Sequence[Request]) -> tuple[list[NetlinkError | None], list[bytes]]:
        if len(requests) > 1:
            self._make_room()
        first = self._sequence + 1
        self._sequence += len(requests)
        data = b"".join([encode(r, first + i, NLM_F_ACK) for i, r in enumerate(requests)])
        self._socket.send(data)
        errors: list[NetlinkError | None] = [None] * len(requests)
        replies: list[bytes] = []
        waiting = len(requests)
        while waiting:
            for message in self._receive():
                place = message.sequence - first
                if not 0 <= place < len(requests):
                    continue  # a late reply to an abandoned request
                if message.type == NLMSG_ERROR:
                    code, hint = read_verdict(message)
                    if code:
                        errors[place] = netlink_error(code, requests[place].op, requests[place].what, hint)
                    waiting -= 1
                elif message.type != NLMSG_DONE:
                    replies.append(message.payload)
        return errors, replies

    def _dump_once(self, request: Request) -> tuple[list[bytes], bool]:
        self._sequence += 1
        sequence = self._sequence
        self._socket.send(encode(request, sequence, NLM_F_DUMP))
        payloads: list[bytes] = []
        consistent = True
        while True:
            for message in self._receive():
                if message.sequence != sequence:
                    continue
                if message.flags & NLM_F_DUMP_INTR:
                    consistent = False
                if message.type not in (NLMSG_ERROR, NLMSG_DONE):
                    payloads.append(message.payload)
                    continue
                code, hint = read_verdict(message) if len(message.payload) >= 4 else (0, "")
                if code:
                    raise netlink_error(code, request.op, request.what, hint)
                return payloads, consistent

    def _receive(self) -> list[Message]:
        data, _, flags, _ = self._socket.recvmsg(RECEIVE)
        if flags & _MSG_TRUNC or not data:
            raise ProtocolError("netlink answer larger than the receive buffer")
        return parse_messages(data)

    def _make_room(self) -> None:
        if self._room:
            return
        self._room = True
        try:
            self._socket.setsockopt(_SOL_SOCKET, _SO_RCVBUFFORCE, _RECEIVE_BUFFER)
        except OSError as error:  # without CAP_NET_ADMIN the default size remains: batches are small enough
            if error.errno != errno.EPERM:
                raise
