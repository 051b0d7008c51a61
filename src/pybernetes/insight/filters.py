"""Evaluate the packet filters of a node for one packet: nftables objects and iptables lines alike. Pure.

A match that this module cannot evaluate makes the result uncertain instead of wrong: `Verdict.sure` is False then.
"""

import shlex
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from ipaddress import ip_address, ip_network
from typing import Any

from pybernetes.insight.dnat import rules
from pybernetes.insight.facts import KernelFacts, NftObjects

_FINAL = ("accept", "drop", "reject", "masquerade", "snat")
#: Tables that iptables-nft keeps in nftables; they are read through iptables-save, which prints all of its matches.
_IPTABLES = ("filter", "nat", "mangle", "raw", "security")
_IPTABLES_PRIORITY = {"filter": 0, "nat": 100}
_DEEPEST = 16


@dataclass(frozen=True, slots=True)
class Packet:
    """The fields that rules match: those of the first packet of a connection."""

    source: str
    target: str
    mark: int = 0
    in_link: str = ""
    """Name of the incoming link; empty if it does not matter."""
    out_link: str = ""

    @property
    def version(self) -> int:
        """4 or 6."""
        return 6 if ":" in self.source else 4


@dataclass(frozen=True, slots=True)
class Verdict:
    """The result of a base chain."""

    verdict: str
    """`accept`, `drop`, `reject`, `masquerade`, `snat`, `return`; empty: no rule applies, and the policy accepts."""
    chain: str
    """The base chain, such as `nft chain inet fw forward` or `iptables FORWARD`."""
    rule: str = ""
    """The rule that decides, such as `rule 3`. Empty: the policy decides."""
    sure: bool = True


@dataclass(frozen=True, slots=True)
class _Step:
    matches: bool | None
    """None: a match could not be evaluated."""
    verdict: str
    target: str = ""
    text: str = ""


_Steps = Callable[[str], Iterator[_Step]]


@dataclass(frozen=True, slots=True)
class Base:
    """A base chain: one that the kernel enters from a hook."""

    priority: int
    text: str
    table: str
    """`ip flannel-ipv4`, or `iptables filter`"""
    chain: str
    policy: str
    steps: _Steps

    def decide(self) -> Verdict:
        """Evaluate the chain."""
        found = _walk(self.steps, self.chain, 0)
        if not found.verdict and self.policy == "drop":
            return Verdict("drop", self.text, sure=found.sure)
        return Verdict(found.verdict, self.text, found.rule, found.sure)


def bases(kernel: KernelFacts, hook: str, kind: str, packet: Packet) -> list[Base]:
    """The base chains of a kind (`filter`, `nat`) at a hook (`forward`, `postrouting`), in order of evaluation."""
    found = [*_nft_bases(kernel, hook, kind, packet), *_iptables_bases(kernel, hook, kind, packet)]
    return sorted(found, key=lambda base: (base.priority, base.table, base.chain))


def _walk(steps: _Steps, chain: str, depth: int) -> Verdict:
    sure, returned = True, ""
    for step in steps(chain) if depth < _DEEPEST else ():
        if step.matches is None:
            sure = sure and not (step.verdict in _FINAL or step.target)
        if not step.matches:
            continue
        if step.verdict in ("jump", "goto"):
            inner = _walk(steps, step.target, depth + 1)
            sure = sure and inner.sure
            if inner.verdict in _FINAL:
                return Verdict(inner.verdict, chain, inner.rule, sure)
            returned = inner.rule or returned
            if step.verdict == "goto":
                return Verdict("", chain, returned, sure)
        elif step.verdict in _FINAL or step.verdict == "return":
            return Verdict(step.verdict, chain, step.text, sure)
    return Verdict("", chain, returned, sure)


# --- nftables


def _nft_bases(kernel: KernelFacts, hook: str, kind: str, packet: Packet) -> Iterator[Base]:
    families = ("ip6", "inet") if packet.version == 6 else ("ip", "inet")
    for table, objects in kernel.nft.items():
        family, _, name = table.partition(" ")
        if family not in families or (name in _IPTABLES and f"{family} {name}" in kernel.iptables):
            continue
        for chain in (entry["chain"] for entry in objects if "chain" in entry):
            if chain.get("hook") == hook and chain.get("type") == kind:
                text = f"nft chain {table} {chain['name']}"
                policy, priority = chain.get("policy", "accept"), chain.get("prio", 0)
                yield Base(priority, text, table, chain["name"], policy, _nft_steps(objects, packet))


def _nft_steps(objects: NftObjects, packet: Packet) -> _Steps:
    def steps(chain: str) -> Iterator[_Step]:
        for number, expressions in enumerate(rules(objects, chain), 1):
            holds: list[bool | None] = []
            verdict = target = ""
            for expression in expressions:
                for key, value in expression.items():
                    if key == "match":
                        holds.append(_nft_match(objects, value, packet))
                    elif key in ("limit", "xt", "quota"):
                        holds.append(None)
                    elif key == "vmap":
                        verdict, target, known = _nft_map(value, packet)
                        holds.append(known)
                    elif key in (*_FINAL, "return", "jump", "goto"):
                        verdict = key
                        target = value["target"] if key in ("jump", "goto") else ""
            yield _Step(_all(holds), verdict, target, f"rule {number}")

    return steps


def _all(holds: Sequence[bool | None]) -> bool | None:
    if False in holds:
        return False
    return None if None in holds else True


def _nft_map(vmap: Mapping[str, Any], packet: Packet) -> tuple[str, str, bool | None]:
    """(verdict, target, whether it applies) of a verdict map."""
    value = _nft_value(vmap.get("key"), packet)
    data = vmap.get("data")
    if value is None or not isinstance(data, dict):
        return "accept", "", None
    for key, verdict in data.get("set", ()):
        if key == value:
            (name, rest), *_ = verdict.items()
            return name, rest["target"] if isinstance(rest, dict) and "target" in rest else "", True
    return "", "", False


def _nft_match(objects: NftObjects, match: Mapping[str, Any], packet: Packet) -> bool | None:
    left = _nft_value(match.get("left"), packet)
    if left is None:
        return None
    if left == "":
        return False  # the other IP family: no comparison matches, not even !=
    same = _nft_equal(objects, left, match.get("right"))
    return not same if match.get("op") == "!=" else same


def _nft_value(left: Any, packet: Packet) -> Any:
    match left:
        case {"payload": {"protocol": ("ip" | "ip6") as family}} if (family == "ip6") != (packet.version == 6):
            return ""
        case {"payload": {"field": "saddr"}}:
            return packet.source
        case {"payload": {"field": "daddr"}}:
            return packet.target
        case {"meta": {"key": "mark"}}:
            return packet.mark
        case {"meta": {"key": "iifname"}}:
            return packet.in_link or None
        case {"meta": {"key": "oifname"}}:
            return packet.out_link or None
        case {"ct": {"key": "state"}}:
            return "new"
        case {"&": [{"meta": {"key": "mark"}}, int(mask)]}:
            return packet.mark & mask
        case {"concat": parts}:
            values = [_nft_value(part, packet) for part in parts]
            return None if None in values else {"concat": values}
    return None


def _nft_equal(objects: NftObjects, left: Any, right: Any) -> bool:
    match right:
        case {"prefix": {"addr": str(addr), "len": int(length)}}:
            return isinstance(left, str) and bool(left) and ip_address(left) in ip_network(f"{addr}/{length}")
        case {"set": elements}:
            return any(_nft_equal(objects, left, element) for element in elements)
        case list():
            return left in right
        case str(name) if name.startswith("@"):
            sets = [entry["set"] for entry in objects if entry.get("set", {}).get("name") == name[1:]]
            return any(_nft_equal(objects, left, element) for found in sets for element in found.get("elem", ()))
        case str(name) if name.endswith("*"):
            return isinstance(left, str) and left.startswith(name[:-1])
    return bool(left == right)


# --- iptables


def _iptables_bases(kernel: KernelFacts, hook: str, kind: str, packet: Packet) -> Iterator[Base]:
    table, chain = ("nat" if kind == "nat" else "filter"), hook.upper()
    family = "ip6" if packet.version == 6 else "ip"
    for key, text in kernel.iptables.items():
        if key.partition(" (")[0] != f"{family} {table}":
            continue
        lines = text.splitlines()
        declared = {words[0][1:]: words[1] for words in map(str.split, lines) if words and words[0].startswith(":")}
        if chain in declared:
            steps = _iptables_steps(lines, declared, packet)
            policy = declared[chain].lower()
            title = "ip6tables" if family == "ip6" else "iptables"
            yield Base(_IPTABLES_PRIORITY[table], f"{title} {chain}", f"iptables {table}", chain, policy, steps)


def _iptables_steps(lines: Sequence[str], declared: Mapping[str, str], packet: Packet) -> _Steps:
    def steps(chain: str) -> Iterator[_Step]:
        for line in lines:
            if line.startswith(f"-A {chain} "):
                words = shlex.split(line)[2:]
                end = next((n for n, word in enumerate(words) if word in ("-j", "-g")), len(words))
                named = words[end + 1] if end + 1 < len(words) else ""
                jumps = named in declared
                verdict = ("goto" if words[end] == "-g" else "jump") if jumps else named.lower()
                holds = _iptables_match(words[:end], packet)
                yield _Step(holds, verdict, named if jumps else "", f"the rule '{line}'")

    return steps


def _iptables_match(words: Sequence[str], packet: Packet) -> bool | None:
    holds: list[bool | None] = []
    rest = iter(words)
    negated = False
    for word in rest:
        if word == "!":
            negated = True
            continue
        found = _iptables_option(word, next(rest, ""), packet)
        if found is not True or word not in ("-m", "--comment"):
            holds.append(found if found is None else found is not negated)
        negated = False
    return _all(holds)


def _iptables_option(option: str, value: str, packet: Packet) -> bool | None:
    if option == "-s":
        return _inside(packet.source, value)
    if option == "-d":
        return _inside(packet.target, value)
    if option == "-i":
        return _named(packet.in_link, value)
    if option == "-o":
        return _named(packet.out_link, value)
    if option in ("--ctstate", "--state"):
        return "NEW" in value.split(",")
    if option == "--mark":
        wanted, _, mask = value.partition("/")
        return packet.mark & int(mask or "0xffffffff", 16) == int(wanted, 16)
    if option == "--comment" or (option == "-m" and value in ("comment", "conntrack", "state", "mark")):
        return True
    return None


def _inside(ip: str, network: str) -> bool:
    return ip_address(ip) in ip_network(network, strict=False)


def _named(link: str, pattern: str) -> bool | None:
    if not link:
        return None
    return link.startswith(pattern[:-1]) if pattern.endswith("+") else link == pattern
