"""Segmentation and reassembly of large TCP packets: what network cards do for the kernel, in NumPy.

A packet of 64 KiB that comes from the TUN device becomes some 45 packets of the MTU's size, and 45 packets that came
in one datagram burst become one for the TUN device. So the costs per packet of system calls and of Python are paid
once for 45. Segments are the rows of a matrix; each field of their headers is a column.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from pybernetes.flannel.backends.udp.packets import word_sum

Bytes = NDArray[np.uint8]

#: struct virtio_net_hdr: flags, gso_type, hdr_len, gso_size, csum_start, csum_offset
VNET = struct.Struct("=BBHHHH")
NEEDS_CSUM, GSO_TCPV4, GSO_ECN = 1, 1, 0x80
_PROTO_TCP = 6
_PSH_FIN, _CWR, _ACK, _PSH = 0x09, 0x80, 0x10, 0x08
MAX_DATAGRAMS = 64
"""The kernel divides no more at once (UDP_MAX_SEGMENTS)."""
MAX_PAYLOAD = 65_507
"""Of one call, for UDP over IPv4."""


@dataclass(frozen=True, slots=True)
class Burst:
    """Packets of one size, one after the other; the last may be shorter."""

    data: memoryview
    size: int


def divide(packet: memoryview, payload: int, tcp: int) -> Iterator[Burst]:
    """A large IPv4 TCP packet in segments of `payload` bytes. `tcp` is where its TCP header starts."""
    header = tcp + (packet[tcp + 12] >> 4) * 4
    body = np.frombuffer(packet, np.uint8, offset=header)
    size = header + payload
    total = max(1, -(-len(body) // payload))
    bursts = -(-total // max(1, min(MAX_DATAGRAMS, MAX_PAYLOAD // size)))
    rows = -(-total // bursts)  # of equal size: a small remainder would cost as much as a full batch
    template = np.frombuffer(packet, np.uint8, count=header)
    for start in range(0, len(body), rows * payload):
        part = body[start : start + rows * payload]
        last = start + len(part) == len(body)
        yield _burst(template, part, payload, tcp, first_row=start // payload, last=last)


def _burst(template: Bytes, body: Bytes, payload: int, tcp: int, *, first_row: int, last: bool) -> Burst:
    full, rest = divmod(len(body), payload)
    header = len(template)
    out = np.empty(len(body) + header * (full + bool(rest)), np.uint8)
    size = header + payload
    if full:
        rows = out[: full * size].reshape(full, size)
        _fill(rows, template, body[: full * payload].reshape(full, payload), tcp, first_row, payload, last and not rest)
    if rest:
        rows = out[full * size :].reshape(1, header + rest)
        _fill(rows, template, body[full * payload :].reshape(1, rest), tcp, first_row + full, payload, last)
    return Burst(out.data, size)


def _fill(rows: Bytes, template: Bytes, body: Bytes, tcp: int, number: int, payload: int, last: bool) -> None:
    """Write complete segments, of which the first is the `number`th of the large packet."""
    count, size = rows.shape
    head = bytearray(template.tobytes())
    flags, ident, sequence = head[tcp + 13], head[4] << 8 | head[5], int.from_bytes(head[tcp + 4 : tcp + 8], "big")
    struct.pack_into("!HH", head, 2, size, 0)
    head[10:12] = head[tcp + 16 : tcp + 18] = b"\0\0"
    head[tcp + 13] = flags & ~(_PSH_FIN | _CWR)
    rows[:, : len(head)] = head
    rows[:, len(head) :] = body
    order = np.arange(number, number + count, dtype=np.int64)
    idents = ((ident + order) & 0xFFFF).astype(">u2").view(np.uint16)
    sequences = ((sequence + order * payload) & 0xFFFFFFFF).astype(">u4").view(np.uint8)
    rows[:, tcp + 4 : tcp + 8] = sequences.reshape(count, 4)
    if number == 0:
        rows[0, tcp + 13] |= flags & _CWR
    if last:
        rows[-1, tcp + 13] |= flags & _PSH_FIN
    _set16(rows, 4, idents)
    _set16(rows, 10, _complement(_native_sum(head[:tcp]) + idents.astype(np.uint32)))
    pseudo = _native_sum(head[12:20] + struct.pack("!HH", _PROTO_TCP, size - tcp))
    _set16(rows, tcp + 16, _complement(_words(rows)[:, tcp // 2 :].sum(axis=1, dtype=np.uint32) + np.uint32(pseudo)))


def join(data: memoryview, size: int) -> Iterator[tuple[bytes, memoryview]]:
    """Packets of one size, one after the other (the last may be shorter), as (virtio_net_hdr, packet) for the TUN
    device: TCP segments that follow each other as one large packet, everything else packet by packet.
    """
    full = len(data) // size
    tail = data[full * size :]
    tcp = _tcp_at(data, size) if full > 1 else 0
    if not tcp:
        for start in range(0, full * size, size):
            yield PLAIN, data[start : start + size]
    else:
        rows = np.frombuffer(data, np.uint8, count=full * size).reshape(full, size)
        yield from _runs(rows, tcp)
    if tail:
        yield PLAIN, tail


PLAIN = VNET.pack(0, 0, 0, 0, 0, 0)


def _tcp_at(data: memoryview, size: int) -> int:
    """Where the TCP header of the first packet starts; 0 if it can't be joined."""
    if size < 40 or data[0] >> 4 != 4 or data[9] != _PROTO_TCP or (data[6] << 8 | data[7]) & 0x3FFF:
        return 0
    tcp = (data[0] & 15) * 4
    header = tcp + (data[tcp + 12] >> 4) * 4 if 20 <= tcp <= size - 20 else 0
    return tcp if header and tcp + 20 <= header < size and (data[2] << 8 | data[3]) == size else 0


def _runs(rows: Bytes, tcp: int) -> Iterator[tuple[bytes, memoryview]]:
    header = tcp + (int(rows[0, tcp + 12]) >> 4) * 4
    payload = rows.shape[1] - header
    follows = _follows(rows, tcp, header, payload)
    edges = [0, *(np.flatnonzero(~follows) + 1).tolist(), len(rows)]
    for start, end in pairwise(edges):
        if end - start == 1:
            yield PLAIN, rows[start].data
        else:
            yield _joined(rows[start:end], tcp, header, payload)


def _follows(rows: Bytes, tcp: int, header: int, payload: int) -> NDArray[np.bool_]:
    """For each row but the first: whether it continues the previous one, and both checksums are right."""
    own = rows[:, :header].copy()
    sequence = own[:, tcp + 4 : tcp + 8].copy().view(">u4").reshape(-1).astype(np.int64)
    flags = own[:, tcp + 13].copy()
    for start, end in ((4, 6), (10, 12), (tcp + 4, tcp + 8), (tcp + 13, tcp + 14), (tcp + 16, tcp + 18)):
        own[:, start:end] = 0
    words = _words(rows)
    pseudo = np.uint32(_native_sum(struct.pack("!HH", _PROTO_TCP, rows.shape[1] - tcp)))
    sound = words[:, : tcp // 2].sum(axis=1, dtype=np.uint32) % np.uint32(0xFFFF) == 0
    inner = words[:, tcp // 2 :].sum(axis=1, dtype=np.uint32) + words[:, 6:10].sum(axis=1, dtype=np.uint32)
    sound &= (inner + pseudo) % np.uint32(0xFFFF) == 0
    same = (own[1:] == own[:-1]).all(axis=1)
    in_order = (sequence[1:] - sequence[:-1]) & 0xFFFFFFFF == payload
    # Only plain data is joined; only the last packet of a run may have PSH.
    plain = (flags[:-1] == _ACK) & (flags[1:] & ~np.uint8(_PSH) == _ACK)
    result: NDArray[np.bool_] = same & in_order & plain & sound[1:] & sound[:-1]
    return result


def _joined(rows: Bytes, tcp: int, header: int, payload: int) -> tuple[bytes, memoryview]:
    packet = np.empty(header + len(rows) * payload, np.uint8)
    packet[:header] = rows[0, :header]
    packet[header:].reshape(len(rows), payload)[:] = rows[:, header:]
    packet[tcp + 13] |= rows[-1, tcp + 13]
    view = packet.data
    struct.pack_into("!H", view, 2, len(packet))
    view[10:12] = b"\0\0"
    struct.pack_into("!H", view, 10, 0xFFFF - word_sum(view[:tcp]))
    pseudo = word_sum(bytes(view[12:20]) + struct.pack("!HH", _PROTO_TCP, len(packet) - tcp))
    struct.pack_into("!H", view, tcp + 16, pseudo)
    return VNET.pack(NEEDS_CSUM, GSO_TCPV4, header, payload, tcp, 16), view


# Checksums are computed on words in the machine's own byte order: the ones' complement sum of swapped words is the
# swapped sum (RFC 1071), and stored in the same order it is right again.


def _words(rows: Bytes) -> NDArray[np.uint16]:
    """The rows as 16-bit words, with a zero byte at the end where their length is odd."""
    if rows.shape[1] % 2:
        rows = np.pad(rows, ((0, 0), (0, 1)))
    return rows.view(np.uint16)


def _native_sum(data: bytes | bytearray) -> int:
    return int(np.frombuffer(bytes(data), np.uint16).sum(dtype=np.uint32))


def _complement(sums: NDArray[np.uint32]) -> NDArray[np.uint16]:
    """The checksum for a sum; headers are never all zeros, so a sum of 0 stands for 65535."""
    folded = sums % np.uint32(0xFFFF)
    return ((np.uint32(0xFFFF) - folded) % np.uint32(0xFFFF)).astype(np.uint16)


def _set16(rows: Bytes, at: int, values: NDArray[np.uint16]) -> None:
    rows[:, at : at + 2] = values.view(np.uint8).reshape(len(rows), 2)
