"""The rules of the plugins in plain Python, one node and one pod at a time: the arrays are compared with them.

Written from the documentation of the plugins, to be obvious rather than fast. Shares only the parsing of pods into
templates with them. Filters return reasons (empty: the node passes), scores return normalised numbers per node name.
"""

import math
from collections import defaultdict
from dataclasses import dataclass, field

from pybernetes.api.core.affinity import NodeSelectorRequirement, NodeSelectorTerm, Toleration
from pybernetes.api.core.node import Node
from pybernetes.api.core.pod import Pod
from pybernetes.api.labels import Selector
from pybernetes.api.wellknown import LABEL_HOSTNAME as HOSTNAME
from pybernetes.api.wellknown import LABEL_ZONE as ZONE
from pybernetes.scheduler.podquery import AffinityTerm, Match
from pybernetes.scheduler.resources import amounts
from pybernetes.scheduler.template import Spread, Template, compile_template

MIN_IMAGE, MAX_IMAGE = 23 << 20, 1000 << 20


@dataclass
class World:
    """Nodes, the pods on them, and namespaces with their labels."""

    nodes: dict[str, Node] = field(default_factory=dict)
    pods: list[Pod] = field(default_factory=list)
    namespaces: dict[str, dict[str, str]] = field(default_factory=dict)
    default: Selector | None = None
    """the pods among which a pod without spread constraints is spread"""

    def on(self, name: str) -> list[Pod]:
        return [pod for pod in self.pods if pod.spec.node_name == name]


def labels_of(node: Node) -> dict[str, str]:
    return node.metadata.labels


def requirement(value: str | None, wanted: NodeSelectorRequirement) -> bool:
    if wanted.operator == "In":
        return value is not None and value in wanted.values
    if wanted.operator == "NotIn":
        return value is None or value not in wanted.values
    if wanted.operator == "Exists":
        return value is not None
    if wanted.operator == "DoesNotExist":
        return value is None
    try:
        number, bound = int(value or ""), int(wanted.values[0])
    except ValueError:
        return False
    return number > bound if wanted.operator == "Gt" else number < bound


def node_term(node: Node, term: NodeSelectorTerm) -> bool:
    if not term.match_expressions and not term.match_fields:
        return False
    return all(requirement(labels_of(node).get(r.key), r) for r in term.match_expressions) and all(
        requirement(node.metadata.name, r) for r in term.match_fields
    )


def matches_node(node: Node, pod: Template) -> bool:
    """nodeSelector and required node affinity."""
    if any(labels_of(node).get(key) != value for key, value in pod.node_selector.items()):
        return False
    return pod.node_affinity is None or any(node_term(node, t) for t in pod.node_affinity.node_selector_terms)


def tolerated(tolerations: list[Toleration], key: str, value: str, effect: str) -> bool:
    return any(
        t.effect in ("", effect)
        and t.key in ("", key)
        and (t.operator == "Exists" or (t.operator in ("", "Equal") and t.value == value))
        for t in tolerations
    )


def hard_taint(node: Node, pod: Template) -> str:
    for t in node.spec.taints:
        if t.effect != "PreferNoSchedule" and not tolerated(list(pod.tolerations), t.key, t.value, t.effect):
            return f"node(s) had untolerated taint {{{t.key}: {t.value}}}"
    return ""


def selects(world: World, match: Match, pod: Pod | Template) -> bool:
    namespace = pod.namespace if isinstance(pod, Template) else pod.metadata.namespace
    labels = pod.labels if isinstance(pod, Template) else pod.metadata.labels
    inside = namespace in match.namespaces or match.namespace_selector.matches(world.namespaces.get(namespace, {}))
    return inside and match.selector.matches(labels)


def live_matches(world: World, selector: Selector, namespace: str, node: str) -> int:
    return sum(
        pod.metadata.namespace == namespace
        and not pod.metadata.deletion_timestamp
        and selector.matches(pod.metadata.labels)
        for pod in world.on(node)
    )


def in_domain(world: World, node: Node, key: str) -> list[Pod]:
    """The pods on all nodes that have the same value of a label as the node."""
    value = labels_of(node).get(key)
    return [
        p for n in world.nodes.values() if labels_of(n).get(key) == value is not None for p in world.on(n.metadata.name)
    ]


# --- filters, in order


def refusal(world: World, pod: Template, node: Node) -> list[str]:
    """The reasons of the first filter that refuses the node."""
    for rule in (unschedulable, taints, affinity, ports, fit, spread, pod_affinity):
        reasons = rule(world, pod, node)
        if reasons:
            return reasons
    return []


def unschedulable(world: World, pod: Template, node: Node) -> list[str]:
    exempt = tolerated(list(pod.tolerations), "node.kubernetes.io/unschedulable", "", "NoSchedule")
    return ["node(s) were unschedulable"] if node.spec.unschedulable and not exempt else []


def taints(world: World, pod: Template, node: Node) -> list[str]:
    text = hard_taint(node, pod)
    return [text] if text else []


def affinity(world: World, pod: Template, node: Node) -> list[str]:
    return [] if matches_node(node, pod) else ["node(s) didn't match Pod's node affinity/selector"]


def ports(world: World, pod: Template, node: Node) -> list[str]:
    for other in world.on(node.metadata.name):
        for address, protocol, port in compile_template(other).host_ports:
            for mine in pod.host_ports:
                if mine[1:] == (protocol, port) and (mine[0] == address or "0.0.0.0" in (mine[0], address)):
                    return ["node(s) didn't have free ports for the requested pod ports"]
    return []


def used(world: World, node: Node) -> dict[str, int]:
    total: dict[str, int] = defaultdict(int)
    for other in world.on(node.metadata.name):
        for name, number in compile_template(other).requests.items():
            total[name] += number
    return total


def fit(world: World, pod: Template, node: Node) -> list[str]:
    have, taken = amounts(node.status.allocatable), used(world, node)
    reasons = ["Too many pods"] if len(world.on(node.metadata.name)) >= have.get("pods", 0) else []
    first = ["cpu", "memory", "ephemeral-storage"]
    for name in [n for n in first if n in pod.requests] + [n for n in pod.requests if n not in first]:
        if pod.requests[name] > have.get(name, 0) - taken[name]:
            reasons.append(f"Insufficient {name}")
    return reasons


def spread(world: World, pod: Template, node: Node) -> list[str]:
    hard = [c for c in pod.spread if c.hard]
    for constraint in hard:
        if constraint.topology_key not in labels_of(node):
            return ["node(s) didn't match pod topology spread constraints (missing required label)"]
        counts: dict[str, int] = defaultdict(int)
        for other in world.nodes.values():
            if not all(c.topology_key in labels_of(other) for c in hard):
                continue
            if constraint.honor_affinity and not matches_node(other, pod):
                continue
            if constraint.honor_taints and hard_taint(other, pod):
                continue
            selector = constraint.query.matches[0].selector
            counts[labels_of(other)[constraint.topology_key]] += live_matches(
                world, selector, pod.namespace, other.metadata.name
            )
        least = min(counts.values(), default=0) if len(counts) >= constraint.min_domains else 0
        here = counts.get(labels_of(node)[constraint.topology_key], 0)
        if here + constraint.self_match - least > constraint.max_skew:
            return ["node(s) didn't match pod topology spread constraints"]
    return []


def pod_affinity(world: World, pod: Template, node: Node) -> list[str]:
    def fits_all(other: Pod | Template) -> bool:
        return all(selects(world, term.match, other) for term in pod.affinity)

    def has_pods(at: Node, key: str) -> bool:
        return any(fits_all(other) for other in in_domain(world, at, key))

    if any(term.topology_key not in labels_of(node) for term in pod.affinity):
        return ["node(s) didn't match pod affinity rules"]
    if not all(has_pods(node, term.topology_key) for term in pod.affinity):
        none_anywhere = not any(has_pods(n, t.topology_key) for n in world.nodes.values() for t in pod.affinity)
        if not (none_anywhere and fits_all(pod)):
            return ["node(s) didn't match pod affinity rules"]
    for term in pod.anti_affinity:
        if any(selects(world, term.match, other) for other in in_domain(world, node, term.topology_key)):
            return ["node(s) didn't match pod anti-affinity rules"]
    for key in {t.topology_key for p in world.pods for t in compile_template(p).anti_affinity}:
        for other in in_domain(world, node, key):
            for term in compile_template(other).anti_affinity:
                if term.topology_key == key and selects(world, term.match, pod):
                    return ["node(s) didn't satisfy existing pods anti-affinity rules"]
    return []


# --- scores


def scores(world: World, pod: Template, feasible: list[Node]) -> dict[str, dict[str, int]]:
    """Plugin -> node -> normalised score, unweighted."""
    return {
        "TaintToleration": soft_taints(pod, feasible),
        "NodeAffinity": preferred(pod, feasible),
        "NodeResourcesFit": {n.metadata.name: least(world, pod, n) for n in feasible},
        "NodeResourcesBalancedAllocation": {n.metadata.name: balanced(world, pod, n) for n in feasible},
        "ImageLocality": {n.metadata.name: images(world, pod, n) for n in feasible},
        "PodTopologySpread": spread_score(world, pod, feasible, world.default),
        "InterPodAffinity": affinity_score(world, pod, feasible),
    }


def soft_taints(pod: Template, feasible: list[Node]) -> dict[str, int]:
    mine = [t for t in pod.tolerations if t.effect in ("", "PreferNoSchedule")]
    raw = {
        n.metadata.name: sum(
            t.effect == "PreferNoSchedule" and not tolerated(mine, t.key, t.value, t.effect) for t in n.spec.taints
        )
        for n in feasible
    }
    highest = max(raw.values(), default=0)
    return {name: 100 - (100 * count // highest if highest else 0) for name, count in raw.items()}


def preferred(pod: Template, feasible: list[Node]) -> dict[str, int]:
    raw = {n.metadata.name: sum(p.weight for p in pod.preferred_nodes if node_term(n, p.preference)) for n in feasible}
    highest = max(raw.values(), default=0)
    return {name: 100 * count // highest if highest else 0 for name, count in raw.items()}


def least(world: World, pod: Template, node: Node) -> int:
    have = amounts(node.status.allocatable)
    templates = [compile_template(other) for other in world.on(node.metadata.name)]
    parts = []
    for index, name in enumerate(("cpu", "memory")):
        if have.get(name):
            taken = sum(t.non_zero[index] for t in templates) + pod.non_zero[index]
            parts.append(max(have[name] - taken, 0) * 100 // have[name])
    return sum(parts) // len(parts) if parts else 0


def balanced(world: World, pod: Template, node: Node) -> int:
    if not pod.requests.keys() & {"cpu", "memory"}:
        return 0
    have, taken = amounts(node.status.allocatable), used(world, node)
    shares = [
        min((taken[name] + pod.requests.get(name, 0)) / have[name], 1.0) for name in ("cpu", "memory") if have.get(name)
    ]
    deviation = abs(shares[0] - shares[1]) / 2 if len(shares) == 2 else 0.0
    return int((1 - deviation) * 100)


def images(world: World, pod: Template, node: Node) -> int:
    def size(image: str, at: Node) -> int | None:
        return next((i.size_bytes or 0 for i in reversed(at.status.images) if image in i.names), None)

    if not pod.images:
        return 0
    total = 0
    for image in pod.images:
        holders = sum(size(image, n) is not None for n in world.nodes.values())
        total += int((size(image, node) or 0) * (holders / len(world.nodes)))
    highest = MAX_IMAGE * len(pod.images)
    return 100 * (min(max(total, MIN_IMAGE), highest) - MIN_IMAGE) // (highest - MIN_IMAGE)


def spread_score(world: World, pod: Template, feasible: list[Node], default: Selector | None) -> dict[str, int]:
    """Soft constraints; `default` selects the pods among which a pod without constraints is spread."""
    if pod.spread:
        soft = [Soft(c.topology_key, c.max_skew, c.query.matches[0].selector, c) for c in pod.spread if not c.hard]
        keys = {c.key for c in soft}
    else:
        soft = [Soft(HOSTNAME, 3, default), Soft(ZONE, 5, default)] if default else []
        keys = set()
    ranked = [n for n in feasible if keys <= labels_of(n).keys()]
    result = {n.metadata.name: 0 for n in feasible}
    if not soft or not ranked:
        return result
    raw = {}
    for node in ranked:
        crowd = 0.0
        for c in soft:
            if c.key in labels_of(node):
                domains, count = neighbours(world, pod, c, node, ranked, keys)
                crowd += count * math.log(domains + 2) + (c.max_skew - 1)
        raw[node.metadata.name] = math.floor(crowd + 0.5)
    low, high = min(raw.values()), max(raw.values())
    for name, crowded in raw.items():
        result[name] = 100 * (high + low - crowded) // high if high else 100
    return result


@dataclass
class Soft:
    """A constraint that only ranks nodes."""

    key: str
    max_skew: int
    selector: Selector | None
    policies: Spread | None = None


def neighbours(world: World, pod: Template, c: Soft, node: Node, ranked: list[Node], keys: set[str]) -> tuple[int, int]:
    """The number of domains, and the number of matching pods in the node's domain."""
    assert c.selector is not None
    if c.key == HOSTNAME:
        return len(ranked), live_matches(world, c.selector, pod.namespace, node.metadata.name)
    inside = [
        n
        for n in world.nodes.values()
        if keys <= labels_of(n).keys()
        and labels_of(n).get(c.key) == labels_of(node)[c.key]
        and ((c.policies is not None and not c.policies.honor_affinity) or matches_node(n, pod))
        and (c.policies is None or not c.policies.honor_taints or not hard_taint(n, pod))
    ]
    domains = {labels_of(n)[c.key] for n in ranked if c.key in labels_of(n)}
    return len(domains), sum(live_matches(world, c.selector, pod.namespace, n.metadata.name) for n in inside)


def affinity_score(world: World, pod: Template, feasible: list[Node]) -> dict[str, int]:
    def gives(term: AffinityTerm, weight: int, at: Node) -> int:
        others = in_domain(world, at, term.topology_key)
        return weight * sum(selects(world, term.match, other) for other in others)

    raw = {}
    for node in feasible:
        total = sum(gives(term, term.weight, node) for term in pod.preferred_pods)
        for key in (HOSTNAME, ZONE):
            for other in in_domain(world, node, key):
                theirs = compile_template(other)
                weighted = [(t, 1) for t in theirs.affinity] + [(t, t.weight) for t in theirs.preferred_pods]
                total += sum(w for t, w in weighted if t.topology_key == key and selects(world, t.match, pod))
        raw[node.metadata.name] = total
    low, high = min(raw.values(), default=0), max(raw.values(), default=0)
    return {name: int(100.0 * ((n - low) / (high - low))) if high > low else 0 for name, n in raw.items()}
