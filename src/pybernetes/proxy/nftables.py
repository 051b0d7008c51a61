"""Virtual servers as nftables, in a table `kube-proxy` per family. Pure: a table, and a fragment per virtual server.

A packet to a Service costs one map lookup and one random choice, regardless of the number of Services:

| map | key | leads to |
|---|---|---|
| service-ips | address . protocol . port | the chain of a cluster IP or external IP |
| service-nodeports | protocol . port | the chain of a node port |
| no-endpoint-services, no-endpoint-nodeports | the same | reject, or drop if the policy is Local |

Connections are masqueraded when they come from outside the pod network, or when a pod reaches itself through a
Service; all others keep their source address.
"""

import base64
import hashlib
from collections.abc import Iterable

from pybernetes.linux.nftables.fragments import Element, Fragment
from pybernetes.linux.nftables.statements import (
    Dnat,
    Drop,
    Goto,
    GotoRandom,
    L4Protocol,
    LocalSource,
    OneIn,
    SetMarkBits,
    SourceInSet,
    SourceNetwork,
    UpdateSet,
)
from pybernetes.linux.nftables.table import Chain, Hook, Rule, Set, Table, rule
from pybernetes.proxy.family import TABLE, Family
from pybernetes.proxy.model import Endpoint, VirtualServer

MARK = 0x4000
"""The mark of packets to masquerade."""

# Up to this many endpoints get a rule each; more get a map, which is cheaper for a packet. But the kernel searches the
# sets of a table linearly, so each map makes updates, and above all the first load, more expensive.
_FEW = 8


def identifier(server: VirtualServer) -> str:
    """The part of chain names that identifies a virtual server: unique, and readable in a listing."""
    digest = base64.b32encode(hashlib.sha256(server.key.encode()).digest())[:8].decode()
    return f"{digest}-{server.key}"[:100]


class _Draft:
    """A fragment under construction."""

    def __init__(self, server: VirtualServer, family: Family) -> None:
        self.server = server
        self.family = family
        self.name = identifier(server)
        self.chains: dict[str, tuple[Rule, ...]] = {}
        self.sets: list[Set] = []
        self.elements: set[Element] = {("cluster-ips", server.cluster_ip, "")}


def fragment(server: VirtualServer, family: Family) -> Fragment:
    """The part of the table that one virtual server needs."""
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
    return Fragment(draft.chains, tuple(draft.sets), frozenset(draft.elements))


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
        rules += [Rule(SetMarkBits(MARK)), Rule(Goto(f"service-{name}"))]
    else:
        rules += [Rule(SourceNetwork(cidr), Goto(f"service-{name}")) for cidr in draft.family.pod_cidrs]
        rules += [Rule(LocalSource(), SetMarkBits(MARK)), Rule(LocalSource(), Goto(f"service-{name}"))]
        if server.local_endpoints:
            _add_choice(draft, f"local-{name}", server.local_endpoints)
            rules.append(Rule(Goto(f"local-{name}")))
        else:
            draft.elements |= {(f"no-endpoint-{kind}", key, "drop") for kind, _, key in places}
    chain = f"external-{name}"
    draft.chains[chain] = tuple(rules)
    if server.source_ranges:
        admitted, chain = chain, f"firewall-{name}"
        draft.chains[chain] = _firewall(server.source_ranges, admitted)
    draft.elements |= {(table, key, f"goto {chain}") for _, table, key in places}


def _firewall(ranges: Iterable[str], admitted: str) -> tuple[Rule, ...]:
    """Admit only the node and these networks."""
    allowed = [Rule(SourceNetwork(cidr), Goto(admitted)) for cidr in ranges]
    return (*allowed, Rule(LocalSource(), Goto(admitted)), Rule(Drop()))


def _add_choice(draft: _Draft, chain: str, endpoints: tuple[Endpoint, ...]) -> None:
    """A chain that sends each connection to one of the endpoints."""
    protocol = L4Protocol(draft.server.protocol)
    destinations = tuple((endpoint.ip, endpoint.port) for endpoint in endpoints)
    if draft.server.affinity_seconds:
        _add_sticky_choice(draft, chain, endpoints)
    elif len(endpoints) > _FEW:
        draft.chains[chain] = (Rule(protocol, Dnat(destinations)),)
    else:
        last = len(endpoints) - 1
        choices = [Rule(protocol, OneIn(last + 1 - n), Dnat((one,))) for n, one in enumerate(destinations[:last])]
        draft.chains[chain] = (*choices, Rule(protocol, Dnat(destinations[last:])))


def _add_sticky_choice(draft: _Draft, chain: str, endpoints: tuple[Endpoint, ...]) -> None:
    """Like `_add_choice`, with session affinity: each endpoint has a set of its clients."""
    server = draft.server
    known: list[Rule] = []
    chains = []
    for endpoint in endpoints:
        identity = f"{chain}/{endpoint.ip}/{endpoint.port}/{server.affinity_seconds}"
        suffix = hashlib.sha256(identity.encode()).hexdigest()[:12]
        clients, own_chain = f"affinity-{suffix}", f"endpoint-{suffix}"
        draft.sets.append(Set(clients, draft.family.type, seconds=server.affinity_seconds))
        to_endpoint = Rule(L4Protocol(server.protocol), Dnat(((endpoint.ip, endpoint.port),)))
        draft.chains[own_chain] = (Rule(UpdateSet(clients)), to_endpoint)
        known.append(Rule(SourceInSet(clients), Goto(own_chain)))
        chains.append(own_chain)
    draft.chains[chain] = (*known, Rule(GotoRandom(tuple(chains))))


def base(family: Family) -> Table:
    """The table without any Service."""
    word, kind = family.word, family.type
    vmap = f"{kind} . inet_proto . inet_service"
    sets = [
        Set("cluster-ips", kind),
        Set("hairpin", f"{kind} . {kind}"),
        Set("service-ips", vmap, "verdict"),
        Set("service-nodeports", "inet_proto . inet_service", "verdict"),
        Set("no-endpoint-services", vmap, "verdict"),
        Set("no-endpoint-nodeports", "inet_proto . inet_service", "verdict"),
    ]
    return Table(word, TABLE, comment="rules for Services", sets=sets, chains=_base_chains(family))


def _base_chains(family: Family) -> list[Chain]:
    word = family.word
    local = f"fib daddr type local {word} daddr != {family.loopback} meta l4proto . th dport"
    services = [
        *(rule(f"{match} meta mark set meta mark | {MARK:#x}") for match in _masqueraded(family)),
        rule(f"{word} daddr . meta l4proto . th dport vmap @service-ips"),
        rule(f"{local} vmap @service-nodeports"),
    ]
    no_endpoints = [
        rule(f"ct state new {word} daddr . meta l4proto . th dport vmap @no-endpoint-services"),
        rule(f"ct state new {local} vmap @no-endpoint-nodeports"),
    ]
    unknown_ports = [rule(f"ct state new {word} daddr @cluster-ips {family.reject}")]
    postrouting = [
        rule(f"{word} saddr . {word} daddr @hairpin masquerade fully-random"),
        rule(f"meta mark & {MARK:#x} == 0 return"),
        rule(f"meta mark set meta mark ^ {MARK:#x}"),
        rule("masquerade fully-random"),
    ]
    return [
        Chain("reject-chain", [rule(family.reject)]),
        Chain("services", services),
        Chain("nat-prerouting", [rule("goto services")], Hook("nat", "prerouting", "dstnat")),
        Chain("nat-output", [rule("goto services")], Hook("nat", "output", "-100")),
        Chain("nat-postrouting", postrouting, Hook("nat", "postrouting", "srcnat - 1")),
        Chain("filter-input", no_endpoints, Hook("filter", "input", "filter - 1")),
        Chain("filter-forward", [*no_endpoints, *unknown_ports], Hook("filter", "forward", "filter - 1")),
        Chain("filter-output", [*no_endpoints, *unknown_ports], Hook("filter", "output", "filter - 1")),
    ]


def _masqueraded(family: Family) -> list[str]:
    """Matches for the packets to a cluster IP that are masqueraded."""
    word = family.word
    if family.masquerade_all:
        return [f"{word} daddr @cluster-ips"]
    if family.pod_cidrs:
        return [f"{word} daddr @cluster-ips {word} saddr != {{ {', '.join(family.pod_cidrs)} }}"]
    return []
