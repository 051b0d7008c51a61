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

Pure: text for `nft -f` and `iptables-restore`. Tables and chains have Go flannel's names.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from pybernetes.flannel.config import IPNetwork

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


def nft_script(networks: Iterable[PodNetwork], *, masquerade: bool, forward: bool) -> str:
    """A script that replaces our tables in one transaction."""
    parts = []
    for net in networks:
        family = _FAMILY[net.version]
        parts.append(f"table {family} {net.table}\ndelete table {family} {net.table}\n")
        parts.append(_nft_table(family, net, masquerade, forward))
    return "".join(parts)


def _nft_table(family: str, net: PodNetwork, masquerade: bool, forward: bool) -> str:
    pods, here = net.network, net.subnet
    lines = [f"table {family} {net.table} {{", '  comment "pod network of this node"']
    if masquerade:
        lines += [
            "  chain postrtg {",
            "    type nat hook postrouting priority srcnat; policy accept;",
            f"    meta mark & {_MARK} == {_MARK} return",
            f"    {family} saddr {here} {family} daddr {pods} return",
            f"    {family} saddr {pods} {family} daddr {here} return",
            f"    {family} saddr {pods} {family} daddr != {_MULTICAST[net.version]} masquerade fully-random",
            f"    {family} saddr != {pods} {family} daddr {here} return",
            f"    {family} saddr != {pods} {family} daddr {pods} masquerade fully-random",
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


def iptables_rules(net: PodNetwork, *, masquerade: bool, forward: bool) -> str:
    """Input for `iptables-restore --noflush`: our chains whole, and nothing of anybody else's."""
    pods, here = net.network, net.subnet
    text = ""
    if masquerade:
        rules = [
            f"-m mark --mark {_MARK}/{_MARK} -j RETURN",
            f"-s {here} -d {pods} -j RETURN",
            f"-s {pods} -d {here} -j RETURN",
            f"-s {pods} ! -d {_MULTICAST[net.version]} -j MASQUERADE --random-fully",
            f"! -s {pods} -d {here} -j RETURN",
            f"! -s {pods} -d {pods} -j MASQUERADE --random-fully",
        ]
        text += _restore("nat", "FLANNEL-POSTRTG", rules, "flanneld masq")
    if forward:
        text += _restore("filter", "FLANNEL-FWD", [f"-s {pods} -j ACCEPT", f"-d {pods} -j ACCEPT"], "flanneld forward")
    return text


def _restore(table: str, chain: str, rules: Iterable[str], comment: str) -> str:
    lines = [f"*{table}", f":{chain} - [0:0]"]
    lines += [f'-A {chain} -m comment --comment "{comment}" {rule}' for rule in rules]
    return "\n".join([*lines, "COMMIT"]) + "\n"


#: The jumps into our chains: (table, built-in chain, our chain, comment).
JUMPS = (
    ("nat", "POSTROUTING", "FLANNEL-POSTRTG", "flanneld masq"),
    ("filter", "FORWARD", "FLANNEL-FWD", "flanneld forward"),
)
