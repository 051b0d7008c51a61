"""What a node's kernel does with a connection to a Service's address, read from its packet filter. Pure.

The input is what the kernel actually has: nftables objects as JSON, or lines of iptables-save.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from pybernetes.insight.facts import KernelFacts, NftObjects

Address = tuple[str, int]
_DESTINATION = re.compile(r"--to-destination \[?([0-9a-fA-F.:]+?)\]?:(\d+)\b")


@dataclass(frozen=True, slots=True)
class Verdict:
    """What happens to the connection."""

    kind: str
    """`endpoints`, `reject`, `drop`, `unknown-port` (a cluster IP without this port) or `nothing` (no rule)"""
    endpoints: tuple[Address, ...] = ()
    rule: str = ""
    """The rule, map or chain that decides this."""


def service(kernel: KernelFacts, ip: str, protocol: str, port: int) -> Verdict:
    """Look up a cluster IP and port."""
    family = "ip6" if ":" in ip else "ip"
    objects = kernel.nft.get(f"{family} kube-proxy")
    if objects is not None:
        return _nft(objects, f"{family} kube-proxy", ip, protocol, port)
    if kernel.iptables:
        return _iptables(kernel.iptables, ip, protocol, port)
    return Verdict("nothing")


def _nft(objects: NftObjects, table: str, ip: str, protocol: str, port: int) -> Verdict:
    key = [ip, protocol, port]
    target = element(objects, "service-ips", key)
    if target is not None:
        chain = str((target.get("goto") or target.get("jump") or {}).get("target", ""))
        endpoints = tuple(dict.fromkeys(_destinations(objects, chain, set())))
        return Verdict("endpoints" if endpoints else "drop", endpoints, f"nft map {table} service-ips -> {chain}")
    refused = element(objects, "no-endpoint-services", key)
    if refused is not None:
        kind = "drop" if "drop" in refused else "reject"
        return Verdict(kind, rule=f"nft map {table} no-endpoint-services -> {kind}")
    if _in_set(objects, "cluster-ips", ip):
        return Verdict("unknown-port", rule=f"nft set {table} cluster-ips -> reject")
    return Verdict("nothing")


def element(objects: NftObjects, name: str, key: list[Any]) -> Mapping[str, Any] | None:
    """The verdict for a key of a verdict map."""
    for entry in objects:
        named = entry.get("map")
        if named is None or named.get("name") != name:
            continue
        for found, verdict in named.get("elem", ()):
            if isinstance(found, dict) and found.get("concat") == key and isinstance(verdict, dict):
                return verdict
    return None


def _in_set(objects: NftObjects, name: str, value: object) -> bool:
    return any(value in entry["set"].get("elem", ()) for entry in objects if entry.get("set", {}).get("name") == name)


def rules(objects: NftObjects, chain: str) -> Iterator[list[Mapping[str, Any]]]:
    """The expressions of each rule of a chain."""
    for entry in objects:
        rule = entry.get("rule")
        if rule is not None and rule.get("chain") == chain:
            yield rule.get("expr", [])


def _destinations(objects: NftObjects, chain: str, visited: set[str]) -> Iterator[Address]:
    """Every DNAT target of a chain and of the chains it jumps to."""
    if chain in visited:
        return
    visited.add(chain)
    for expressions in rules(objects, chain):
        for expression in expressions:
            dnat = expression.get("dnat")
            if isinstance(dnat, dict):
                yield from _addresses(dnat)
            for target in _targets(expression):
                yield from _destinations(objects, target, visited)


def _addresses(dnat: Mapping[str, Any]) -> Iterator[Address]:
    addr = dnat.get("addr")
    if isinstance(addr, str):
        yield addr, int(dnat.get("port") or 0)
    elif isinstance(addr, dict):
        for _, value in addr.get("map", {}).get("data", {}).get("set", ()):
            if isinstance(value, dict) and len(value.get("concat", ())) == 2:
                yield str(value["concat"][0]), int(value["concat"][1])


def _targets(expression: object) -> Iterator[str]:
    """The chains that an expression can jump to, at any depth."""
    if isinstance(expression, dict):
        for key, value in expression.items():
            if key in ("goto", "jump") and isinstance(value, dict):
                yield str(value.get("target", ""))
            else:
                yield from _targets(value)
    elif isinstance(expression, list):
        for item in expression:
            yield from _targets(item)


def _iptables(tables: Mapping[str, str], ip: str, protocol: str, port: int) -> Verdict:
    place = re.compile(rf"-d {re.escape(ip)}/\d+ -p {protocol} .*--dport {port}\b.* -j (\S+)")
    family = "ip6" if ":" in ip else "ip"
    nat = _lines(tables, f"{family} nat")
    for line in nat:
        found = place.search(line) if line.startswith("-A KUBE-SERVICES ") else None
        if found:
            endpoints = tuple(dict.fromkeys(_iptables_destinations(nat, found[1], set())))
            return Verdict("endpoints" if endpoints else "drop", endpoints, f"iptables KUBE-SERVICES -> {found[1]}")
    for line in _lines(tables, f"{family} filter"):
        found = place.search(line) if line.startswith("-A KUBE-REJECTS ") else None
        if found:
            return Verdict("drop" if found[1] == "DROP" else "reject", rule=f"iptables KUBE-REJECTS -> {found[1]}")
    return Verdict("nothing")


def _lines(tables: Mapping[str, str], table: str) -> list[str]:
    """Of both of iptables' kernel backends."""
    return [line for key, text in tables.items() if key.partition(" (")[0] == table for line in text.splitlines()]


def _iptables_destinations(lines: list[str], chain: str, visited: set[str]) -> Iterator[Address]:
    if chain in visited:
        return
    visited.add(chain)
    for line in lines:
        if not line.startswith(f"-A {chain} "):
            continue
        found = _DESTINATION.search(line)
        if found:
            yield found[1], int(found[2])
        target = re.search(r" -j (KUBE-\S+)", line)
        if target:
            yield from _iptables_destinations(lines, target[1], visited)
