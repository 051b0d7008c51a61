"""A delta as netlink messages: the same change as `nftables.render`, for the price of the change alone. Pure."""

from collections.abc import Iterable, Iterator

from pybernetes.linux import nftexpr
from pybernetes.linux.errors import ProtocolError
from pybernetes.linux.nftexpr import ChoiceMap, Entry, Verdict
from pybernetes.linux.nftnl import Table
from pybernetes.linux.rtnl import Request
from pybernetes.proxy.family import TABLE, Family
from pybernetes.proxy.fragment import Delta, Element
from pybernetes.proxy.rules import (
    MARK,
    Chance,
    Drop,
    From,
    FromKnown,
    FromNode,
    Goto,
    GotoAny,
    Mark,
    Protocol,
    Remember,
    Rule,
    SendTo,
    Statement,
)

_FAMILIES = {4: nftexpr.IPV4, 6: nftexpr.IPV6}


class Messages:
    """Makes the messages of one family's table."""

    def __init__(self, family: Family) -> None:
        self._table = Table(_FAMILIES[family.version], TABLE)
        # A nameless map needs a name that no other has, for as long as the table lives.
        self._made = 0

    def requests(self, delta: Delta) -> list[Request]:
        """All of a delta, in an order that never refers to something missing.

        Raises ProtocolError for an address that is none.
        """
        table = self._table
        out: list[Request] = []
        for name, entries in _by_set(delta.remove_elements):
            out += table.delete_elements(name, [entry.key for entry in entries])
        out += [table.add_client_set(name, seconds) for name, seconds in delta.add_sets.items()]
        for chain in delta.write_chains:
            # To "add" a chain that is there would make the kernel wait, before the next change, for all readers.
            out.append(table.add_chain(chain) if chain in delta.new_chains else table.flush_chain(chain))
        for chain, rules in delta.write_chains.items():
            for rule in rules:
                out += self._rule(chain, rule)
        for name, entries in _by_set(delta.add_elements):
            out += table.add_elements(name, entries)
        out += [table.flush_chain(chain) for chain in delta.remove_chains]
        out += [table.delete_chain(chain) for chain in delta.remove_chains]
        out += [table.delete_set(name) for name in delta.remove_sets]
        return out

    def _rule(self, chain: str, rule: Rule) -> Iterator[Request]:
        expressions = []
        for statement in rule:
            choices = _entries(statement)
            if choices:
                made = self._choices(choices)
                yield from self._table.add_choices(made)
                random = nftexpr.goto_random(made) if isinstance(statement, GotoAny) else self._dnat(made)
                expressions.append(random)
            else:
                expressions.append(self._expression(statement))
        yield self._table.add_rule(chain, expressions)

    def _dnat(self, choices: ChoiceMap) -> bytes:
        return nftexpr.dnat_random(self._table.family, choices)

    def _choices(self, entries: list[Entry]) -> ChoiceMap:
        self._made += 1
        return ChoiceMap(f"__choice{self._made}", self._made & 0x7FFFFFFF, entries)

    def _expression(self, statement: Statement) -> bytes:
        family = self._table.family
        match statement:
            case Protocol(name):
                return nftexpr.match_protocol(name)
            case From(cidr):
                return nftexpr.match_source(cidr)
            case FromNode():
                return nftexpr.match_local_source()
            case FromKnown(clients):
                return nftexpr.match_source_in(family, clients)
            case Chance(of):
                return nftexpr.match_chance(of)
            case Remember(clients):
                return nftexpr.remember_source(family, clients)
            case Mark():
                return nftexpr.set_mark_bits(MARK)
            case Goto(chain):
                return nftexpr.verdict(Verdict(chain))
            case Drop():
                return nftexpr.verdict(Verdict())
            case SendTo(endpoints) if len(endpoints) == 1:
                return nftexpr.dnat(family, endpoints[0].ip, endpoints[0].port)
            case _:
                raise ProtocolError(f"nothing to choose from in {statement}")


def _entries(statement: Statement) -> list[Entry]:
    """What a statement chooses from by chance; empty where there is no choice."""
    match statement:
        case GotoAny(chains):
            return [Entry(nftexpr.number(n), Verdict(chain)) for n, chain in enumerate(chains)]
        case SendTo(endpoints) if len(endpoints) > 1:
            return [
                Entry(nftexpr.number(n), nftexpr.address(e.ip) + nftexpr.port(e.port)) for n, e in enumerate(endpoints)
            ]
    return []


def _by_set(elements: Iterable[Element]) -> list[tuple[str, list[Entry]]]:
    found: dict[str, list[Entry]] = {}
    for name, key, value in elements:
        found.setdefault(name, []).append(Entry(_key(key), _verdict(value)))
    return list(found.items())


def _key(text: str) -> bytes:
    """`10.96.0.1 . tcp . 80` as the kernel compares it."""
    return b"".join(_part(part) for part in text.split(" . "))


def _part(part: str) -> bytes:
    if part.isdecimal():
        return nftexpr.port(int(part))
    return nftexpr.protocol(part) if part.isalpha() else nftexpr.address(part)


def _verdict(text: str) -> Verdict | None:
    """`goto chain` or `drop`; nothing in a set."""
    if not text:
        return None
    return Verdict(text.removeprefix("goto ")) if text.startswith("goto ") else Verdict()
