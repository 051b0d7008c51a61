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
from dataclasses import dataclass

from pybernetes.proxy.fragment import Delta, Element, Fragment
from pybernetes.proxy.model import Endpoint, VirtualServer

TABLE = "kube-proxy"
_MARK = "0x4000"


@dataclass(frozen=True, slots=True)
class Family:
    """The words of one address family."""

    version: int
    pod_cidrs: tuple[str, ...] = ()
    """Where pods live; connections from elsewhere to a cluster IP are masqueraded. Empty: nobody is."""
    masquerade_all: bool = False

    @property
    def word(self) -> str:
        """`ip` or `ip6`"""
        return "ip" if self.version == 4 else "ip6"

    @property
    def type(self) -> str:
        """nft's type of an address."""
        return "ipv4_addr" if self.version == 4 else "ipv6_addr"

    @property
    def loopback(self) -> str:
        """Addresses at which no node port is served."""
        return "127.0.0.0/8" if self.version == 4 else "::1"

    @property
    def reject(self) -> str:
        """The answer to a connection that nobody serves."""
        return f"reject with icmp{'' if self.version == 4 else 'v6'} type port-unreachable"


def identifier(server: VirtualServer) -> str:
    """The name of a server's chains: unique, and readable in a listing."""
    digest = base64.b32encode(hashlib.sha256(server.key.encode()).digest())[:8].decode()
    return f"{digest}-{server.key}"[:100]


def fragment(server: VirtualServer, family: Family) -> Fragment:
    """What one virtual server needs."""
    name = identifier(server)
    chains: dict[str, tuple[str, ...]] = {}
    sets: dict[str, str] = {}
    elements: set[Element] = {("cluster-ips", server.cluster_ip, "")}
    needs_cluster = bool(server.endpoints)
    if needs_cluster:
        _add_choice(chains, sets, f"service-{name}", server, server.endpoints, family)
    internal = _address(server.cluster_ip, server)
    if server.internal_endpoints:
        target = f"service-{name}"
        if server.internal_local:
            target = f"local-{name}"
            _add_choice(chains, sets, target, server, server.local_endpoints, family)
        elements.add(("service-ips", internal, f"goto {target}"))
    else:
        elements.add(("no-endpoint-services", internal, "drop" if server.endpoints else "goto reject-chain"))
    if server.external_ips or server.node_port:
        _add_external(chains, sets, elements, name, server, family)
    elements |= {("hairpin", f"{e.ip} . {e.ip}", "") for e in server.endpoints if e.local}
    return Fragment(chains, sets, frozenset(elements))


def _address(ip: str, server: VirtualServer) -> str:
    return f"{ip} . {server.protocol} . {server.port}"


def _add_external(
    chains: dict[str, tuple[str, ...]],
    sets: dict[str, str],
    elements: set[Element],
    name: str,
    server: VirtualServer,
    family: Family,
) -> None:
    places = [("services", "service-ips", _address(ip, server)) for ip in server.external_ips]
    if server.node_port:
        places.append(("nodeports", "service-nodeports", f"{server.protocol} . {server.node_port}"))
    if not server.endpoints:
        elements |= {(f"no-endpoint-{kind}", key, "goto reject-chain") for kind, _, key in places}
        return
    chain = f"external-{name}"
    rules: list[str] = []
    if server.source_ranges:
        ranges = ", ".join(server.source_ranges)
        rules.append(f"fib saddr type != local {family.word} saddr != {{ {ranges} }} drop")
    if not server.external_local:
        rules += [f"meta mark set meta mark | {_MARK}", f"goto service-{name}"]
    else:
        rules += [f"{family.word} saddr {cidr} goto service-{name}" for cidr in family.pod_cidrs]
        rules += [
            f"fib saddr type local meta mark set meta mark | {_MARK}",
            f"fib saddr type local goto service-{name}",
        ]
        if server.local_endpoints:
            _add_choice(chains, sets, f"local-{name}", server, server.local_endpoints, family)
            rules.append(f"goto local-{name}")
        else:
            elements |= {(f"no-endpoint-{kind}", key, "drop") for kind, _, key in places}
    chains[chain] = tuple(rules)
    elements |= {(table, key, f"goto {chain}") for _, table, key in places}


def _target(endpoint: Endpoint) -> str:
    return f"{endpoint.ip} . {endpoint.port}"


def _add_choice(
    chains: dict[str, tuple[str, ...]],
    sets: dict[str, str],
    chain: str,
    server: VirtualServer,
    endpoints: tuple[Endpoint, ...],
    family: Family,
) -> None:
    """A chain that sends each connection to one of the endpoints."""
    if server.affinity_seconds:
        _add_sticky_choice(chains, sets, chain, server, endpoints, family)
        return
    chains[chain] = (f"meta l4proto {server.protocol} {_dnat(endpoints, family)}",)


def _dnat(endpoints: tuple[Endpoint, ...], family: Family) -> str:
    if len(endpoints) == 1:
        host = endpoints[0].ip if family.version == 4 else f"[{endpoints[0].ip}]"
        return f"dnat {family.word} to {host}:{endpoints[0].port}"
    choices = ", ".join(f"{n} : {_target(e)}" for n, e in enumerate(endpoints))
    return f"dnat {family.word} addr . port to numgen random mod {len(endpoints)} map {{ {choices} }}"


def _add_sticky_choice(
    chains: dict[str, tuple[str, ...]],
    sets: dict[str, str],
    chain: str,
    server: VirtualServer,
    endpoints: tuple[Endpoint, ...],
    family: Family,
) -> None:
    """As `_add_choice`, but a client stays with its endpoint: each endpoint keeps a set of its clients."""
    known, jumps = [], []
    declaration = f"type {family.type}; flags dynamic,timeout; timeout {server.affinity_seconds}s;"
    for number, endpoint in enumerate(endpoints):
        identity = f"{chain}/{endpoint.ip}/{endpoint.port}/{server.affinity_seconds}"
        suffix = hashlib.sha256(identity.encode()).hexdigest()[:12]
        own_set, own_chain = f"affinity-{suffix}", f"endpoint-{suffix}"
        sets[own_set] = declaration
        chains[own_chain] = (
            f"update @{own_set} {{ {family.word} saddr }}",
            f"meta l4proto {server.protocol} {_dnat((endpoint,), family)}",
        )
        known.append(f"{family.word} saddr @{own_set} goto {own_chain}")
        jumps.append(f"{number} : goto {own_chain}")
    choice = f"numgen random mod {len(endpoints)} vmap {{ {', '.join(jumps)} }}"
    chains[chain] = (*known, choice)


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
    services = [*(f"{match} meta mark set meta mark | {_MARK}" for match in outside), *lookups]
    postrouting = [
        f"{word} saddr . {word} daddr @hairpin masquerade fully-random",
        f"meta mark & {_MARK} == 0 return",
        f"meta mark set meta mark ^ {_MARK}",
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


def render(delta: Delta, family: Family, *, fresh: bool = False) -> str:
    """A delta as a script: one transaction. In a `fresh` table nothing has to be emptied first."""
    where = f"{family.word} {TABLE}"
    lines = [f"delete element {where} {line}" for line in _grouped(delta.remove_elements, values=False)]
    lines += [f"add set {where} {name} {{ {text} }}" for name, text in delta.add_sets.items()]
    for chain in delta.write_chains:
        lines.append(f"add chain {where} {chain}")
        if not fresh:
            lines.append(f"flush chain {where} {chain}")
    for chain, rules in delta.write_chains.items():
        lines += [f"add rule {where} {chain} {rule}" for rule in rules]
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
