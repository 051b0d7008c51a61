"""An nftables table as values. Nothing here talks to the kernel; `script` and `batch` write what is described.

Rules are statements. Most are `Text`, in nft's own language; those of `statements` can also be sent over netlink.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Protocol

    from pybernetes.linux.nftables.expressions import ChoiceMap, Entry

    class Encoder(Protocol):
        """Turns statements into netlink expressions for one table."""

        family: int
        """AF_INET or AF_INET6"""

        def choices(self, entries: list[Entry]) -> ChoiceMap:
            """Create the anonymous map that a rule chooses from."""

    class Statement(Protocol):
        """One part of a rule: what it matches, or what it does with a packet."""

        def text(self, family: str) -> str:
            """The statement in nft's language, in a table of `family` (`ip`, `ip6`, `inet`, `bridge`)."""

        def encode(self, encoder: Encoder) -> bytes:
            """The statement as netlink expressions. Raises ProtocolError if it has no such form."""


COMMENT_BYTES = 127
"""NFTNL_UDATA_COMMENT_MAXLEN without the terminating zero"""


class Text:
    """A statement, or several, in nft's own language. Can only be written by `nft`."""

    __slots__ = ("words",)

    def __init__(self, words: str) -> None:
        self.words = words

    def text(self, family: str) -> str:
        return self.words

    def encode(self, encoder: Encoder) -> bytes:
        from pybernetes.linux.errors import ProtocolError

        raise ProtocolError(f"only nft can write {self.words!r}")

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Text) and self.words == other.words

    def __hash__(self) -> int:
        return hash(self.words)


class Rule:
    """Statements that are evaluated from left to right; `reason` becomes the rule's comment."""

    __slots__ = ("reason", "statements")

    def __init__(self, *statements: Statement, reason: str = "") -> None:
        self.statements = statements
        self.reason = comment_text(reason) if reason else ""

    def text(self, family: str) -> str:
        """The rule as it follows `add rule <family> <table> <chain>`."""
        words = " ".join([statement.text(family) for statement in self.statements])
        return f'{words} comment "{self.reason}"' if self.reason else words

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Rule) and self.statements == other.statements and self.reason == other.reason

    def __hash__(self) -> int:
        return hash(self.statements)

    def __repr__(self) -> str:
        return f"Rule({self.text('ip')})"


def rule(words: str, reason: str = "") -> Rule:
    """A rule in nft's own language."""
    return Rule(Text(words), reason=reason)


def comment_text(text: str) -> str:
    """A comment that nft accepts: its strings cannot contain quotes, and the kernel limits their length."""
    return text.replace('"', "").encode("utf-8", "replace")[:COMMENT_BYTES].decode("utf-8", "ignore")


class Hook:
    """Where in the kernel a base chain is called."""

    __slots__ = ("hook", "kind", "policy", "priority")

    def __init__(self, kind: str, hook: str, priority: str, policy: str = "accept") -> None:
        self.kind = kind
        """`filter`, `nat` or `route`"""
        self.hook = hook
        self.priority = priority
        """A number or one of nft's names for it, such as `srcnat - 1`."""
        self.policy = policy

    def text(self) -> str:
        return f"type {self.kind} hook {self.hook} priority {self.priority}; policy {self.policy};"


class Chain:
    """A chain with the rules that belong to the table itself; fragments may add chains, and programs rules."""

    __slots__ = ("hook", "name", "rules")

    def __init__(self, name: str, rules: Iterable[Rule] = (), hook: Hook | None = None) -> None:
        self.name = name
        self.rules = tuple(rules)
        self.hook = hook


class Set:
    """A set of keys, or with `value` a map. Types are nft's: `ipv4_addr . inet_proto . inet_service`, `verdict`."""

    __slots__ = ("key", "name", "seconds", "value")

    def __init__(self, name: str, key: str, value: str = "", seconds: int = 0) -> None:
        self.name = name
        self.key = key
        self.value = value
        self.seconds = seconds
        """Rules add the elements, which the kernel removes this long after their last update; 0: neither."""

    @property
    def word(self) -> str:
        """`set` or `map`"""
        return "map" if self.value else "set"

    def text(self) -> str:
        """The declaration between the braces."""
        kind = f"type {self.key} : {self.value};" if self.value else f"type {self.key};"
        return f"{kind} flags dynamic,timeout; timeout {self.seconds}s;" if self.seconds else kind

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Set) and (self.name, self.text()) == (other.name, other.text())

    def __hash__(self) -> int:
        return hash(self.name)


class Table:
    """A table: its name says whose it is."""

    __slots__ = ("chains", "comment", "family", "name", "sets")

    def __init__(
        self, family: str, name: str, *, chains: Iterable[Chain], sets: Iterable[Set] = (), comment: str = ""
    ) -> None:
        self.family = family
        """`ip`, `ip6`, `inet` or `bridge`"""
        self.name = name
        self.chains = tuple(chains)
        self.sets = tuple(sets)
        self.comment = comment_text(comment)

    @property
    def place(self) -> str:
        """`ip flannel-ipv4`: how nft commands name the table."""
        return f"{self.family} {self.name}"
