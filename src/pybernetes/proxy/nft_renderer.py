"""The nftables shell: applies the changes of virtual servers, and rewrites the table when somebody broke it."""

import asyncio
import logging
from collections.abc import AsyncGenerator, Iterable

from pybernetes.linux import nft, nftnl, nftwatch
from pybernetes.proxy import nftables
from pybernetes.proxy.family import TABLE, Family
from pybernetes.proxy.fragment import Delta, Ruleset
from pybernetes.proxy.model import VirtualServer
from pybernetes.proxy.nft_messages import Messages
from pybernetes.proxy.options import ProxyOptions

log = logging.getLogger(__name__)

Changes = Iterable[tuple[VirtualServer | None, VirtualServer | None]]


class NftRenderer:
    """One table for one family."""

    def __init__(self, options: ProxyOptions, version: int) -> None:
        cidrs = tuple(c for c in options.cluster_cidrs if (":" in c) == (version == 6))
        self.family = Family(version, cidrs, options.masquerade_all)
        self._netns = options.netns
        self._rules = Ruleset()
        self._messages = Messages(self.family)
        self._session: nftnl.Session | None = None
        self._written = False

    async def apply(self, changes: Changes) -> bool:
        """Bring the kernel up to date; whether that took anything. Raises LinuxError, and then starts over."""
        fragments = {}
        for old, new in changes:
            key = new.key if new is not None else old.key if old is not None else ""
            fragments[key] = nftables.fragment(new, self.family) if new is not None else None
        delta = self._rules.update(fragments)
        if self._written and not delta:
            return False
        # Whatever happens in the transaction, what we believe to be there is true only after it succeeded.
        written, self._written = self._written, False
        await asyncio.to_thread(self._change if written else self._write_all, delta)
        self._written = True
        return True

    def _write_all(self, _: Delta) -> None:
        script = nftables.base(self.family) + nftables.render(self._rules.whole(), self.family)
        nft.apply(script, self._netns)

    def _change(self, delta: Delta) -> None:
        requests = self._messages.requests(delta)
        if self._session is None:
            self._session = nftnl.Session(self._netns)
        self._session.commit(requests)

    def close(self) -> None:
        """Let go of the kernel; the rules stay."""
        if self._session is not None:
            self._session.close()
            self._session = None

    def invalidate(self) -> None:
        """Somebody changed the table: write all of it again with the next update."""
        self._written = False

    async def check(self) -> bool:
        """Whether the table is still there."""
        tables = await asyncio.to_thread(nft.list_tables, self._netns)
        return (self.family.word, TABLE) in tables


async def strangers(watch: nftwatch.NftWatch) -> AsyncGenerator[None, None]:
    """Yields whenever something was removed from our table, or may have been."""
    while True:
        if await watch.removed() & {TABLE, ""}:
            yield
