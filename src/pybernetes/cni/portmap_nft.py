"""Port mappings in nftables: a verdict map per family, so that a packet costs the same at any number of them.

    table inet cni_hostport
      map ports4        protocol . port               -> jump to the mapping's chain
      map addressed4    address . protocol . port     -> the same, for mappings with a hostIP
      chain m-<attachment>-<n>                        mark those that need source NAT, then dnat

Only packets that our own chains marked are masqueraded: a Service may lead to the same pod, and there the
source has to stay. The mark is the stock plugin's, 0x2000.
"""

from __future__ import annotations

from pybernetes.cni import port_mapping, spec
from pybernetes.cni.names import attachment_hash
from pybernetes.linux import ipmsg, nft, tool
from pybernetes.linux.errors import ToolError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pybernetes.cni.port_mapping import Mapping

TABLE = "cni_hostport"
MARK = 1 << port_mapping.MARK_BIT
_FAMILIES = (("4", "ipv4_addr", "ip", "ipv4"), ("6", "ipv6_addr", "ip6", "ipv6"))
LOCALHOST = {4: "127.0.0.0/8", 6: "::1"}


def chain_prefix(network: str, container_id: str) -> str:
    """What the names of an attachment's chains begin with."""
    return f"m-{attachment_hash(network, '')[:8]}-{attachment_hash(network, container_id)[:24]}-"


def table_script() -> str:
    """The table without any mapping; harmless to repeat."""
    lines = [f"table inet {TABLE} {{"]
    for number, kind, _, _ in _FAMILIES:
        lines.append(f" map ports{number} {{ type inet_proto . inet_service : verdict; }}")
        lines.append(f" map addressed{number} {{ type {kind} . inet_proto . inet_service : verdict; }}")
    lines += [
        " chain hostports { }",
        " chain prerouting { type nat hook prerouting priority dstnat; policy accept; }",
        " chain output { type nat hook output priority -100; policy accept; }",
        " chain postrouting { type nat hook postrouting priority srcnat; policy accept; }",
        "}",
    ]
    lines += [f"flush chain inet {TABLE} {c}" for c in ("hostports", "prerouting", "output", "postrouting")]
    for number, _, word, nfproto in _FAMILIES:
        rule = f"add rule inet {TABLE} hostports meta nfproto {nfproto}"
        lines.append(f"{rule} {word} daddr . meta l4proto . th dport vmap @addressed{number}")
        lines.append(f"{rule} meta l4proto . th dport vmap @ports{number}")
    for chain in ("prerouting", "output"):
        lines.append(
            f"add rule inet {TABLE} {chain} meta l4proto {{ tcp, udp, sctp }} fib daddr type local jump hostports"
        )
    lines.append(f"add rule inet {TABLE} postrouting meta mark & {MARK:#x} == {MARK:#x} masquerade")
    return "\n".join([*lines, ""])


def mapping_script(call: spec.Call, found: list[Mapping], taken: set[str]) -> str:
    """The chains and map elements of an attachment. An element in `taken` is replaced: the newest pod wins."""
    lines = []
    prefix = chain_prefix(call.network, call.container_id)
    for number, mapping in enumerate(found):
        chain = f"{prefix}{number}"
        word = "ip" if mapping.family == 4 else "ip6"
        lines += [f"add chain inet {TABLE} {chain}", f"flush chain inet {TABLE} {chain}"]
        rule = " ".join([f"add rule inet {TABLE} {chain}", *port_mapping.conditions(call.config, mapping.family)])
        if port_mapping.snat(call.config):
            sources = "" if call.config.get("masqAll") else f"{word} saddr {{ {_neighbours(mapping)} }} "
            lines.append(f"{rule} {sources}meta mark set meta mark | {MARK:#x}")
        target = mapping.pod_ip if mapping.family == 4 else f"[{mapping.pod_ip}]"
        lines.append(f"{rule} meta l4proto {mapping.protocol} dnat {word} to {target}:{mapping.pod_port}")
        place, key = element(mapping)
        if f"{place} {key}" in taken:
            lines.append(f"delete element inet {TABLE} {place} {{ {key} }}")
        lines.append(f"add element inet {TABLE} {place} {{ {key} : jump {chain} }}")
    return "\n".join([*lines, ""])


def _neighbours(mapping: Mapping) -> str:
    """Whose packets need source NAT: the pod's own network answers past the node, localhost has no way back."""
    return f"{ipmsg.network(mapping.pod)}, {LOCALHOST[mapping.family]}"


def element(mapping: Mapping) -> tuple[str, str]:
    """(map, key) of a mapping."""
    key = f"{mapping.protocol} . {mapping.host_port}"
    if mapping.host_ip:
        return f"addressed{mapping.family}", f"{mapping.host_ip} . {key}"
    return f"ports{mapping.family}", key


def removal_script(elements: list[tuple[str, str, str]], chains: list[str], doomed: set[str]) -> str:
    """What removes the chains in `doomed` and the elements that jump to them. Pure."""
    lines = [f"delete element inet {TABLE} {place} {{ {key} }}" for place, key, chain in elements if chain in doomed]
    for chain in chains:
        if chain in doomed:
            lines += [f"flush chain inet {TABLE} {chain}", f"delete chain inet {TABLE} {chain}"]
    return "\n".join([*lines, ""])


def add(call: spec.Call, found: list[Mapping]) -> None:
    """One transaction. The table is looked at first: an element cannot be replaced blindly."""
    elements, _ = _listing()
    taken = {f"{place} {key}" for place, key, _ in elements}
    nft.apply(table_script() + mapping_script(call, found, taken))


def delete(call: spec.Call) -> None:
    prefix = chain_prefix(call.network, call.container_id)
    elements, chains = _listing()
    _remove(elements, chains, {chain for chain in chains if chain.startswith(prefix)})


def gc(call: spec.Call) -> None:
    ours = f"m-{attachment_hash(call.network, '')[:8]}-"
    keep = tuple(chain_prefix(call.network, container) for container, _ in call.valid_attachments())
    elements, chains = _listing()
    _remove(elements, chains, {c for c in chains if c.startswith(ours) and not c.startswith(keep)})


def present(call: spec.Call, found: list[Mapping]) -> bool:
    """Whether every mapping leads to this attachment's chain."""
    prefix = chain_prefix(call.network, call.container_id)
    there = {(place, key) for place, key, chain in _listing()[0] if chain.startswith(prefix)}
    return all(element(mapping) in there for mapping in found)


def _remove(elements: list[tuple[str, str, str]], chains: list[str], doomed: set[str]) -> None:
    if doomed:
        nft.apply(removal_script(elements, chains, doomed))


def _listing() -> tuple[list[tuple[str, str, str]], list[str]]:
    """([(map, key, chain it jumps to)], [chain of a mapping]) of the table as it is."""
    if tool.find("nft") is None:
        return [], []
    try:
        out = tool.run(["nft", "-n", "-j", "list", "table", "inet", TABLE])
    except ToolError as error:
        if "No such file" in error.stderr:
            return [], []
        raise
    from pybernetes.cni import fastjson

    return read_listing(fastjson.loads(out)["nftables"])


def read_listing(objects: list[spec.Json]) -> tuple[list[tuple[str, str, str]], list[str]]:
    """The same out of nft's JSON. Pure."""
    elements: list[tuple[str, str, str]] = []
    chains: list[str] = []
    for entry in objects:
        name = entry.get("chain", {}).get("name", "")
        if name.startswith("m-"):
            chains.append(name)
        for key, verdict in entry.get("map", {}).get("elem", []):
            target = verdict.get("jump", {}).get("target", "")
            elements.append((entry["map"]["name"], _key(key), target))
    return elements, chains


_PROTOCOL_NAMES = {"6": "tcp", "17": "udp", "132": "sctp"}


def _key(key: spec.Json) -> str:
    parts = [str(part) for part in key["concat"]]
    parts[-2] = _PROTOCOL_NAMES.get(parts[-2], parts[-2])
    return " . ".join(parts)
