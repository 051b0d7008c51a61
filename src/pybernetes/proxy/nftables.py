"""Virtual servers as nftables, in a table `kube-proxy` per family. Pure: text for `nft -f`.

A packet to a Service costs one map lookup and one random choice, however many Services there are:

| map | key | leads to |
|---|---|---|
| service-ips | address . protocol . port | the chain of a cluster IP or external IP |
| service-nodeports | protocol . port | the chain of a node port |
| no-endpoint-services, no-endpoint-nodeports | the same | reject, or drop where the policy is Local |

Connections are masqueraded when they come from outside the pod network, or when a pod reaches itself through a
Service; all others keep their source address.
"""

import base64
import hashlib
from collections.abc import Iterable

from pybernetes.proxy.family import TABLE, Family
from pybernetes.proxy.fragment import Delta, Element, Fragment
from pybernetes.proxy.model import Endpoint, VirtualServer
from pybernetes.proxy.rules import (
    MARK,
    Chance,
    Drop,
    From,
    FromKnown,
    FromNode,
    Goto,
    GotoAny,
    Mark,
    Protocol,
    Remember,
    Rule,
    SendTo,
    text,
)

# So many endpoints get a rule each; more get a map, which costs a packet less. But the kernel finds a table's sets one
# by one, so a map costs an update, and above all the first load, more with each Service that has one.
_FEW = 8


def identifier(server: VirtualServer) -> str:
    """The name of a server's chains: unique, and readable in a listing."""
    digest = base64.b32encode(hashlib.sha256(server.key.encode()).digest())[:8].decode()
    return f"{digest}-{server.key}"[:100]


class _Draft:
    """A fragment in the making."""

    def __init__(self, server: VirtualServer, family: Family) -> None:
        self.server = server
        self.family = family
        self.name = identifier(server)
        self.chains: dict[str, tuple[Rule, ...]] = {}
        self.sets: dict[str, int] = {}
        self.elements: set[Element] = {("cluster-ips", server.cluster_ip, "")}


def fragment(server: VirtualServer, family: Family) -> Fragment:
    """What one virtual server needs."""
    draft = _Draft(server, family)
    if server.endpoints:
        _add_choice(draft, f"service-{draft.name}", server.endpoints)
    internal = _address(server.cluster_ip, server)
    if server.internal_endpoints:
        target = f"service-{draft.name}"
        if server.internal_local:
            target = f"local-{draft.name}"
            _add_choice(draft, target, server.local_endpoints)
        draft.elements.add(("service-ips", internal, f"goto {target}"))
    else:
        draft.elements.add(("no-endpoint-services", internal, "drop" if server.endpoints else "goto reject-chain"))
    if server.external_ips or server.node_port:
        _add_external(draft)
    draft.elements |= {("hairpin", f"{e.ip} . {e.ip}", "") for e in server.endpoints if e.local}
    return Fragment(draft.chains, draft.sets, frozenset(draft.elements))


def _address(ip: str, server: VirtualServer) -> str:
    return f"{ip} . {server.protocol} . {server.port}"


def _add_external(draft: _Draft) -> None:
    server, name = draft.server, draft.name
    places = [("services", "service-ips", _address(ip, server)) for ip in server.external_ips]
    if server.node_port:
        places.append(("nodeports", "service-nodeports", f"{server.protocol} . {server.node_port}"))
    if not server.endpoints:
        draft.elements |= {(f"no-endpoint-{kind}", key, "goto reject-chain") for kind, _, key in places}
        return
    rules: list[Rule] = []
    if not server.external_local:
        rules += [(Mark(),), (Goto(f"service-{name}"),)]
    else:
        rules += [(From(cidr), Goto(f"service-{name}")) for cidr in draft.family.pod_cidrs]
        rules += [(FromNode(), Mark()), (FromNode(), Goto(f"service-{name}"))]
        if server.local_endpoints:
            _add_choice(draft, f"local-{name}", server.local_endpoints)
            rules.append((Goto(f"local-{name}"),))
        else:
            draft.elements |= {(f"no-endpoint-{kind}", key, "drop") for kind, _, key in places}
    chain = f"external-{name}"
    draft.chains[chain] = tuple(rules)
    if server.source_ranges:
        admitted, chain = chain, f"firewall-{name}"
        draft.chains[chain] = _firewall(server.source_ranges, admitted)
    draft.elements |= {(table, key, f"goto {chain}") for _, table, key in places}


def _firewall(ranges: Iterable[str], admitted: str) -> tuple[Rule, ...]:
    """Only the node and these networks get further."""
    allowed: list[Rule] = [(From(cidr), Goto(admitted)) for cidr in ranges]
    return (*allowed, (FromNode(), Goto(admitted)), (Drop(),))


def _add_choice(draft: _Draft, chain: str, endpoints: tuple[Endpoint, ...]) -> None:
    """A chain that sends each connection to one of the endpoints."""
    protocol = Protocol(draft.server.protocol)
    if draft.server.affinity_seconds:
        _add_sticky_choice(draft, chain, endpoints)
    elif len(endpoints) > _FEW:
        draft.chains[chain] = ((protocol, SendTo(endpoints)),)
    else:
        last = len(endpoints) - 1
        choices: list[Rule] = [
            (protocol, Chance(last + 1 - n), SendTo((endpoint,))) for n, endpoint in enumerate(endpoints[:last])
        ]
        draft.chains[chain] = (*choices, (protocol, SendTo(endpoints[last:])))


def _add_sticky_choice(draft: _Draft, chain: str, endpoints: tuple[Endpoint, ...]) -> None:
    """As `_add_choice`, but a client stays with its endpoint: each endpoint keeps a set of its clients."""
    server = draft.server
    known: list[Rule] = []
    chains = []
    for endpoint in endpoints:
        identity = f"{chain}/{endpoint.ip}/{endpoint.port}/{server.affinity_seconds}"
        suffix = hashlib.sha256(identity.encode()).hexdigest()[:12]
        clients, own_chain = f"affinity-{suffix}", f"endpoint-{suffix}"
        draft.sets[clients] = server.affinity_seconds
        draft.chains[own_chain] = ((Remember(clients),), (Protocol(server.protocol), SendTo((endpoint,))))
        known.append((FromKnown(clients), Goto(own_chain)))
        chains.append(own_chain)
    draft.chains[chain] = (*known, (GotoAny(tuple(chains)),))


def base(family: Family) -> str:
    """The empty table with its hooks; what is there under its name goes."""
    word, kind = family.word, family.type
    outside = (
        [f"{word} daddr @cluster-ips {word} saddr != {{ {', '.join(family.pod_cidrs)} }}"] if family.pod_cidrs else []
    )
    if family.masquerade_all:
        outside = [f"{word} daddr @cluster-ips"]
    lookups = [
        f"{word} daddr . meta l4proto . th dport vmap @service-ips",
        f"fib daddr type local {word} daddr != {family.loopback} meta l4proto . th dport vmap @service-nodeports",
    ]
    refusals = [
        f"ct state new {word} daddr . meta l4proto . th dport vmap @no-endpoint-services",
        f"ct state new fib daddr type local {word} daddr != {family.loopback} "
        "meta l4proto . th dport vmap @no-endpoint-nodeports",
    ]
    strays = [f"ct state new {word} daddr @cluster-ips {family.reject}"]
    services = [*(f"{match} meta mark set meta mark | {MARK:#x}" for match in outside), *lookups]
    postrouting = [
        f"{word} saddr . {word} daddr @hairpin masquerade fully-random",
        f"meta mark & {MARK:#x} == 0 return",
        f"meta mark set meta mark ^ {MARK:#x}",
        "masquerade fully-random",
    ]
    chains = [
        ("reject-chain", "", [family.reject]),
        ("services", "", services),
        ("nat-prerouting", "type nat hook prerouting priority dstnat; policy accept;", ["goto services"]),
        ("nat-output", "type nat hook output priority -100; policy accept;", ["goto services"]),
        ("nat-postrouting", "type nat hook postrouting priority srcnat - 1; policy accept;", postrouting),
        ("filter-input", "type filter hook input priority filter - 1; policy accept;", refusals),
        ("filter-forward", "type filter hook forward priority filter - 1; policy accept;", [*refusals, *strays]),
        ("filter-output", "type filter hook output priority filter - 1; policy accept;", [*refusals, *strays]),
    ]
    lines = [f"table {word} {TABLE}", f"delete table {word} {TABLE}", f"table {word} {TABLE} {{"]
    lines += [
        '  comment "rules for Services"',
        f"  set cluster-ips {{ type {kind}; }}",
        f"  set hairpin {{ type {kind} . {kind}; }}",
        f"  map service-ips {{ type {kind} . inet_proto . inet_service : verdict; }}",
        "  map service-nodeports { type inet_proto . inet_service : verdict; }",
        f"  map no-endpoint-services {{ type {kind} . inet_proto . inet_service : verdict; }}",
        "  map no-endpoint-nodeports { type inet_proto . inet_service : verdict; }",
    ]
    for name, hook, rules in chains:
        lines += [f"  chain {name} {{", *([f"    {hook}"] if hook else []), *(f"    {rule}" for rule in rules), "  }"]
    return "\n".join([*lines, "}"]) + "\n"


def render(delta: Delta, family: Family) -> str:
    """A delta as a script: one transaction."""
    where = f"{family.word} {TABLE}"
    lines = [f"delete element {where} {line}" for line in _grouped(delta.remove_elements, values=False)]
    kind = f"type {family.type}; flags dynamic,timeout;"
    lines += [f"add set {where} {name} {{ {kind} timeout {seconds}s; }}" for name, seconds in delta.add_sets.items()]
    for chain in delta.write_chains:
        lines.append(f"{'add' if chain in delta.new_chains else 'flush'} chain {where} {chain}")
    for chain, rules in delta.write_chains.items():
        lines += [f"add rule {where} {chain} {text(rule, family)}" for rule in rules]
    lines += [f"add element {where} {line}" for line in _grouped(delta.add_elements, values=True)]
    lines += [f"flush chain {where} {chain}" for chain in delta.remove_chains]
    lines += [f"delete chain {where} {chain}" for chain in delta.remove_chains]
    lines += [f"delete set {where} {name}" for name in delta.remove_sets]
    return "\n".join(lines) + "\n" if lines else ""


def _grouped(elements: Iterable[Element], *, values: bool) -> list[str]:
    by_map: dict[str, list[str]] = {}
    for name, key, value in elements:
        by_map.setdefault(name, []).append(f"{key} : {value}" if values and value else key)
    return [f"{name} {{ {', '.join(keys)} }}" for name, keys in by_map.items()]
