"""A change of a table as netlink messages: the same steps as in a `Script`, at a cost that depends on the change alone.

Nothing is sent here; `netlink.Session.commit` does.
"""

from collections.abc import Iterable

from pybernetes.linux.nftables import expressions
from pybernetes.linux.nftables.expressions import ChoiceMap, Entry, Verdict
from pybernetes.linux.nftables.fragments import Delta
from pybernetes.linux.nftables.netlink import Messages
from pybernetes.linux.nftables.table import Rule, Set
from pybernetes.linux.rtnl import Request

FAMILIES = {"ip": expressions.IPV4, "ip6": expressions.IPV6}


class Batch:
    """Collects the messages of one transaction. Methods raise ProtocolError for an address that is malformed."""

    def __init__(self, messages: Messages, first_choice: int) -> None:
        self._messages = messages
        self.family = messages.family
        self.requests: list[Request] = []
        self.choices_made = first_choice

    def add_set(self, made: Set) -> None:
        self.requests.append(self._messages.add_client_set(made.name, made.seconds))

    def delete_set(self, name: str) -> None:
        self.requests.append(self._messages.delete_set(name))

    def add_chain(self, name: str) -> None:
        self.requests.append(self._messages.add_chain(name))

    def flush_chain(self, name: str) -> None:
        self.requests.append(self._messages.flush_chain(name))

    def delete_chain(self, name: str) -> None:
        self.requests.append(self._messages.delete_chain(name))

    def add_rule(self, chain: str, rule: Rule) -> None:
        encoded = [statement.encode(self) for statement in rule.statements]
        self.requests.append(self._messages.add_rule(chain, encoded, rule.reason))

    def choices(self, entries: list[Entry]) -> ChoiceMap:
        """The anonymous map of a rule; its messages come before the rule's own."""
        self.choices_made += 1
        made = ChoiceMap(f"__choice{self.choices_made}", self.choices_made & 0x7FFFFFFF, entries)
        self.requests += self._messages.add_choices(made)
        return made

    def add_elements(self, name: str, entries: Iterable[tuple[str, str]]) -> None:
        encoded = [Entry(_key(key), _verdict(value)) for key, value in entries]
        self.requests += self._messages.add_elements(name, encoded)

    def delete_elements(self, name: str, entries: Iterable[tuple[str, str]]) -> None:
        self.requests += self._messages.delete_elements(name, [_key(key) for key, _ in entries])


class Batches:
    """Makes the batches of one table for as long as the table lives.

    An anonymous map needs a name that no other has; the kernel would have to search all sets of the table for one.
    """

    def __init__(self, family: str, table: str) -> None:
        self._messages = Messages(FAMILIES[family], table)
        self._choices_made = 0

    def requests(self, delta: Delta) -> list[Request]:
        """All messages of a delta. Raises ProtocolError for an address or port that is malformed."""
        batch = Batch(self._messages, self._choices_made)
        delta.write(batch)
        self._choices_made = batch.choices_made
        return batch.requests


def _key(text: str) -> bytes:
    """`10.96.0.1 . tcp . 80` as the kernel compares it."""
    return b"".join([_part(part) for part in text.split(" . ")])


def _part(part: str) -> bytes:
    if part.isdecimal():
        return expressions.port(int(part))
    return expressions.protocol(part) if part.isalpha() else expressions.address(part)


def _verdict(text: str) -> Verdict | None:
    """`goto chain` or `drop`; nothing in a set."""
    if not text:
        return None
    return Verdict(text.removeprefix("goto ")) if text.startswith("goto ") else Verdict()
