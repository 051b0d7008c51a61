"""Which packets keep their source address, and which are masqueraded with the node's address.

Per family, in this order:

| packet | source address |
|---|---|
| marked by the service proxy | left to the proxy's own rule |
| from this node's pods to the pod network | kept: pods see each other's addresses |
| from the pod network to this node's pods | kept |
| from the pod network to multicast | kept |
| from the pod network to anywhere else | masqueraded, source port at random |
| from outside to this node's pods | kept |
| from outside to pods elsewhere | masqueraded, so that the answer comes back through this node |

Pure: text for `nft -f` and `iptables-restore`. Tables, chains and iptables rules are named as in Go
flanneld.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from pybernetes.flannel.config import IPNetwork, NetworkConfig
from pybernetes.flannel.leases.lease import Lease
from pybernetes.linux.nftables.script import Script
from pybernetes.linux.nftables.table import Chain, Hook, Table, rule

#: Set by kube-proxy on packets that it masquerades itself.
_MARK = "0x4000"
_MULTICAST = {4: "224.0.0.0/4", 6: "ff00::/8"}


@dataclass(frozen=True, slots=True)
class PodNetwork:
    """One family: the pod network and this node's subnet."""

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

    @property
    def nft_family(self) -> str:
        """Family of the nftables table."""
        return "ip" if self.version == 4 else "ip6"


def pod_networks(config: NetworkConfig, own: Lease) -> tuple[PodNetwork, ...]:
    """Those of a node with this lease."""
    return tuple(
        PodNetwork(family.network, part.subnet)
        for family in config.families
        if (part := own.family(family.version)) is not None
    )


@dataclass(frozen=True, slots=True)
class Wanted:
    """The rules that a pass needs."""

    networks: tuple[PodNetwork, ...]
    nftables: bool = True
    """Use nftables; otherwise iptables."""


def nft_tables(networks: Iterable[PodNetwork], *, masquerade: bool, forward: bool, random: bool = True) -> list[Table]:
    """Our nftables tables, one per family. `random`: masqueraded packets get a random source port."""
    leave = "masquerade fully-random" if random else "masquerade"
    return [_nft_table(net, masquerade, forward, leave) for net in networks]


def nft_script(networks: Iterable[PodNetwork], *, masquerade: bool, forward: bool, random: bool = True) -> str:
    """An nft script that replaces our tables in one transaction."""
    scripts = []
    for table in nft_tables(networks, masquerade=masquerade, forward=forward, random=random):
        script = Script(table)
        script.replace_table()
        scripts.append(str(script))
    return "".join(scripts)


def _nft_table(net: PodNetwork, masquerade: bool, forward: bool, leave: str) -> Table:
    pods, here = net.network, net.subnet
    src, dst = f"{net.nft_family} saddr", f"{net.nft_family} daddr"
    chains = []
    if masquerade:
        rules = [
            rule(f"meta mark & {_MARK} == {_MARK} return", "masqueraded by kube-proxy"),
            rule(f"{src} {here} {dst} {pods} return", "pods of this node see the addresses of all pods"),
            rule(f"{src} {pods} {dst} {here} return", "pods of other nodes see the addresses of pods here"),
            rule(f"{src} {pods} {dst} != {_MULTICAST[net.version]} {leave}", "pods leave as their node"),
            rule(f"{src} != {pods} {dst} {here} return", "pods here see the addresses of outside clients"),
            rule(f"{src} != {pods} {dst} {pods} {leave}", "the answer has to come back through this node"),
        ]
        chains.append(Chain("postrtg", rules, Hook("nat", "postrouting", "srcnat")))
    if forward:
        rules = [rule(f"{src} {pods} accept", "pods may send"), rule(f"{dst} {pods} accept", "pods may receive")]
        chains.append(Chain("forward", rules, Hook("filter", "forward", "filter")))
    return Table(net.nft_family, net.table, chains=chains, comment="pod network of this node")


def iptables_rules(net: PodNetwork, *, masquerade: bool, forward: bool, random: bool = True) -> str:
    """Input for `iptables-restore --noflush`: replaces our chains and leaves all other rules."""
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
