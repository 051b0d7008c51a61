"""The udp backend's packets: TTL, ICMP answers, segmentation and reassembly as in the kernel."""

from __future__ import annotations

import random
import socket
import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pybernetes.flannel.backends.udp import batch
from pybernetes.flannel.backends.udp import packets as packets
from pybernetes.flannel.backends.udp import segments as segments


def slow_sum(data: bytes | bytearray) -> int:
    """RFC 1071, the simplest implementation."""
    total = 0
    for at in range(0, len(data), 2):
        total += int.from_bytes(data[at : at + 2].ljust(2, b"\0"), "big")
        total = (total & 0xFFFF) + (total >> 16)
    return total


def ip(
    proto: int, payload: bytes, *, ttl: int = 64, ident: int = 7, src: str = "0af40101", dst: str = "0af40201"
) -> bytes:
    head = bytearray(struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(payload), ident, 0x4000, ttl, proto, 0))
    head += bytes.fromhex(src + dst)
    struct.pack_into("!H", head, 10, 0xFFFF - slow_sum(head))
    return bytes(head) + payload


def tcp(
    body: bytes, *, seq: int = 1000, flags: int = 0x10, options: bytes = b"", ttl: int = 64, ident: int = 7
) -> bytes:
    words = 5 + len(options) // 4
    head = bytearray(struct.pack("!HHIIBBHHH", 4000, 5201, seq % 2**32, 77, words << 4, flags, 500, 0, 0) + options)
    packet = bytes(head) + body
    pseudo = bytes.fromhex("0af401010af40201") + struct.pack("!HH", 6, len(packet))
    struct.pack_into("!H", head, 16, 0xFFFF - slow_sum(pseudo + packet + b"\0" * (len(packet) % 2)))
    return ip(6, bytes(head) + body, ttl=ttl, ident=ident)


@given(st.binary(max_size=300))
def test_the_fast_sum_is_the_slow_one(data: bytes) -> None:
    assert packets.word_sum(data) == slow_sum(data)


@given(st.integers(2, 255), st.integers(0, 65535))
def test_decrementing_the_ttl_keeps_the_checksum_right(ttl: int, ident: int) -> None:
    packet = bytearray(ip(17, b"x", ttl=ttl, ident=ident))
    assert packets.age(packet)
    assert packet[8] == ttl - 1 and slow_sum(packet[:20]) == 0xFFFF


@pytest.mark.parametrize("ttl", [0, 1])
def test_a_packet_whose_ttl_has_expired(ttl: int) -> None:
    assert not packets.age(bytearray(ip(17, b"x", ttl=ttl)))


@given(st.binary(max_size=80))
def test_garbage_has_no_length(data: bytes) -> None:
    length = packets.total_length(bytearray(data))
    assert 0 <= length <= len(data)


@pytest.mark.parametrize("data", [b"", b"\x45" * 19, b"\x60" + b"\0" * 60, b"\x44" + b"\0" * 60, ip(17, b"12345")[:-1]])
def test_data_that_is_not_an_ipv4_packet(data: bytes) -> None:
    assert packets.total_length(bytearray(data)) == 0


def test_the_icmp_answer_for_an_unknown_destination() -> None:
    offender = ip(17, b"12345678rest")
    answer = packets.unreachable(bytearray(offender))
    assert answer[:2] == b"\x03\x00" and answer[8:] == offender[:28]
    assert slow_sum(answer) == 0xFFFF


def test_no_answer_to_icmp_and_later_fragments() -> None:
    fragment = bytearray(ip(17, b"12345678"))
    fragment[7] = 5
    assert packets.unreachable(bytearray(ip(1, b"12345678"))) == b""
    assert packets.unreachable(fragment) == b""


OPTIONS = st.sampled_from([b"", b"\1\1\x08\x0a" + b"12345678"])


def large(body: bytes, seq: int, flags: int, options: bytes) -> tuple[bytes, int]:
    return tcp(body, seq=seq, flags=flags, options=options), 20


@given(
    st.integers(1, 20_000), st.integers(1, 1448), st.integers(0, 2**32 - 1),
    st.sampled_from([0x10, 0x18, 0x11, 0x90]), OPTIONS, st.integers(0, 65535),
)  # fmt: skip
@settings(deadline=None)
def test_a_large_packet_is_divided_as_the_kernel_would(
    length: int, payload: int, seq: int, flags: int, options: bytes, ident: int
) -> None:
    body = random.Random(length).randbytes(length)
    packet = tcp(body, seq=seq, flags=flags, options=options, ident=ident)
    want = [
        tcp(
            body[at : at + payload],
            seq=seq + at,
            options=options,
            ident=(ident + at // payload) % 65536,
            flags=flags & ~(0x09 if at + payload < length else 0) & ~(0x80 if at else 0),
        )
        for at in range(0, length, payload)
    ]
    got = []
    for burst in segments.divide(memoryview(packet), payload, 20):
        assert len(burst.data) <= segments.MAX_PAYLOAD and len(burst.data) <= burst.size * segments.MAX_DATAGRAMS
        got += [bytes(burst.data[at : at + burst.size]) for at in range(0, len(burst.data), burst.size)]
    assert got == want


def test_the_largest_packet_makes_two_bursts_of_nearly_one_size() -> None:
    packet = memoryview(tcp(bytes(65_495), seq=1, flags=0x10, options=b"", ident=1))
    first, second = segments.divide(packet, 1392, 20)
    assert len(packet) == 65_535
    assert len(first.data) // first.size == 24 and -(-len(second.data) // second.size) == 24


def joined(parts: list[bytes]) -> list[tuple[bytes, bytes]]:
    return [(bytes(h), bytes(p)) for h, p in segments.join(memoryview(bytearray(b"".join(parts))), len(parts[0]))]


@given(st.integers(2, 40), st.integers(1, 1448), OPTIONS, st.integers(0, 2**32 - 1), st.booleans())
@settings(deadline=None)
def test_divided_packets_are_joined_again(count: int, payload: int, options: bytes, seq: int, push: bool) -> None:
    body = random.Random(count).randbytes(count * payload)
    last = 0x18 if push else 0x10
    parts = [
        tcp(body[n * payload : (n + 1) * payload], seq=seq + n * payload, options=options,
            flags=last if n == count - 1 else 0x10, ident=n)
        for n in range(count)
    ]  # fmt: skip
    ((header, packet),) = joined(parts)
    flags, kind, length, size, start, offset = segments.VNET.unpack(header)
    assert (flags, kind, length, size, start, offset) == (1, 1, 40 + len(options), payload, 20, 16)
    complete = bytearray(packet)
    packets.complete_checksum(complete, start, offset)
    assert bytes(complete) == tcp(body, seq=seq, options=options, flags=last, ident=0)


BODY = b"12345678"


@pytest.mark.parametrize(
    "parts",
    [
        [tcp(BODY, seq=0), tcp(BODY, seq=9)],
        [tcp(BODY, seq=0), tcp(BODY, seq=8, flags=0x11)],
        [tcp(BODY, seq=0, flags=0x18), tcp(BODY, seq=8)],
        [tcp(BODY, seq=0), tcp(BODY, seq=8, ttl=9)],
        [tcp(BODY, seq=0), tcp(BODY, seq=8)[:-1] + b"!"],
        [tcp(BODY, seq=0)[:-1] + b"!", tcp(BODY, seq=8)],
        [tcp(b"", seq=0), tcp(b"", seq=0)],
        [ip(17, BODY), ip(17, BODY)],
        [b"\x45" + b"\xff" * 59, b"\x45" + b"\xff" * 59],
    ],
)
def test_packets_of_different_streams_are_not_joined(parts: list[bytes]) -> None:
    assert joined(parts) == [(segments.PLAIN, part) for part in parts]


def test_two_streams_in_one_burst_are_separated() -> None:
    one = [tcp(BODY, seq=n * 8, ident=n) for n in range(3)]
    two = [tcp(BODY, seq=900 + n * 8, ident=n) for n in range(2)]
    found = joined([*one, *two, b"tail"])
    assert [len(packet) for _, packet in found] == [40 + 24, 40 + 16, 4]


@given(st.binary(min_size=1, max_size=400), st.integers(1, 200))
@settings(deadline=None)
def test_any_burst_is_reassembled(data: bytes, size: int) -> None:
    assert b"".join(bytes(p) for h, p in segments.join(memoryview(bytearray(data)), size)) == data


def test_a_datagram_keeps_its_address_until_it_is_sent() -> None:
    """The routing table may be replaced between the two."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock, socket.socket(socket.AF_INET, 2) as there:
        there.bind(("127.0.0.1", 0))
        there.settimeout(5)
        sender = batch.Sender(sock.fileno(), 0)
        for _ in range(batch.SLOTS):
            sender.views[sender.slot][:2] = b"hi"
            sender.add(2, batch.sockaddr(*there.getsockname()))
            others = [batch.sockaddr("127.0.0.9", 9) for _ in range(50)]
        assert sender.flush() == 0 and others
        assert [there.recv(9) for _ in range(batch.SLOTS)] == [b"hi"] * batch.SLOTS
