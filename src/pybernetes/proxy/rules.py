"""Rules of a virtual server as data: what a rule asks of a packet, and what it does with it. Pure.

A rule is a tuple of statements. `text` writes it the way `nft` reads it; `nft_messages` writes the very same as
netlink messages, and a test holds the two together.
"""

from dataclasses import dataclass

from pybernetes.proxy.family import Family
from pybernetes.proxy.model import Endpoint

MARK = 0x4000
"""On packets that are to be masqueraded."""


@dataclass(frozen=True, slots=True)
class Protocol:
    """Only packets of a protocol: `tcp`, `udp` or `sctp`."""

    name: str


@dataclass(frozen=True, slots=True)
class From:
    """Only packets from a network."""

    cidr: str


@dataclass(frozen=True, slots=True)
class FromNode:
    """Only packets from this node itself."""


@dataclass(frozen=True, slots=True)
class FromKnown:
    """Only packets from clients in a set."""

    clients: str


@dataclass(frozen=True, slots=True)
class Chance:
    """Only one packet in so many."""

    of: int


@dataclass(frozen=True, slots=True)
class Remember:
    """Put the client into a set, or keep it there for longer."""

    clients: str


@dataclass(frozen=True, slots=True)
class Mark:
    """Have the packet masqueraded."""


@dataclass(frozen=True, slots=True)
class Goto:
    """Go on in another chain."""

    chain: str


@dataclass(frozen=True, slots=True)
class GotoAny:
    """Go on in one of several chains, by chance."""

    chains: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Drop:
    """That was it."""


@dataclass(frozen=True, slots=True)
class SendTo:
    """Send the connection to one of the endpoints, by chance."""

    endpoints: tuple[Endpoint, ...]


Statement = Protocol | From | FromNode | FromKnown | Chance | Remember | Mark | Goto | GotoAny | Drop | SendTo
Rule = tuple[Statement, ...]


def text(rule: Rule, family: Family) -> str:
    """A rule in nft's words."""
    return " ".join(_words(statement, family) for statement in rule)


def _words(statement: Statement, family: Family) -> str:
    match statement:
        case Protocol(name):
            return f"meta l4proto {name}"
        case From(cidr):
            return f"{family.word} saddr {cidr}"
        case FromNode():
            return "fib saddr type local"
        case FromKnown(clients):
            return f"{family.word} saddr @{clients}"
        case Chance(of):
            return f"numgen random mod {of} 0"
        case Remember(clients):
            return f"update @{clients} {{ {family.word} saddr }}"
        case Mark():
            return f"meta mark set meta mark | {MARK:#x}"
        case Goto(chain):
            return f"goto {chain}"
        case GotoAny(chains):
            choices = ", ".join(f"{n} : goto {chain}" for n, chain in enumerate(chains))
            return f"numgen random mod {len(chains)} vmap {{ {choices} }}"
        case Drop():
            return "drop"
        case SendTo(endpoints):
            return _dnat(endpoints, family)


def _dnat(endpoints: tuple[Endpoint, ...], family: Family) -> str:
    if len(endpoints) == 1:
        host = endpoints[0].ip if family.version == 4 else f"[{endpoints[0].ip}]"
        return f"dnat {family.word} to {host}:{endpoints[0].port}"
    choices = ", ".join(f"{n} : {e.ip} . {e.port}" for n, e in enumerate(endpoints))
    return f"dnat {family.word} addr . port to numgen random mod {len(endpoints)} map {{ {choices} }}"
