"""Port mappings in nftables: a verdict map per family, so that the cost of a packet does not depend on their number.

    table inet cni_hostport
      map ports4        protocol . port               -> jump to the mapping's chain
      map addressed4    address . protocol . port     -> the same, for mappings with a hostIP
      chain m-<attachment>-<n>                        mark those that need source NAT, then dnat

Only packets that these chains have marked are masqueraded: a Service may lead to the same pod, and there the source
must stay. The mark is that of the stock plugin, 0x2000.
"""

from __future__ import annotations

from pybernetes.cni import port_mapping, spec
from pybernetes.cni.names import attachment_hash
from pybernetes.linux import ipmsg, nft
from pybernetes.linux.nftables import listing
from pybernetes.linux.nftables.script import Script
from pybernetes.linux.nftables.table import Chain, Hook, Rule, Set, Table, rule

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pybernetes.cni.port_mapping import Mapping, PortmapConfig
    from pybernetes.linux.nftables.listing import Listing

MARK = 1 << port_mapping.MARK_BIT
LOCALHOST = {4: "127.0.0.0/8", 6: "::1"}
_FAMILIES = (("4", "ipv4_addr", "ip", "ipv4"), ("6", "ipv6_addr", "ip6", "ipv6"))


def _table() -> Table:
    sets, lookups = [], []
    for number, kind, word, nfproto in _FAMILIES:
        sets.append(Set(f"ports{number}", "inet_proto . inet_service", "verdict"))
        sets.append(Set(f"addressed{number}", f"{kind} . inet_proto . inet_service", "verdict"))
        place = f"meta nfproto {nfproto}"
        lookups.append(rule(f"{place} {word} daddr . meta l4proto . th dport vmap @addressed{number}"))
        lookups.append(rule(f"{place} meta l4proto . th dport vmap @ports{number}"))
    local = [rule("meta l4proto { tcp, udp, sctp } fib daddr type local jump hostports")]
    marked = [rule(f"meta mark & {MARK:#x} == {MARK:#x} masquerade")]
    chains = [
        Chain("hostports", lookups),
        Chain("prerouting", local, Hook("nat", "prerouting", "dstnat")),
        Chain("output", local, Hook("nat", "output", "-100")),
        Chain("postrouting", marked, Hook("nat", "postrouting", "srcnat")),
    ]
    return Table("inet", "cni_hostport", sets=sets, chains=chains)


TABLE = _table()
"""The table without any mapping."""


def chain_prefix(network: str, container_id: str) -> str:
    """The prefix of the names of an attachment's chains."""
    return f"m-{attachment_hash(network, '')[:8]}-{attachment_hash(network, container_id)[:24]}-"


def mapping_script(call: spec.Call, config: PortmapConfig, found: list[Mapping], taken: set[tuple[str, str]]) -> str:
    """The script that maps an attachment's ports. An element in `taken` is replaced: the newest pod wins."""
    script = Script(TABLE)
    script.declare_table()
    prefix = chain_prefix(call.network, call.container_id)
    for number, mapping in enumerate(found):
        chain = f"{prefix}{number}"
        script.add_chain(chain)
        script.flush_chain(chain)
        for made in _rules(config, mapping):
            script.add_rule(chain, made)
        place, key = element(mapping)
        if (place, key) in taken:
            script.delete_elements(place, [(key, "")])
        script.add_elements(place, [(key, f"jump {chain}")])
    return str(script)


def _rules(config: PortmapConfig, mapping: Mapping) -> list[Rule]:
    """Mark what needs source NAT, then send the connection to the pod."""
    word = "ip" if mapping.family == 4 else "ip6"
    conditions = "".join([f"{condition} " for condition in config.conditions[mapping.family]])
    rules = []
    if config.snat:
        sources = "" if config.masquerade_all else f"{word} saddr {{ {_neighbours(mapping)} }} "
        rules.append(rule(f"{conditions}{sources}meta mark set meta mark | {MARK:#x}"))
    target = mapping.pod_ip if mapping.family == 4 else f"[{mapping.pod_ip}]"
    to_pod = f"meta l4proto {mapping.protocol} dnat {word} to {target}:{mapping.pod_port}"
    return [*rules, rule(f"{conditions}{to_pod}")]


def _neighbours(mapping: Mapping) -> str:
    """Sources that need NAT: the pod's subnet, whose replies would bypass the node, and localhost."""
    return f"{ipmsg.network(mapping.pod)}, {LOCALHOST[mapping.family]}"


def element(mapping: Mapping) -> tuple[str, str]:
    """(map, key) of a mapping."""
    key = f"{mapping.protocol} . {mapping.host_port}"
    if mapping.host_ip:
        return f"addressed{mapping.family}", f"{mapping.host_ip} . {key}"
    return f"ports{mapping.family}", key


def add(call: spec.Call, config: PortmapConfig, found: list[Mapping]) -> None:
    """One transaction. The table is listed first, because replacing an element requires to delete the old one."""
    taken = {(place, key) for place, key, _ in observe().elements}
    nft.apply(mapping_script(call, config, found, taken))


def delete(call: spec.Call) -> None:
    prefix = chain_prefix(call.network, call.container_id)
    found = observe()
    _remove(found, {chain for chain in found.chains if chain.startswith(prefix)})


def gc(call: spec.Call) -> None:
    ours = f"m-{attachment_hash(call.network, '')[:8]}-"
    keep = tuple(chain_prefix(call.network, container) for container, _ in call.valid_attachments())
    found = observe()
    _remove(found, {chain for chain in found.chains if chain.startswith(ours) and not chain.startswith(keep)})


def present(call: spec.Call, found: list[Mapping]) -> bool:
    """Whether every mapping leads to this attachment's chain."""
    prefix = chain_prefix(call.network, call.container_id)
    there = {(place, key) for place, key, chain in observe().elements if chain.startswith(prefix)}
    return all(element(mapping) in there for mapping in found)


def observe() -> Listing:
    """The table as it is in the kernel."""
    return listing.observe(TABLE.family, TABLE.name)


def _remove(found: Listing, removed: set[str]) -> None:
    if removed:
        nft.apply(removal_script(found, removed))


def removal_script(found: Listing, removed: set[str]) -> str:
    """Removes the chains in `removed` and the elements that lead to them. Pure."""
    script = Script(TABLE)
    for place, key, chain in found.elements:
        if chain in removed:
            script.delete_elements(place, [(key, "")])
    for chain in sorted(removed):
        script.flush_chain(chain)
        script.delete_chain(chain)
    return str(script)
