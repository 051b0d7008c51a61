"""Under which source address a packet leaves a node: the postrouting rules that are in its kernel, followed. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import ip_address, ip_network
from typing import Any

from pybernetes.cluster.insight.dnat import rules
from pybernetes.cluster.insight.facts import KernelFacts, NftObjects


@dataclass(frozen=True, slots=True)
class Packet:
    """What the rules look at."""

    source: str
    target: str
    mark: int = 0


@dataclass(frozen=True, slots=True)
class Masquerade:
    """Whether the source address is changed, and the rule that says so."""

    changed: bool
    rule: str


def masquerade(kernel: KernelFacts, packet: Packet) -> Masquerade:
    """Follow the chains at postrouting in the order of their priority; the first that changes the source decides."""
    chains = sorted(
        (entry["chain"].get("prio", 0), table, entry["chain"]["name"])
        for table, objects in kernel.nft.items()
        for entry in objects
        if entry.get("chain", {}).get("hook") == "postrouting" and entry["chain"].get("type") == "nat"
    )
    kept = Masquerade(False, "no rule changes the source address")
    family = "ip6" if ":" in packet.source else "ip"
    for _, table, chain in chains:
        if table.partition(" ")[0] != family:
            continue
        verdict, number = _follow(kernel.nft[table], chain, packet)
        if verdict == "masquerade":
            return Masquerade(True, f"nft chain {table} {chain}, rule {number}")
        if verdict == "return" and table.endswith(("flannel-ipv4", "flannel-ipv6")):
            kept = Masquerade(False, f"nft chain {table} {chain}, rule {number}: return")
    return kept


def _follow(objects: NftObjects, chain: str, packet: Packet) -> tuple[str, int]:
    for number, expressions in enumerate(rules(objects, chain), 1):
        matches = [expression["match"] for expression in expressions if "match" in expression]
        if all(_matches(objects, match, packet) for match in matches):
            for verdict in ("masquerade", "return", "accept", "drop"):
                if any(verdict in expression for expression in expressions):
                    return verdict, number
    return "", 0


def _matches(objects: NftObjects, match: Mapping[str, Any], packet: Packet) -> bool:
    """Whether a match holds; one that is not understood does not."""
    left = _value(match.get("left"), packet)
    if left is None:
        return False
    same = _equal(objects, left, match.get("right"))
    return not same if match.get("op") == "!=" else same


def _value(left: Any, packet: Packet) -> Any:
    match left:
        case {"payload": {"field": "saddr"}}:
            return packet.source
        case {"payload": {"field": "daddr"}}:
            return packet.target
        case {"meta": {"key": "mark"}}:
            return packet.mark
        case {"&": [{"meta": {"key": "mark"}}, int(mask)]}:
            return packet.mark & mask
        case {"concat": parts}:
            return {"concat": [_value(part, packet) for part in parts]}
    return None


def _equal(objects: NftObjects, left: Any, right: Any) -> bool:
    match right:
        case {"prefix": {"addr": str(addr), "len": int(length)}}:
            return isinstance(left, str) and ip_address(left) in ip_network(f"{addr}/{length}")
        case str(name) if name.startswith("@"):
            sets = [entry["set"] for entry in objects if entry.get("set", {}).get("name") == name[1:]]
            return any(left in found.get("elem", ()) for found in sets)
    return bool(left == right)
