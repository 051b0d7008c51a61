"""The shell around `masquerade`: puts the rules into the kernel and keeps them there.

What the kernel makes of our rules is remembered as it prints them; a listing that differs means that somebody
changed them. So nothing needs to understand nft's or iptables' output.
"""

import asyncio

from pybernetes.flannel import masquerade
from pybernetes.flannel.masquerade import JUMPS, PodNetwork
from pybernetes.linux import nft
from pybernetes.linux.iptables import Iptables


class NftRules:
    """Rules in tables of our own."""

    def __init__(self, *, masquerade: bool, forward: bool, netns: str | None = None) -> None:
        self._netns = netns
        self._masquerade = masquerade
        self._forward = forward
        self._script = ""
        self._printed: dict[str, str | None] = {}

    async def ensure(self, networks: list[PodNetwork]) -> list[str]:
        """Load the rules if they differ from what is there."""
        return await asyncio.to_thread(self._ensure, networks)

    def _ensure(self, networks: list[PodNetwork]) -> list[str]:
        script = masquerade.nft_script(networks, masquerade=self._masquerade, forward=self._forward)
        printed = self._list(networks)
        if script == self._script and printed == self._printed:
            return []
        first = not self._script
        nft.apply(script, self._netns)
        self._script, self._printed = script, self._list(networks)
        return [f"nftables: table {net.table} {'written' if first else 'mended'}" for net in networks]

    def _list(self, networks: list[PodNetwork]) -> dict[str, str | None]:
        return {
            net.table: nft.list_text("ip" if net.version == 4 else "ip6", net.table, self._netns) for net in networks
        }


class IptablesRules:
    """Rules in chains of our own, and jumps to them from the built-in chains."""

    def __init__(self, *, masquerade: bool, forward: bool, backend: str = "", netns: str | None = None) -> None:
        self._netns = netns
        self._masquerade = masquerade
        self._forward = forward
        self._backend = backend
        self._loaded: dict[int, tuple[str, str]] = {}

    async def ensure(self, networks: list[PodNetwork]) -> list[str]:
        """Load what is missing; chains and rules of others are never touched."""
        return await asyncio.to_thread(self._ensure, networks)

    def _ensure(self, networks: list[PodNetwork]) -> list[str]:
        done = []
        for net in networks:
            iptables = Iptables(net.version, backend=self._backend, netns=self._netns)
            script = masquerade.iptables_rules(net, masquerade=self._masquerade, forward=self._forward)
            if self._loaded.get(net.version) != (script, self._chains(iptables)):
                iptables.restore(script)
                self._loaded[net.version] = (script, self._chains(iptables))
                done.append(f"iptables: IPv{net.version} rules for {net.network} written")
            for table, chain, target, comment in JUMPS:
                if self._wanted(table):
                    rule = ["-m", "comment", "--comment", comment, "-j", target]
                    if iptables.ensure_rule(table, chain, rule):
                        done.append(f"iptables: jump from {chain} to {target} added")
        return done

    def _wanted(self, table: str) -> bool:
        return self._masquerade if table == "nat" else self._forward

    def _chains(self, iptables: Iptables) -> str:
        """Our chains as iptables-save prints them."""
        lines = [line for table, *_ in JUMPS for line in iptables.save(table).splitlines()]
        return "\n".join(line for line in lines if line.startswith("-A FLANNEL-"))
