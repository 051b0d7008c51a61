"""Which packets keep their source address, and which leave the node under the node's own.

Per family, in this order:

| packet | what happens |
|---|---|
| marked by the service proxy | left to the proxy's own rule |
| from this node's pods to the pod network | untouched: pods see each other's addresses |
| from the pod network to this node's pods | untouched |
| from the pod network to multicast | untouched |
| from the pod network to anywhere else | masqueraded, source port at random |
| from outside to this node's pods | untouched |
| from outside to pods elsewhere | masqueraded, so that the answer comes back through this node |

Pure: text for `nft -f` and `iptables-restore`. Tables, chains and iptables rules are those of Go flannel.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from pybernetes.flannel.config import IPNetwork, NetworkConfig
from pybernetes.flannel.leases.lease import Lease

#: Set by kube-proxy on packets that it masquerades itself.
_MARK = "0x4000"
_MULTICAST = {4: "224.0.0.0/4", 6: "ff00::/8"}
_FAMILY = {4: "ip", 6: "ip6"}


@dataclass(frozen=True, slots=True)
class PodNetwork:
    """One family: the whole network and this node's part of it."""

    network: IPNetwork
    subnet: IPNetwork

    @property
    def version(self) -> int:
        """4 or 6."""
        return self.network.version

    @property
    def table(self) -> str:
        """Name of the nftables table."""
        return f"flannel-ipv{self.version}"


def pod_networks(config: NetworkConfig, own: Lease) -> tuple[PodNetwork, ...]:
    """Those of a node with this lease."""
    return tuple(
        PodNetwork(family.network, part.subnet)
        for family in config.families
        if (part := own.family(family.version)) is not None
    )


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a pass asks for."""

    networks: tuple[PodNetwork, ...]
    nftables: bool = True
    """In nftables; else in iptables."""


def nft_script(networks: Iterable[PodNetwork], *, masquerade: bool, forward: bool, random: bool = True) -> str:
    """A script that replaces our tables in one transaction. `random`: source ports of masqueraded packets are."""
    parts = []
    for net in networks:
        family = _FAMILY[net.version]
        parts.append(f"table {family} {net.table}\ndelete table {family} {net.table}\n")
        parts.append(_nft_table(family, net, masquerade, forward, " fully-random" if random else ""))
    return "".join(parts)


def _nft_table(family: str, net: PodNetwork, masquerade: bool, forward: bool, random: str) -> str:
    pods, here = net.network, net.subnet
    lines = [f"table {family} {net.table} {{", '  comment "pod network of this node"']
    if masquerade:
        lines += [
            "  chain postrtg {",
            "    type nat hook postrouting priority srcnat; policy accept;",
            f"    meta mark & {_MARK} == {_MARK} return",
            f"    {family} saddr {here} {family} daddr {pods} return",
            f"    {family} saddr {pods} {family} daddr {here} return",
            f"    {family} saddr {pods} {family} daddr != {_MULTICAST[net.version]} masquerade{random}",
            f"    {family} saddr != {pods} {family} daddr {here} return",
            f"    {family} saddr != {pods} {family} daddr {pods} masquerade{random}",
            "  }",
        ]
    if forward:
        lines += [
            "  chain forward {",
            "    type filter hook forward priority filter; policy accept;",
            f"    {family} saddr {pods} accept",
            f"    {family} daddr {pods} accept",
            "  }",
        ]
    return "\n".join([*lines, "}"]) + "\n"


def iptables_rules(net: PodNetwork, *, masquerade: bool, forward: bool, random: bool = True) -> str:
    """Input for `iptables-restore --noflush`: our chains whole, and nothing of anybody else's."""
    pods, here = net.network, net.subnet
    leave = "MASQUERADE --random-fully" if random else "MASQUERADE"
    text = ""
    if masquerade:
        rules = [
            (f"-m mark --mark {_MARK}/{_MARK}", "RETURN"),
            (f"-s {here} -d {pods}", "RETURN"),
            (f"-s {pods} -d {here}", "RETURN"),
            (f"! -s {pods} -d {here}", "RETURN"),
            (f"-s {pods} ! -d {_MULTICAST[net.version]}", leave),
            (f"! -s {pods} -d {pods}", leave),
        ]
        text += _restore("nat", POSTROUTING, rules, "flanneld masq")
    if forward:
        text += _restore("filter", FORWARD, [(f"-s {pods}", "ACCEPT"), (f"-d {pods}", "ACCEPT")], "flanneld forward")
    return text


def _restore(table: str, chain: str, rules: Iterable[tuple[str, str]], comment: str) -> str:
    lines = [f"*{table}", f":{chain} - [0:0]"]
    lines += [f'-A {chain} {match} -m comment --comment "{comment}" -j {target}' for match, target in rules]
    return "\n".join([*lines, "COMMIT"]) + "\n"


POSTROUTING, FORWARD = "FLANNEL-POSTRTG", "FLANNEL-FWD"

#: The jumps into our chains: (table, built-in chain, our chain, comment).
JUMPS = (
    ("nat", "POSTROUTING", POSTROUTING, "flanneld masq"),
    ("filter", "FORWARD", FORWARD, "flanneld forward"),
)
