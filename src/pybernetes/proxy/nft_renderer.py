"""Writes virtual servers into the kernel as nftables: one table for one family."""

from collections.abc import AsyncGenerator, Iterable

from pybernetes.linux import nftwatch
from pybernetes.linux.nftables.fragments import Fragment
from pybernetes.linux.nftables.keeper import LargeTable
from pybernetes.proxy import nftables
from pybernetes.proxy.family import TABLE, Family
from pybernetes.proxy.options import ProxyOptions
from pybernetes.proxy.server_changes import Change


class NftRenderer:
    """The nftables table of one family."""

    def __init__(self, options: ProxyOptions, version: int) -> None:
        cidrs = tuple(c for c in options.cluster_cidrs if (":" in c) == (version == 6))
        self.family = Family(version, cidrs, options.masquerade_all)
        self._table = LargeTable(nftables.base(self.family), options.netns)

    async def apply(self, changes: Iterable[Change]) -> bool:
        """Bring the kernel up to date; returns whether anything was written. Raises LinuxError."""
        fragments: dict[str, Fragment | None] = {}
        for old, new in changes:
            if new is not None:
                fragments[new.key] = nftables.fragment(new, self.family)
            elif old is not None:
                fragments[old.key] = None
        return await self._table.apply(fragments)

    def close(self) -> None:
        """Close the netlink socket; the rules stay."""
        self._table.close()

    def invalidate(self) -> None:
        """Write the whole table with the next update: another program may have changed it."""
        self._table.invalidate()

    async def check(self) -> bool:
        """Whether the table still exists."""
        return await self._table.exists()


async def foreign_changes(watch: nftwatch.NftWatch) -> AsyncGenerator[None, None]:
    """Yields whenever another program removed something from our table, or may have."""
    while True:
        if await watch.removed() & {TABLE, ""}:
            yield
