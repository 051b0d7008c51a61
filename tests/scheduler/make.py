"""Helpers to make nodes, pods and profiles."""

import itertools
from dataclasses import replace
from typing import Any

from pybernetes.api.core.affinity import Affinity, PodAffinity, PodAffinityTerm, PodAntiAffinity, Toleration
from pybernetes.api.core.container import Container, ContainerPort, ResourceRequirements
from pybernetes.api.core.node import Node, NodeSpec, NodeStatus, Taint
from pybernetes.api.core.pod import Pod, PodSpec
from pybernetes.api.labels import Selector
from pybernetes.api.meta import LabelSelector, ObjectMeta
from pybernetes.api.wellknown import LABEL_HOSTNAME as HOSTNAME
from pybernetes.api.wellknown import LABEL_ZONE as ZONE
from pybernetes.scheduler.args import Args
from pybernetes.scheduler.assembly import assemble
from pybernetes.scheduler.configuration import DEFAULT_PROFILE
from pybernetes.scheduler.objects import FixedObjects, Objects
from pybernetes.scheduler.plugin import Plugin
from pybernetes.scheduler.plugins.pod_topology_spread import spread_plugin
from pybernetes.scheduler.profile import Profile
from pybernetes.scheduler.registry import IN_TREE
from pybernetes.scheduler.spreading import SYSTEM_DEFAULTS, Constraints

_uids = itertools.count(1)


def profile_spreading(selector: Selector | None) -> Profile:
    """The default profile, with a fixed answer to the question which pods a pod is spread among by default."""

    def spread(args: Args, objects: Objects) -> Plugin:
        return spread_plugin(Constraints(SYSTEM_DEFAULTS, lambda template: selector), all_keys_for_defaults=False)

    registry = [replace(entry, make=spread) if entry.name == "PodTopologySpread" else entry for entry in IN_TREE]
    return assemble(DEFAULT_PROFILE, registry, FixedObjects())


def node(
    name: str,
    *,
    cpu: str = "4",
    memory: str = "8Gi",
    pods: str = "110",
    zone: str = "",
    labels: dict[str, str] | None = None,
    taints: list[Taint] | None = None,
    unschedulable: bool = False,
    **status: Any,
) -> Node:
    """A node labelled with its name (and zone)."""
    own = {HOSTNAME: name, **({ZONE: zone} if zone else {}), **(labels or {})}
    return Node(
        metadata=ObjectMeta(name=name, labels=own),
        spec=NodeSpec(taints=taints or [], unschedulable=unschedulable),
        status=NodeStatus(allocatable={"cpu": cpu, "memory": memory, "pods": pods}, **status),
    )


def pod(
    name: str,
    *,
    cpu: str = "",
    memory: str = "",
    namespace: str = "default",
    labels: dict[str, str] | None = None,
    on: str = "",
    ports: list[ContainerPort] | None = None,
    uid: str = "",
    image: str = "web:1",
    **spec: Any,
) -> Pod:
    """A pod with one container."""
    requests = {key: value for key, value in (("cpu", cpu), ("memory", memory)) if value}
    container = Container(
        name="c", image=image, ports=ports or [], resources=ResourceRequirements(requests=dict(requests))
    )
    return Pod(
        metadata=ObjectMeta(name=name, namespace=namespace, uid=uid or f"uid-{next(_uids)}", labels=labels or {}),
        spec=PodSpec(containers=[container], node_name=on, scheduler_name="default-scheduler", **spec),
    )


def taint(key: str, effect: str = "NoSchedule", value: str = "") -> Taint:
    return Taint(key=key, effect=effect, value=value)


def tolerate_all() -> list[Toleration]:
    return [Toleration(operator="Exists")]


def term(topology_key: str, **labels: str) -> PodAffinityTerm:
    return PodAffinityTerm(topology_key=topology_key, label_selector=LabelSelector(match_labels=labels))


def near(topology_key: str, **labels: str) -> Affinity:
    terms = [term(topology_key, **labels)]
    return Affinity(pod_affinity=PodAffinity(required_during_scheduling_ignored_during_execution=terms))


def apart(topology_key: str, **labels: str) -> Affinity:
    terms = [term(topology_key, **labels)]
    return Affinity(pod_anti_affinity=PodAntiAffinity(required_during_scheduling_ignored_during_execution=terms))
