"""Writes virtual servers into the kernel as iptables rules: all rules of a family at each change."""

import asyncio
from collections.abc import Iterable

from pybernetes.linux.iptables import Iptables
from pybernetes.proxy import iptables
from pybernetes.proxy.family import Family
from pybernetes.proxy.iptables import JUMPS
from pybernetes.proxy.model import VirtualServer
from pybernetes.proxy.options import ProxyOptions


class IptablesRenderer:
    """The rules of one family."""

    def __init__(self, options: ProxyOptions, version: int) -> None:
        cidrs = tuple(c for c in options.cluster_cidrs if (":" in c) == (version == 6))
        self.family = Family(version, cidrs, options.masquerade_all)
        self._tool = Iptables(version, backend=options.iptables_backend, netns=options.netns)
        self._servers: dict[str, VirtualServer] = {}
        self._written = False

    async def apply(self, changes: Iterable[tuple[VirtualServer | None, VirtualServer | None]]) -> bool:
        """Bring the kernel up to date; returns whether anything was written. Raises LinuxError."""
        for old, new in changes:
            if new is not None:
                self._servers[new.key] = new
            elif old is not None:
                self._servers.pop(old.key, None)
            self._written = False
        if self._written:
            return False
        await asyncio.to_thread(self._write)
        self._written = True
        return True

    def _write(self) -> None:
        stale = [chain for chain in self._tool.chains("nat") if chain.startswith("KUBE-S") or chain[:8] == "KUBE-EXT"]
        stale = [chain for chain in stale if chain != "KUBE-SERVICES"]
        self._tool.restore(iptables.rules(self._servers.values(), self.family, stale))
        for table, chain, target, match, comment in JUMPS:
            rule = [*match, "-m", "comment", "--comment", comment, "-j", target]
            self._tool.ensure_rule(table, chain, rule, first=True)

    def invalidate(self) -> None:
        """Write everything with the next update."""
        self._written = False

    async def check(self) -> bool:
        """Whether the jumps to our chains still exist."""
        return await asyncio.to_thread(self._check)

    def _check(self) -> bool:
        return all(
            any(
                f"-j {target}" in line
                for line in self._tool.save(table).splitlines()
                if line.startswith(f"-A {chain} ")
            )
            for table, chain, target, _, _ in JUMPS
        )

    def close(self) -> None:
        """Nothing to release."""
