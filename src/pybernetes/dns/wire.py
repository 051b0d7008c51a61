"""DNS messages as bytes: reading a query, writing an answer. Pure, and safe against any input.

Source: RFC 1035 (messages), RFC 2308 (negative answers), RFC 2782 (SRV), RFC 6891 (EDNS0).
"""

import struct
from dataclasses import dataclass

A, NS, CNAME, SOA, PTR, TXT, AAAA, SRV, OPT, ANY = 1, 2, 5, 6, 12, 16, 28, 33, 41, 255
IN = 1

NOERROR, FORMERR, SERVFAIL, NXDOMAIN, NOTIMP, REFUSED = 0, 1, 2, 3, 4, 5

QR, AA, TC, RD, RA = 0x8000, 0x0400, 0x0200, 0x0100, 0x0080
_OPCODE = 0x7800

HEADER = struct.Struct("!HHHHHH")
_TAIL = struct.Struct("!HH")
_RECORD = struct.Struct("!HHIH")
_MAX_NAME = 255
#: The largest UDP answer for clients without EDNS0.
PLAIN_UDP = 512
#: The largest datagram that is sent, whatever a client announces, so that no datagram is fragmented.
MAX_UDP = 1232


class FormatError(Exception):
    """The message is not a DNS query."""


@dataclass(frozen=True, slots=True)
class Query:
    """One question."""

    id: int
    flags: int
    name: str
    """In lower case, without the final dot."""
    qtype: int
    qclass: int
    question: bytes
    """The bytes of the question, which the answer repeats unchanged."""
    udp_size: int
    edns: bool

    @property
    def opcode(self) -> int:
        """0 for a standard query."""
        return (self.flags & _OPCODE) >> 11


@dataclass(frozen=True, slots=True)
class Record:
    """One resource record; `data` is its RDATA."""

    name: str
    type: int
    ttl: int
    data: bytes


def read_query(packet: bytes) -> Query:
    """Parse a packet. Raises FormatError."""
    if len(packet) < HEADER.size:
        raise FormatError("shorter than a DNS header")
    ident, flags, questions, _, _, additional = HEADER.unpack_from(packet)
    if flags & QR:
        raise FormatError("a response, not a query")
    if questions != 1:
        raise FormatError(f"{questions} questions, expected one")
    name, end = read_name(packet, HEADER.size)
    if end + 4 > len(packet):
        raise FormatError("the question is truncated")
    qtype, qclass = _TAIL.unpack_from(packet, end)
    end += 4
    size = _edns_size(packet, end) if additional else 0
    return Query(ident, flags, name, qtype, qclass, packet[HEADER.size : end], size or PLAIN_UDP, size > 0)


def _edns_size(packet: bytes, offset: int) -> int:
    """The UDP size of an OPT record that comes right after the question; 0 if there is none."""
    if len(packet) >= offset + 11 and packet[offset] == 0:
        rtype, size = _TAIL.unpack_from(packet, offset + 1)
        if rtype == OPT:
            return max(PLAIN_UDP, min(int(size), MAX_UDP))
    return 0


def read_name(packet: bytes, offset: int) -> tuple[str, int]:
    """A name in lower case, and the offset of its end. Pointers may only lead backwards, so that no name can loop."""
    labels: list[str] = []
    end = -1
    limit = offset
    total = 0
    while True:
        if offset >= len(packet):
            raise FormatError("a name runs past the end")
        length = packet[offset]
        if length == 0:
            break
        if length & 0xC0 == 0xC0:
            if offset + 1 >= len(packet):
                raise FormatError("a pointer is truncated")
            target = (length & 0x3F) << 8 | packet[offset + 1]
            if target >= limit:
                raise FormatError("a pointer leads forward")
            end = offset + 2 if end < 0 else end
            offset = limit = target
            continue
        if length & 0xC0:
            raise FormatError("unknown label type")
        label = packet[offset + 1 : offset + 1 + length]
        if len(label) != length:
            raise FormatError("a label runs past the end")
        total += length + 1
        if total >= _MAX_NAME:
            raise FormatError("a name is longer than 255 bytes")
        labels.append(label.decode("latin-1").lower())
        offset += 1 + length
    return ".".join(labels), offset + 1 if end < 0 else end


def write_name(name: str) -> bytes:
    """A name without compression."""
    out = bytearray()
    for label in name.split(".") if name else ():
        raw = label.encode("latin-1")
        out.append(len(raw))
        out += raw
    out.append(0)
    return bytes(out)


def _write_record(record: Record, query: Query) -> bytes:
    # The question follows the header directly, so its name is at offset 12.
    name = b"\xc0\x0c" if record.name == query.name else write_name(record.name)
    return name + _RECORD.pack(record.type, IN, record.ttl, len(record.data)) + record.data


_OPT_ANSWER = b"\0" + struct.pack("!HHIH", OPT, MAX_UDP, 0, 0)


def write_answer(
    query: Query,
    rcode: int,
    answers: list[Record] | tuple[Record, ...] = (),
    authority: list[Record] | tuple[Record, ...] = (),
    additional: list[Record] | tuple[Record, ...] = (),
    *,
    authoritative: bool = True,
    size: int = MAX_UDP,
) -> bytes:
    """The message; truncated to `size` bytes, with the TC flag, if it is longer."""
    flags = QR | RA | (query.flags & (RD | _OPCODE)) | rcode | (AA if authoritative else 0)
    extra = _OPT_ANSWER if query.edns else b""
    body = [_write_record(record, query) for record in answers]
    tail = [_write_record(record, query) for record in authority]
    more = [_write_record(record, query) for record in additional]
    used = HEADER.size + len(query.question) + len(extra)
    if used + sum(map(len, body)) + sum(map(len, tail)) > size:
        flags |= TC
        body, tail, more = _fitting(body, size - used), [], []
    elif used + sum(map(len, body + tail + more)) > size:
        more = []
    counts = (1, len(body), len(tail), len(more) + (1 if extra else 0))
    return b"".join([HEADER.pack(query.id, flags, *counts), query.question, *body, *tail, *more, extra])


def _fitting(records: list[bytes], room: int) -> list[bytes]:
    kept = []
    for record in records:
        room -= len(record)
        if room < 0:
            break
        kept.append(record)
    return kept


def failure(packet: bytes, rcode: int) -> bytes | None:
    """An error answer to a packet that cannot be parsed; None if it has no complete header or is itself an answer."""
    if len(packet) < HEADER.size:
        return None
    ident, flags, *_ = HEADER.unpack_from(packet)
    if flags & QR:
        return None
    return HEADER.pack(ident, QR | (flags & (RD | _OPCODE)) | rcode, 0, 0, 0, 0)


def srv_data(priority: int, weight: int, port: int, target: str) -> bytes:
    """RDATA of an SRV record."""
    return struct.pack("!HHH", priority, weight, port) + write_name(target)


def txt_data(text: str) -> bytes:
    """RDATA of a TXT record of one string."""
    raw = text.encode()[:255]
    return bytes([len(raw)]) + raw


def soa_data(server: str, mailbox: str, serial: int, minimum: int) -> bytes:
    """RDATA of an SOA record."""
    return write_name(server) + write_name(mailbox) + struct.pack("!IIIII", serial, 7200, 1800, 86400, minimum)
