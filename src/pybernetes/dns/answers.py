"""From a packet to an answer, without I/O. Questions about names outside the zone are left to the forwarder."""

from dataclasses import dataclass

from pybernetes.dns import wire
from pybernetes.dns.wire import FormatError, Query
from pybernetes.dns.zone import Zone

#: How many answers are cached, and the longest packet whose answer is cached: a client must not fill the memory.
_CACHE = 10_000
_CACHED_QUESTION = 320


@dataclass(frozen=True, slots=True)
class Forward:
    """A question for an upstream server. `alias` is set if a CNAME in the zone leads to a name outside of it."""

    query: Query
    packet: bytes
    alias: str = ""
    prefix: tuple[wire.Record, ...] = ()


class Responder:
    """Answers packets. Answers are cached by the bytes of the question until the zone changes."""

    def __init__(self, zone: Zone) -> None:
        self._zone = zone
        self._serial = zone.serial
        self._cache: dict[bytes, bytes] = {}
        self._cache_tcp: dict[bytes, bytes] = {}

    def respond(self, packet: bytes, *, tcp: bool = False) -> bytes | Forward | None:
        """The answer, or what to forward, or None if the packet gets no answer."""
        if self._serial != self._zone.serial:
            self._serial = self._zone.serial
            self._cache.clear()
            self._cache_tcp.clear()
        cache = self._cache_tcp if tcp else self._cache
        known = cache.get(packet[2:])
        if known is not None:
            return packet[:2] + known
        result = self._compute(packet, tcp)
        if isinstance(result, bytes) and len(packet) <= _CACHED_QUESTION:
            if len(cache) >= _CACHE:
                cache.clear()  # names that clients really use are soon cached again
            cache[packet[2:]] = result[2:]
        return result

    def _compute(self, packet: bytes, tcp: bool) -> bytes | Forward | None:
        try:
            query = wire.read_query(packet)
        except FormatError:
            return wire.failure(packet, wire.FORMERR)
        size = 65535 if tcp else query.udp_size
        if query.opcode != 0:
            return wire.write_answer(query, wire.NOTIMP, authoritative=False, size=size)
        if query.qclass not in (wire.IN, wire.ANY):
            return wire.write_answer(query, wire.REFUSED, authoritative=False, size=size)
        if query.name.endswith((".in-addr.arpa", ".ip6.arpa")):
            record = self._zone.lookup_reverse(query.name)
            if record is None:
                return Forward(query, packet)
            wanted = [record] if query.qtype in (wire.PTR, wire.ANY) else []
            return wire.write_answer(query, wire.NOERROR, wanted, () if wanted else [self._zone.soa()], size=size)
        if not self._zone.covers(query.name):
            return Forward(query, packet)
        return self._from_zone(query, packet, size)

    def _from_zone(self, query: Query, packet: bytes, size: int) -> bytes | Forward:
        answer = self._zone.lookup(query.name, query.qtype)
        if answer.alias:
            if not self._zone.covers(answer.alias):
                return Forward(query, packet, answer.alias, answer.records)
            target = self._zone.lookup(answer.alias, query.qtype)
            return wire.write_answer(query, wire.NOERROR, [*answer.records, *target.records], size=size)
        if answer.records:
            return wire.write_answer(query, wire.NOERROR, answer.records, (), answer.additional, size=size)
        rcode = wire.NOERROR if answer.exists else wire.NXDOMAIN
        return wire.write_answer(query, rcode, (), [self._zone.soa()], size=size)
