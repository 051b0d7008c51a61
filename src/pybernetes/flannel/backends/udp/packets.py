"""IPv4 packets in the udp backend: validate, decrement the TTL, answer. No I/O; buffers are changed in place."""

from __future__ import annotations

import struct

IPV4_HEADER = 20
_PROTO_ICMP = 1

Buffer = bytearray | memoryview


def word_sum(data: bytes | bytearray | memoryview) -> int:
    """The ones' complement sum of the 16-bit words, RFC 1071: the bytes as one number, modulo 65535."""
    number = int.from_bytes(data, "big")
    if len(data) % 2:
        number <<= 8
    return number % 0xFFFF or (0xFFFF if number else 0)


def fold(number: int) -> int:
    """A sum of several such sums as one."""
    return number % 0xFFFF or (0xFFFF if number else 0)


def total_length(packet: Buffer) -> int:
    """The length of the IPv4 packet at the start of the buffer; 0 if there is none."""
    if len(packet) < IPV4_HEADER or packet[0] >> 4 != 4:
        return 0
    header, total = (packet[0] & 15) * 4, packet[2] << 8 | packet[3]
    return total if IPV4_HEADER <= header <= total <= len(packet) else 0


def age(packet: Buffer) -> bool:
    """Decrement the TTL and update the checksum, RFC 1624; False when the TTL has expired."""
    if packet[8] <= 1:
        return False
    packet[8] -= 1
    total = (packet[10] << 8 | packet[11]) + 0x100
    total = (total & 0xFFFF) + (total >> 16)
    packet[10], packet[11] = total >> 8, total & 0xFF
    return True


def complete_checksum(packet: Buffer, start: int, offset: int) -> None:
    """Fill in the checksum that the kernel left to the device. It is at `start + offset` and covers the rest of
    the packet; the field holds the sum of the pseudo header.
    """
    at = start + offset
    if at + 2 <= len(packet):
        struct.pack_into("!H", packet, at, (0xFFFF - word_sum(packet[start:])) or 0xFFFF)


def unreachable(packet: Buffer) -> bytes:
    """The ICMP answer "network unreachable", without an IP header; empty if none may be sent, RFC 792."""
    header = (packet[0] & 15) * 4
    fragment = (packet[6] << 8 | packet[7]) & 0x1FFF
    if packet[9] == _PROTO_ICMP or fragment:
        return b""
    icmp = bytearray(struct.pack("!BBHI", 3, 0, 0, 0) + packet[: header + 8])
    struct.pack_into("!H", icmp, 2, 0xFFFF - word_sum(icmp))
    return bytes(icmp)
