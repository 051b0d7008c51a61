"""Address ranges of host-local as numbers, and the order in which addresses are tried. Pure."""

from __future__ import annotations

from pybernetes.cni.errors import invalid_config
from pybernetes.linux.ipmsg import pack, split, unpack

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from pybernetes.cni.settings import Settings


class Range:
    """Consecutive addresses of one subnet, with their gateway."""

    __slots__ = ("bits", "end", "gateway", "prefix", "start", "subnet")

    def __init__(self, source: Settings) -> None:
        """From `{subnet, rangeStart, rangeEnd, gateway}`. Raises CniError if they contradict each other."""
        cidr = source.text("subnet")
        try:
            raw, self.prefix = split(cidr)
        except ValueError as bad:
            raise invalid_config(f"range: subnet {cidr!r} is not a CIDR") from bad
        self.bits = len(raw) * 8
        free = self.bits - self.prefix
        if free < 2:
            raise invalid_config(f"Network {cidr} too small to allocate from")
        self.subnet = int.from_bytes(raw, "big")
        if self.subnet & ((1 << free) - 1):
            raise invalid_config(f"Network has host bits set. For {cidr} write {self._first(free)}")
        # IPv4 reserves the last address for broadcast; IPv6 does not.
        last = self.subnet + (1 << free) - 1 - (1 if self.bits == 32 else 0)
        self.gateway = self._inside(source, "gateway", self.subnet + 1)
        self.start = self._inside(source, "rangeStart", self.subnet + 1)
        self.end = self._inside(source, "rangeEnd", last)
        if self.start > self.end:
            raise invalid_config(f"range: rangeStart {self.text(self.start)} after rangeEnd {self.text(self.end)}")

    def _first(self, free: int) -> str:
        return f"{self.text(self.subnet >> free << free)}/{self.prefix}"

    def _inside(self, source: Settings, key: str, default: int) -> int:
        value = source.address(key)
        if not value:
            return default
        raw = pack(value)
        number = int.from_bytes(raw, "big")
        if len(raw) * 8 != self.bits or number >> (self.bits - self.prefix) != self.subnet >> (self.bits - self.prefix):
            raise invalid_config(f"range: {key} {value} is not in network {source.text('subnet')}")
        return number

    def text(self, number: int) -> str:
        """An address as text."""
        return unpack(number.to_bytes(self.bits // 8, "big"))

    def number(self, ip: str) -> int | None:
        """An address as a number; None if it is not in this range."""
        try:
            raw = pack(ip)
        except ValueError:
            return None
        number = int.from_bytes(raw, "big")
        return number if len(raw) * 8 == self.bits and self.start <= number <= self.end else None

    def __str__(self) -> str:
        return f"{self.text(self.start)}-{self.text(self.end)}"


RangeSet = list[Range]
"""Ranges of one family; a pod gets one address out of each set."""


def read_sets(ipam: Settings, runtime: Settings) -> list[RangeSet]:
    """The range sets of an `ipam` section: from the runtime, from the old `subnet` keys, from `ranges`."""
    raw = runtime.lists_of_sections("ipRanges")
    if ipam.text("subnet"):
        raw.append([ipam])
    raw += ipam.lists_of_sections("ranges")
    if not raw:
        raise invalid_config("no IP ranges specified: ipam needs 'ranges' or 'subnet'")
    sets = []
    for entries in raw:
        if not entries:
            raise invalid_config("ipam.ranges: expected a list of non-empty lists of ranges")
        sets.append([Range(entry) for entry in entries])
    _refuse_overlaps(sets)
    return sets


def _refuse_overlaps(sets: list[RangeSet]) -> None:
    seen: list[Range] = []
    for one in sets:
        if len({r.bits for r in one}) > 1:
            raise invalid_config("a range set holds addresses of one family only")
        for r in one:
            for other in seen:
                if r.bits == other.bits and r.start <= other.end and other.start <= r.end:
                    raise invalid_config(f"subnets {r} and {other} overlap")
            seen.append(r)


def candidates(ranges: RangeSet, last: str) -> Iterator[tuple[Range, int]]:
    """Every address of a set except gateways, once, starting after the last allocated one (round robin).

    A released address is reused late, when ARP and conntrack entries of its previous pod have expired.
    """
    place, after = 0, None
    for index, one in enumerate(ranges):
        number = one.number(last) if last else None
        if number is not None:
            place, after = index, number
            break
    order = ranges[place:] + ranges[:place]
    first = order[0]
    begin = first.start if after is None else after + 1
    spans = [(first, begin, first.end), *((r, r.start, r.end) for r in order[1:]), (first, first.start, begin - 1)]
    for one, low, high in spans:
        for number in range(low, high + 1):
            if number != one.gateway:
                yield one, number
