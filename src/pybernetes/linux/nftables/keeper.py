"""Keeps described tables in the kernel: writes them, notices when another program changed them, removes them.

Two ways, for two sizes:

- `LargeTable`: fragments by the thousand. The first write goes through `nft`, each later change is a small netlink
  transaction. Whether the table was damaged is not looked up; `nftwatch` reports removals.
- `SmallTables`: tables of a few rules that are always replaced completely. What nft prints after a write is kept; a
  listing that differs later means that another program changed them.
"""

import asyncio
from collections.abc import Iterable, Mapping

from pybernetes.linux import nft
from pybernetes.linux.netns import Netns
from pybernetes.linux.nftables.batch import Batches
from pybernetes.linux.nftables.fragments import Delta, Fragment, Ruleset
from pybernetes.linux.nftables.netlink import Session
from pybernetes.linux.nftables.script import Script
from pybernetes.linux.nftables.table import Table


class LargeTable:
    """A table whose fragments come, change and go."""

    def __init__(self, base: Table, netns: Netns | None = None) -> None:
        """`base`: the table without fragments."""
        self._base = base
        self._netns = netns
        self._rules = Ruleset()
        self._batches = Batches(base.family, base.name)
        self._session: Session | None = None
        self._written = False

    async def apply(self, changes: Mapping[str, Fragment | None]) -> bool:
        """Replace fragments (None: remove); returns whether anything was written.

        Raises LinuxError; the next call then writes the complete table.
        """
        delta = self._rules.update(changes)
        if self._written and not delta:
            return False
        # After a failed transaction the contents of the table are unknown.
        written, self._written = self._written, False
        await asyncio.to_thread(self._change if written else self._write_all, delta)
        self._written = True
        return True

    def _write_all(self, _: Delta) -> None:
        script = Script(self._base)
        script.replace_table()
        self._rules.all().write(script)
        nft.apply(str(script), self._netns)

    def _change(self, delta: Delta) -> None:
        requests = self._batches.requests(delta)
        if self._session is None:
            self._session = Session(self._netns)
        self._session.commit(requests)

    def invalidate(self) -> None:
        """The table may have been changed by another program: write all of it with the next `apply`."""
        self._written = False

    async def exists(self) -> bool:
        """Whether there is a table of this name."""
        tables = await asyncio.to_thread(nft.list_tables, self._netns)
        return (self._base.family, self._base.name) in tables

    def close(self) -> None:
        """Close the socket; the table stays."""
        if self._session is not None:
            self._session.close()
            self._session = None


class SmallTables:
    """Tables that are always replaced completely. Blocking."""

    def __init__(self, names: Iterable[tuple[str, str]], netns: Netns | None = None) -> None:
        """`names`: (family, name) of every table that is ours, whether wanted at present or not."""
        self._names = tuple(names)
        self._netns = netns
        self._script = ""
        self._printed: dict[tuple[str, str], str | None] = {}

    def ensure(self, tables: Iterable[Table]) -> tuple[bool, list[str]]:
        """Write the tables unless they are there as last written; remove those of ours that are not wanted.

        Returns (whether they were written, names of removed tables).
        """
        wanted = {(table.family, table.name): table for table in tables}
        script = ""
        for table in wanted.values():
            part = Script(table)
            part.replace_table()
            script += str(part)
        if script == self._script and self._list(wanted) == self._printed:
            return False, []
        nft.apply(script, self._netns)
        removed = self._delete(wanted) if script != self._script else []
        self._script, self._printed = script, self._list(wanted)
        return True, removed

    @property
    def ever_written(self) -> bool:
        """Whether `ensure` has written tables since the start or the last `remove`."""
        return bool(self._script)

    def remove(self) -> list[str]:
        """Delete our tables; returns their names."""
        self._script = ""
        return self._delete(())

    def _delete(self, keep: Iterable[tuple[str, str]]) -> list[str]:
        kept = set(keep)
        return [
            name
            for family, name in self._names
            if (family, name) not in kept and nft.delete_table(family, name, self._netns)
        ]

    def _list(self, names: Iterable[tuple[str, str]]) -> dict[tuple[str, str], str | None]:
        return {(family, name): nft.list_text(family, name, self._netns) for family, name in names}
