"""The part of a pod that matters for scheduling, computed once and shared by all pods that are alike.

Pods of one ReplicaSet differ in name and in the name of their token volume, and in nothing that matters here. They
get the same `Template` object, so that "nothing relevant changed" is an identity check and a batch of them is placed
with the arrays of the first.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from weakref import WeakValueDictionary

import msgspec

from pybernetes.api.core.affinity import NodeSelector, PreferredSchedulingTerm, Toleration, TopologySpreadConstraint
from pybernetes.api.core.container import Container
from pybernetes.api.core.pod import Pod, PodSpec
from pybernetes.scheduler.podquery import AffinityTerm, Match, PodQuery, affinity_term, selector_of
from pybernetes.scheduler.resources import NON_ZERO, pod_requests

HARD = "DoNotSchedule"

Traits = Callable[[Pod], Any]
"""Reads of a pod what a plugin needs beyond the fields of `Template`; the result must be something msgspec encodes.

Pods with different traits get different templates.
"""

HostPort = tuple[str, str, int]
"""(address, protocol, port); the address 0.0.0.0 stands for all addresses."""


@dataclass(frozen=True, slots=True)
class Spread:
    """One topology spread constraint."""

    query: PodQuery
    topology_key: str
    max_skew: int
    min_domains: int
    hard: bool
    honor_affinity: bool
    honor_taints: bool
    self_match: bool
    """Whether the constraint counts the pod itself."""


@dataclass(frozen=True, slots=True, eq=False, weakref_slot=True, kw_only=True)
class Template:
    """A pod as the plugins see it. Compared by identity: `Templates` makes one per distinct pod."""

    scheduler_name: str
    """The profile that schedules the pod."""
    namespace: str
    labels: Mapping[str, str]
    owner: tuple[str, str]
    """(kind, name) of the controller."""
    priority: int
    preempts: bool
    node_name: str
    requests: Mapping[str, int]
    """Without zeros."""
    non_zero: tuple[int, int]
    """CPU and memory, with assumed amounts for containers without requests."""
    node_selector: Mapping[str, str]
    node_affinity: NodeSelector | None
    preferred_nodes: tuple[PreferredSchedulingTerm, ...]
    tolerations: tuple[Toleration, ...]
    host_ports: tuple[HostPort, ...]
    images: tuple[str, ...]
    affinity: tuple[AffinityTerm, ...]
    anti_affinity: tuple[AffinityTerm, ...]
    preferred_pods: tuple[AffinityTerm, ...]
    """Preferred affinity (weight above 0) and anti-affinity (below)."""
    spread: tuple[Spread, ...]
    traits: Mapping[str, Any] = field(default_factory=dict)
    """Plugin -> what it read of the pod (`Plugin.traits`)."""

    @property
    def has_pod_terms(self) -> bool:
        """Whether this pod, once placed, influences where other pods go."""
        return bool(self.affinity or self.anti_affinity or self.preferred_pods)


class Templates:
    """Makes templates. Pods that are alike get the same one as long as it is in use."""

    def __init__(self, traits: Mapping[str, Traits] = {}) -> None:
        self._traits = dict(traits)
        self._known: WeakValueDictionary[bytes, Template] = WeakValueDictionary()
        self._encoder = msgspec.msgpack.Encoder()

    def of(self, pod: Pod, *, node_name: str = "") -> Template:
        """The template of a pod. `node_name` restricts it to one node; spec.nodeName of the pod is ignored."""
        traits = {name: read(pod) for name, read in self._traits.items()}
        key = self._encoder.encode(_relevant(pod, node_name, traits))
        template = self._known.get(key)
        if template is None:
            template = self._known[key] = compile_template(pod, node_name, traits)
        return template


def _relevant(pod: Pod, node_name: str, traits: Mapping[str, Any]) -> object:
    spec = pod.spec
    return (
        spec.scheduler_name,
        pod.metadata.namespace,
        pod.metadata.labels,
        _owner(pod),
        node_name,
        spec.priority,
        spec.preemption_policy,
        spec.node_selector,
        spec.affinity,
        spec.tolerations,
        spec.topology_spread_constraints,
        spec.overhead,
        spec.resources,
        [(c.resources.requests, c.ports, c.image) for c in spec.containers],
        [(c.resources.requests, c.ports, c.image, c.restart_policy) for c in spec.init_containers],
        traits,
    )


def _owner(pod: Pod) -> tuple[str, str]:
    for reference in pod.metadata.owner_references:
        if reference.controller:
            return reference.kind, reference.name
    return "", ""


def compile_template(pod: Pod, node_name: str = "", traits: Mapping[str, Any] = {}) -> Template:
    """Compute everything that does not depend on the cluster."""
    spec, namespace, labels = pod.spec, pod.metadata.namespace, pod.metadata.labels
    nodes = spec.affinity.node_affinity if spec.affinity else None
    non_zero = pod_requests(spec, NON_ZERO)
    required, anti, preferred = _pod_terms(spec, namespace, labels)
    return Template(
        scheduler_name=spec.scheduler_name,
        namespace=namespace,
        labels=labels,
        owner=_owner(pod),
        priority=spec.priority or 0,
        preempts=spec.preemption_policy != "Never",
        node_name=node_name,
        requests={name: number for name, number in pod_requests(spec).items() if number},
        non_zero=(non_zero.get("cpu", 0), non_zero.get("memory", 0)),
        node_selector=spec.node_selector,
        node_affinity=nodes.required_during_scheduling_ignored_during_execution if nodes else None,
        preferred_nodes=tuple(nodes.preferred_during_scheduling_ignored_during_execution) if nodes else (),
        tolerations=tuple(spec.tolerations),
        host_ports=tuple(_host_ports(spec)),
        images=tuple(image_name(c.image) for c in (*spec.init_containers, *spec.containers) if c.image),
        affinity=required,
        anti_affinity=anti,
        preferred_pods=preferred,
        spread=tuple(_spread(constraint, namespace, labels) for constraint in spec.topology_spread_constraints),
        traits=traits,
    )


def _pod_terms(
    spec: PodSpec, namespace: str, labels: Mapping[str, str]
) -> tuple[tuple[AffinityTerm, ...], tuple[AffinityTerm, ...], tuple[AffinityTerm, ...]]:
    """Required affinity, required anti-affinity, and everything preferred."""
    toward = spec.affinity.pod_affinity if spec.affinity else None
    away = spec.affinity.pod_anti_affinity if spec.affinity else None
    preferred = []
    for group, sign in ((toward, 1), (away, -1)):
        for weighted in group.preferred_during_scheduling_ignored_during_execution if group else ():
            preferred.append(affinity_term(weighted.pod_affinity_term, namespace, labels, sign * weighted.weight))
    required, anti = (
        tuple(
            affinity_term(term, namespace, labels)
            for term in (group.required_during_scheduling_ignored_during_execution if group else ())
        )
        for group in (toward, away)
    )
    return required, anti, tuple(preferred)


def _spread(constraint: TopologySpreadConstraint, namespace: str, labels: Mapping[str, str]) -> Spread:
    selector = selector_of(constraint.label_selector, labels, constraint.match_label_keys)
    return Spread(
        query=PodQuery((Match(selector, frozenset([namespace])),), live_only=True),
        topology_key=constraint.topology_key,
        max_skew=constraint.max_skew,
        min_domains=constraint.min_domains or 1,
        hard=constraint.when_unsatisfiable == HARD,
        honor_affinity=constraint.node_affinity_policy != "Ignore",
        honor_taints=constraint.node_taints_policy == "Honor",
        self_match=selector.matches(labels),
    )


def _host_ports(spec: PodSpec) -> list[HostPort]:
    sidecars: list[Container] = [c for c in spec.init_containers if c.restart_policy == "Always"]
    return [
        (port.host_ip or "0.0.0.0", port.protocol or "TCP", port.host_port)
        for container in (*sidecars, *spec.containers)
        for port in container.ports
        if port.host_port
    ]


def image_name(image: str) -> str:
    """The name with `:latest` if it has no tag, as nodes list their images."""
    return image if image.rfind(":") > image.rfind("/") else f"{image}:latest"
