"""Commands for `nft -f`, which carries out all of a script as one transaction, or nothing of it."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from pybernetes.linux.nftables.table import Chain, Rule, Set, Table


class Script:
    """Collects the commands for one table; `str` gives them."""

    def __init__(self, table: Table) -> None:
        self._table = table
        self._lines: list[str] = []

    def __str__(self) -> str:
        return "\n".join([*self._lines, ""]) if self._lines else ""

    # -- the table ------------------------------------------------------------------------------------
    def replace_table(self) -> None:
        """Write the table as described; whatever exists under its name goes."""
        place = self._table.place
        self._lines += [f"table {place}", f"delete table {place}", f"table {place} {{"]
        if self._table.comment:
            self._lines.append(f'  comment "{self._table.comment}"')
        self._lines += [f"  {one.word} {one.name} {{ {one.text()} }}" for one in self._table.sets]
        for chain in self._table.chains:
            rules = [f"    {rule.text(self._table.family)}" for rule in chain.rules]
            self._lines += [f"  chain {chain.name} {{", *_header(chain), *rules, "  }"]
        self._lines.append("}")

    def declare_table(self) -> None:
        """Create what is missing, and rewrite the chains that have rules here; leave all other objects alone.

        For a table to which several processes add their own chains, rules and elements.
        """
        place = self._table.place
        self._lines.append(f"table {place} {{")
        self._lines += [f"  {one.word} {one.name} {{ {one.text()} }}" for one in self._table.sets]
        for chain in self._table.chains:
            self._lines += [f"  chain {chain.name} {{", *_header(chain), "  }"]
        self._lines.append("}")
        fixed = [chain for chain in self._table.chains if chain.rules]
        for chain in fixed:
            self.flush_chain(chain.name)
        for chain in fixed:
            for rule in chain.rules:
                self.add_rule(chain.name, rule)

    # -- its parts ------------------------------------------------------------------------------------
    def add_set(self, made: Set) -> None:
        self._lines.append(f"add {made.word} {self._table.place} {made.name} {{ {made.text()} }}")

    def delete_set(self, name: str) -> None:
        self._lines.append(f"delete set {self._table.place} {name}")

    def add_chain(self, name: str) -> None:
        self._lines.append(f"add chain {self._table.place} {name}")

    def flush_chain(self, name: str) -> None:
        self._lines.append(f"flush chain {self._table.place} {name}")

    def delete_chain(self, name: str) -> None:
        self._lines.append(f"delete chain {self._table.place} {name}")

    def add_rule(self, chain: str, rule: Rule) -> None:
        self._lines.append(f"add rule {self._table.place} {chain} {rule.text(self._table.family)}")

    def add_elements(self, name: str, entries: Iterable[tuple[str, str]]) -> None:
        """Elements as (key, value); the value is empty in a set."""
        listed = ", ".join([f"{key} : {value}" if value else key for key, value in entries])
        self._lines.append(f"add element {self._table.place} {name} {{ {listed} }}")

    def delete_elements(self, name: str, entries: Iterable[tuple[str, str]]) -> None:
        listed = ", ".join([key for key, _ in entries])
        self._lines.append(f"delete element {self._table.place} {name} {{ {listed} }}")


def _header(chain: Chain) -> list[str]:
    return [f"    {chain.hook.text()}"] if chain.hook is not None else []
