"""The shell around `masquerade`: installs the rules and keeps them installed.

After loading the rules, the kernel's listing of them is remembered; a listing that differs later means that another
program changed them. So no code has to parse the output of nft or iptables.
"""

import asyncio
import logging
from contextlib import suppress

from pybernetes.flannel import masquerade
from pybernetes.flannel.masquerade import JUMPS, PodNetwork, Wanted
from pybernetes.linux.errors import ToolError
from pybernetes.linux.iptables import BACKENDS, Iptables, detect
from pybernetes.linux.nftables.keeper import SmallTables

log = logging.getLogger(__name__)

_NFT_TABLES = (("ip", "flannel-ipv4"), ("ip6", "flannel-ipv6"))


class NftRules:
    """Rules in tables of our own."""

    def __init__(self, *, masquerade: bool, forward: bool, random: bool = True, netns: str | None = None) -> None:
        self._masquerade = masquerade
        self._forward = forward
        self._random = random
        self._tables = SmallTables(_NFT_TABLES, netns)

    async def ensure(self, wanted: Wanted) -> list[str]:
        """Load the rules if they differ from what is there; returns what was done, in words."""
        return await asyncio.to_thread(self._ensure, wanted.networks)

    async def remove(self) -> list[str]:
        """Delete our tables."""
        return _removed(await asyncio.to_thread(self._tables.remove))

    def _ensure(self, networks: tuple[PodNetwork, ...]) -> list[str]:
        first = not self._tables.ever_written
        tables = masquerade.nft_tables(
            networks, masquerade=self._masquerade, forward=self._forward, random=self._random
        )
        written, removed = self._tables.ensure(tables)
        if not written:
            return []
        verb = "written" if first else "restored"
        return [*(f"nftables: table {table.name} {verb}" for table in tables), *_removed(removed)]


def _removed(names: list[str]) -> list[str]:
    return [f"nftables: table {name} removed" for name in names]


class IptablesRules:
    """Rules in chains of our own, and jumps to them from the built-in chains."""

    def __init__(
        self, *, masquerade: bool, forward: bool, random: bool = True, backend: str = "", netns: str | None = None
    ) -> None:
        """`backend`: `nft` or `legacy`; empty: the one that other programs on this node use."""
        self._netns = netns
        self._masquerade = masquerade
        self._forward = forward
        self._random = random
        self._backend = backend
        self._loaded: dict[int, tuple[str, list[str]]] = {}

    def available(self) -> bool:
        """Whether iptables is installed."""
        return Iptables(4, backend=self._backend).available()

    async def ensure(self, wanted: Wanted) -> list[str]:
        """Load what is missing; other chains and rules are never touched. Returns what was done, in words."""
        return await asyncio.to_thread(self._ensure, wanted.networks)

    async def remove(self) -> list[str]:
        """Remove our chains from both backends."""
        self._loaded.clear()
        return await asyncio.to_thread(self._remove)

    def _ensure(self, networks: tuple[PodNetwork, ...]) -> list[str]:
        if not self._backend:
            self._backend = detect(self._netns)
        done = []
        for net in networks:
            iptables = self._iptables(net.version)
            script = masquerade.iptables_rules(
                net, masquerade=self._masquerade, forward=self._forward, random=self._random
            )
            printed = _ours(iptables)
            known = self._loaded.get(net.version)
            if known is not None and known == (script, printed):
                continue
            if known is None or known[0] != script or _chains(printed) != _chains(known[1]):
                iptables.restore(script)
                done.append(f"iptables: IPv{net.version} rules for {net.network} {'restored' if known else 'written'}")
            done += self._jumps(iptables)
            self._loaded[net.version] = (script, _ours(iptables))
        for version in self._loaded.keys() - {net.version for net in networks}:
            del self._loaded[version]
            done += _clear(self._iptables(version), JUMPS)
        return done

    def _jumps(self, iptables: Iptables) -> list[str]:
        done = []
        for jump in JUMPS:
            table, chain, target, comment = jump
            if not (self._masquerade if table == "nat" else self._forward):
                done += _clear(iptables, (jump,))
            elif iptables.ensure_rule(table, chain, ["-m", "comment", "--comment", comment, "-j", target]):
                done.append(f"iptables: IPv{iptables.family} jump from {chain} to {target} added")
        return done

    def _remove(self) -> list[str]:
        done = []
        for backend in BACKENDS:
            for version in (4, 6):
                iptables = Iptables(version, backend=backend, netns=self._netns)
                if iptables.available():
                    # A kernel without this backend has none of our rules in it.
                    with suppress(ToolError):
                        done += _clear(iptables, JUMPS)
        return done

    def _iptables(self, version: int) -> Iptables:
        return Iptables(version, backend=self._backend, netns=self._netns)


def _ours(iptables: Iptables) -> list[str]:
    """Our rules, and the jumps to them, as iptables prints them."""
    lines = []
    for table, chain, target, _ in JUMPS:
        lines += iptables.listing(table, target) or []
        lines += [line for line in iptables.listing(table, chain) or [] if line.endswith(f" -j {target}")]
    return lines


def _chains(printed: list[str]) -> list[str]:
    return [line for line in printed if line.split()[1].startswith("FLANNEL-")]


def _clear(iptables: Iptables, jumps: tuple[tuple[str, str, str, str], ...]) -> list[str]:
    """Remove jumps and the chains that they lead to, if they exist."""
    done = []
    for table, chain, target, comment in jumps:
        if iptables.listing(table, target) is None:
            continue
        while iptables.delete_rule(table, chain, ["-m", "comment", "--comment", comment, "-j", target]):
            pass
        iptables.run("-t", table, "-F", target)
        iptables.run("-t", table, "-X", target)
        done.append(f"iptables: IPv{iptables.family} chain {target} removed")
    return done


class ConfiguredRules:
    """Rules in nftables or iptables, as the network config says; removes ours, also a previous run's, elsewhere."""

    def __init__(self, nft: NftRules, iptables: IptablesRules) -> None:
        self._nft = nft
        self._iptables = iptables
        self._used: NftRules | IptablesRules | None = None

    async def ensure(self, wanted: Wanted) -> list[str]:
        """Load the rules if they differ from what is there; returns what was done, in words."""
        use_nft = wanted.nftables or not self._iptables.available()
        now, other = (self._nft, self._iptables) if use_nft else (self._iptables, self._nft)
        done = await now.ensure(wanted)
        if self._used is not now:
            reason = "" if use_nft == wanted.nftables else ", since iptables is not installed"
            log.info("Starting flannel in %s mode%s...", "nftables" if use_nft else "iptables", reason)
            # After the new ones are there, so that no packet goes without.
            done += await other.remove()
            self._used = now
        return done


def configured(*, masquerade: bool, forward: bool, random: bool = True, netns: str | None = None) -> ConfiguredRules:
    """What a daemon uses."""
    return ConfiguredRules(
        NftRules(masquerade=masquerade, forward=forward, random=random, netns=netns),
        IptablesRules(masquerade=masquerade, forward=forward, random=random, netns=netns),
    )
