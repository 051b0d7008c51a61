"""Messages: queries are parsed; malformed packets get an error or no answer."""

from hypothesis import given
from hypothesis import strategies as st

from pybernetes.api.core.service import Service, ServiceSpec
from pybernetes.api.meta import ObjectMeta
from pybernetes.dns import wire
from pybernetes.dns.answers import Forward, Responder
from pybernetes.dns.zone import Zone


def question(name: str, qtype: int = wire.A, *, ident: int = 7, edns: int = 0) -> bytes:
    opt = b"\0" + wire.OPT.to_bytes(2, "big") + edns.to_bytes(2, "big") + bytes(6) if edns else b""
    head = wire.HEADER.pack(ident, wire.RD, 1, 0, 0, 1 if edns else 0)
    return head + wire.write_name(name) + qtype.to_bytes(2, "big") + b"\0\1" + opt


def responder() -> Responder:
    zone = Zone()
    for n in range(40):
        meta = ObjectMeta(name=f"s{n}", namespace="a")
        zone.update(Service(metadata=meta, spec=ServiceSpec(cluster_ip=f"10.0.0.{n}", type="ClusterIP")), [])
    return Responder(zone)


def answer(packet: bytes, *, tcp: bool = False) -> bytes:
    result = responder().respond(packet, tcp=tcp)
    assert isinstance(result, bytes)
    return result


def rcode(packet: bytes) -> int:
    return packet[3] & 0xF


def test_the_answer_repeats_the_question_unchanged() -> None:
    packet = question("S1.A.svc.Cluster.local")
    reply = answer(packet)
    assert reply[:2] == packet[:2]
    assert b"\x02S1\x01A" in reply
    assert reply.endswith(bytes([10, 0, 0, 1]))


def test_a_cached_answer_gets_the_id_of_the_new_query() -> None:
    served = responder()
    first = served.respond(question("s1.a.svc.cluster.local", ident=1))
    second = served.respond(question("s1.a.svc.cluster.local", ident=2))
    assert isinstance(first, bytes) and isinstance(second, bytes)
    assert first[:2] == b"\0\1" and second[:2] == b"\0\2" and first[2:] == second[2:]


def test_negative_answers_carry_the_soa() -> None:
    assert rcode(answer(question("no.a.svc.cluster.local"))) == wire.NXDOMAIN
    empty = answer(question("s1.a.svc.cluster.local", wire.AAAA))
    assert rcode(empty) == wire.NOERROR
    assert int.from_bytes(empty[8:10], "big") == 1


def test_names_outside_are_forwarded() -> None:
    assert isinstance(responder().respond(question("example.org")), Forward)
    assert isinstance(responder().respond(question("1.2.3.4.in-addr.arpa", wire.PTR)), Forward)


def test_other_opcodes_and_classes_are_refused() -> None:
    packet = bytearray(question("s1.a.svc.cluster.local"))
    packet[2] |= 0x10
    assert rcode(answer(bytes(packet))) == wire.NOTIMP
    chaos = question("s1.a.svc.cluster.local")[:-1] + b"\3"
    assert rcode(answer(chaos)) == wire.REFUSED


def test_a_long_answer_is_truncated_over_udp_and_complete_over_tcp() -> None:
    query = wire.read_query(question("s1.a.svc.cluster.local"))
    records = [wire.Record(query.name, wire.A, 5, bytes([10, 0, n // 256, n % 256])) for n in range(200)]
    cut = wire.write_answer(query, 0, records, size=512)
    assert len(cut) <= 512 and cut[2] & (wire.TC >> 8)
    assert int.from_bytes(wire.write_answer(query, 0, records, size=65535)[6:8], "big") == 200


def test_a_pointer_loop_ends() -> None:
    loop = wire.HEADER.pack(1, 0, 1, 0, 0, 0) + b"\xc0\x0c\0\1\0\1"
    assert rcode(answer(loop)) == wire.FORMERR


def test_responses_get_no_answer() -> None:
    assert responder().respond(wire.HEADER.pack(1, wire.QR, 1, 0, 0, 0) + b"\0\0\1\0\1") is None


@given(st.binary(max_size=600), st.booleans())
def test_garbage_never_raises(packet: bytes, tcp: bool) -> None:
    result = responder().respond(packet, tcp=tcp)
    assert result is None or isinstance(result, (bytes, Forward))


@given(st.binary(max_size=60), st.integers(0, 65535))
def test_garbage_behind_a_good_header_never_raises(rest: bytes, count: int) -> None:
    responder().respond(wire.HEADER.pack(1, wire.RD, 1, 0, 0, count) + rest)


def test_many_different_names_neither_exhaust_the_memory_nor_disable_the_cache() -> None:
    made = responder()
    made.respond(question("a" * 60 + ".cluster.local") + bytes(4000))
    assert not made._cache, "a long packet is answered but not cached"
    for number in range(10_001):
        made.respond(question(f"no-{number}.cluster.local"))
    assert len(made._cache) <= 10_000
    known = question("web.a.svc.cluster.local")
    made.respond(known)
    assert known[2:] in made._cache
