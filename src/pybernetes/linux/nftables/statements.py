"""Statements that can be written both ways: as nft reads them, and as netlink expressions.

A test holds the two forms of each statement together: `nft list` must show the same rule for both.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pybernetes.linux.nftables import expressions
from pybernetes.linux.nftables.expressions import Entry, Verdict

if TYPE_CHECKING:
    from pybernetes.linux.nftables.table import Encoder

Destination = tuple[str, int]
"""(address, port)"""


@dataclass(frozen=True, slots=True)
class L4Protocol:
    """Match packets of a protocol: `tcp`, `udp` or `sctp`."""

    name: str

    def text(self, family: str) -> str:
        return f"meta l4proto {self.name}"

    def encode(self, encoder: Encoder) -> bytes:
        return expressions.match_protocol(self.name)


@dataclass(frozen=True, slots=True)
class SourceNetwork:
    """Match packets from a network."""

    cidr: str

    def text(self, family: str) -> str:
        return f"{family} saddr {self.cidr}"

    def encode(self, encoder: Encoder) -> bytes:
        return expressions.match_source(self.cidr)


@dataclass(frozen=True, slots=True)
class LocalSource:
    """Match packets that this node sent."""

    def text(self, family: str) -> str:
        return "fib saddr type local"

    def encode(self, encoder: Encoder) -> bytes:
        return expressions.match_local_source()


@dataclass(frozen=True, slots=True)
class SourceInSet:
    """Match packets whose source address is in a set."""

    name: str

    def text(self, family: str) -> str:
        return f"{family} saddr @{self.name}"

    def encode(self, encoder: Encoder) -> bytes:
        return expressions.match_source_in(encoder.family, self.name)


@dataclass(frozen=True, slots=True)
class OneIn:
    """Match one packet in `count`, at random."""

    count: int

    def text(self, family: str) -> str:
        return f"numgen random mod {self.count} 0"

    def encode(self, encoder: Encoder) -> bytes:
        return expressions.match_chance(self.count)


@dataclass(frozen=True, slots=True)
class UpdateSet:
    """Add the packet's source address to a set, or restart its timeout there."""

    name: str

    def text(self, family: str) -> str:
        return f"update @{self.name} {{ {family} saddr }}"

    def encode(self, encoder: Encoder) -> bytes:
        return expressions.remember_source(encoder.family, self.name)


@dataclass(frozen=True, slots=True)
class SetMarkBits:
    """Set bits of the packet's mark."""

    bits: int

    def text(self, family: str) -> str:
        return f"meta mark set meta mark | {self.bits:#x}"

    def encode(self, encoder: Encoder) -> bytes:
        return expressions.set_mark_bits(self.bits)


@dataclass(frozen=True, slots=True)
class Goto:
    """Continue in another chain."""

    chain: str

    def text(self, family: str) -> str:
        return f"goto {self.chain}"

    def encode(self, encoder: Encoder) -> bytes:
        return expressions.verdict(Verdict(self.chain))


@dataclass(frozen=True, slots=True)
class GotoRandom:
    """Continue in one of several chains, chosen at random."""

    chains: tuple[str, ...]

    def text(self, family: str) -> str:
        choices = ", ".join(f"{n} : goto {chain}" for n, chain in enumerate(self.chains))
        return f"numgen random mod {len(self.chains)} vmap {{ {choices} }}"

    def encode(self, encoder: Encoder) -> bytes:
        entries = [Entry(expressions.number(n), Verdict(chain)) for n, chain in enumerate(self.chains)]
        return expressions.goto_random(encoder.choices(entries))


@dataclass(frozen=True, slots=True)
class Drop:
    """Drop the packet."""

    def text(self, family: str) -> str:
        return "drop"

    def encode(self, encoder: Encoder) -> bytes:
        return expressions.verdict(Verdict())


@dataclass(frozen=True, slots=True)
class Dnat:
    """Send the connection to one of several destinations, chosen at random."""

    destinations: tuple[Destination, ...]

    def text(self, family: str) -> str:
        if len(self.destinations) == 1:
            ((ip, port),) = self.destinations
            return f"dnat {family} to {f'[{ip}]' if ':' in ip else ip}:{port}"
        choices = ", ".join(f"{n} : {ip} . {port}" for n, (ip, port) in enumerate(self.destinations))
        return f"dnat {family} addr . port to numgen random mod {len(self.destinations)} map {{ {choices} }}"

    def encode(self, encoder: Encoder) -> bytes:
        if len(self.destinations) == 1:
            return expressions.dnat(encoder.family, *self.destinations[0])
        entries = [
            Entry(expressions.number(n), expressions.address(ip) + expressions.port(port))
            for n, (ip, port) in enumerate(self.destinations)
        ]
        return expressions.dnat_random(encoder.family, encoder.choices(entries))
