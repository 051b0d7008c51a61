"""Which pods of a DaemonSet to create and to delete on each node, and why. Pure.

A pod is tied to its node by a node affinity on `metadata.name`, so that the default scheduler binds it.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from msgspec.structs import replace

from pybernetes.api.apps.daemon_set import DaemonSet, DaemonSetStatus
from pybernetes.api.core.affinity import (
    Affinity,
    NodeAffinity,
    NodeSelector,
    NodeSelectorRequirement,
    NodeSelectorTerm,
    Toleration,
)
from pybernetes.api.core.node import Node
from pybernetes.api.core.pod import Pod, PodSpec
from pybernetes.api.wellknown import (
    TAINT_DISK_PRESSURE,
    TAINT_MEMORY_PRESSURE,
    TAINT_NETWORK_UNAVAILABLE,
    TAINT_NOT_READY,
    TAINT_PID_PRESSURE,
    TAINT_UNREACHABLE,
    TAINT_UNSCHEDULABLE,
)
from pybernetes.controllers import pods as podfacts
from pybernetes.controllers.nodefit import fits_affinity, untolerated
from pybernetes.controllers.percent import scaled

HASH_LABEL = "controller-revision-hash"

#: (key, effect) of the taints that daemon pods tolerate: they are part of the node rather than its load.
_TOLERATED = (
    (TAINT_NOT_READY, "NoExecute"),
    (TAINT_UNREACHABLE, "NoExecute"),
    (TAINT_DISK_PRESSURE, "NoSchedule"),
    (TAINT_MEMORY_PRESSURE, "NoSchedule"),
    (TAINT_PID_PRESSURE, "NoSchedule"),
    (TAINT_UNSCHEDULABLE, "NoSchedule"),
)
_NETWORK = (TAINT_NETWORK_UNAVAILABLE, "NoSchedule")

ByNode = Mapping[str, Sequence[Pod]]


def tolerations(spec: PodSpec) -> list[Toleration]:
    """The template's tolerations and those that every daemon pod has."""
    wanted = [*_TOLERATED, _NETWORK] if spec.host_network else list(_TOLERATED)
    extra = [Toleration(key=key, operator="Exists", effect=effect) for key, effect in wanted]
    return [*spec.tolerations, *(item for item in extra if item not in spec.tolerations)]


def pinned(spec: PodSpec, node: str) -> PodSpec:
    """The pod spec of a template, tied to one node."""
    rule = NodeSelectorRequirement(key="metadata.name", operator="In", values=[node])
    affinity = spec.affinity or Affinity()
    node_affinity = affinity.node_affinity or NodeAffinity()
    required = node_affinity.required_during_scheduling_ignored_during_execution
    terms = required.node_selector_terms if required else []
    pinned_terms = [replace(term, match_fields=[rule]) for term in terms] or [NodeSelectorTerm(match_fields=[rule])]
    node_affinity = replace(
        node_affinity,
        required_during_scheduling_ignored_during_execution=NodeSelector(node_selector_terms=pinned_terms),
    )
    return replace(spec, affinity=replace(affinity, node_affinity=node_affinity), tolerations=tolerations(spec))


def node_of(pod: Pod) -> str:
    """The node that a daemon pod runs on, or is tied to."""
    if pod.spec.node_name:
        return pod.spec.node_name
    affinity = pod.spec.affinity.node_affinity if pod.spec.affinity else None
    required = affinity.required_during_scheduling_ignored_during_execution if affinity else None
    for term in required.node_selector_terms if required else []:
        for rule in term.match_fields:
            if rule.key == "metadata.name" and rule.operator == "In" and len(rule.values) == 1:
                return rule.values[0]
    return ""


def by_node(pods: Iterable[Pod]) -> dict[str, list[Pod]]:
    """Pods by node, with the oldest first."""
    result: dict[str, list[Pod]] = defaultdict(list)
    for pod in sorted(pods, key=lambda pod: (pod.metadata.creation_timestamp, pod.metadata.name)):
        result[node_of(pod)].append(pod)
    return result


def eligible(daemon: DaemonSet, node: Node) -> tuple[bool, bool]:
    """Whether a pod should start here, and whether a running one may stay: some taints only keep out new pods."""
    spec = daemon.spec.template.spec
    if spec.node_name not in ("", node.metadata.name) or not fits_affinity(spec, node):
        return False, False
    tolerated = tolerations(spec)
    if untolerated(node.spec.taints, tolerated, ("NoExecute",)):
        return False, False
    return not untolerated(node.spec.taints, tolerated, ("NoSchedule",)), True


@dataclass(slots=True)
class DaemonPlan:
    """Nodes that need a pod, and pods to delete, with reasons. `failed` pods are deleted after a back-off."""

    create: list[str] = field(default_factory=list)
    delete: dict[str, tuple[Pod, str]] = field(default_factory=dict)
    failed: list[tuple[Pod, str]] = field(default_factory=list)

    def remove(self, pods: Iterable[Pod], reason: str) -> None:
        """Delete these pods, unless they are terminating."""
        for pod in pods:
            if not pod.metadata.deletion_timestamp:
                self.delete.setdefault(pod.metadata.name, (pod, reason))


@dataclass(frozen=True, slots=True)
class Rules:
    """What decides about the pods of a DaemonSet."""

    hash: str
    surge: int
    unavailable: int
    is_available: Callable[[Pod], bool]

    def is_new(self, pod: Pod) -> bool:
        """Whether a pod is of the current template."""
        return pod.metadata.labels.get(HASH_LABEL) == self.hash


def rules_of(daemon: DaemonSet, digest: str, desired: int, now: datetime) -> Rules:
    """The rules, with percentages resolved. If both limits are zero, one pod may be unavailable, so that an update
    proceeds."""
    rolling = daemon.spec.update_strategy.rolling_update
    surge = scaled(rolling.max_surge, desired, up=True) if rolling else 0
    unavailable = scaled(rolling.max_unavailable, desired, up=True) if rolling else 1
    wait = daemon.spec.min_ready_seconds or 0
    return Rules(digest, surge, unavailable or (0 if surge else 1), lambda pod: podfacts.is_available(pod, wait, now))


def manage(daemon: DaemonSet, nodes: Sequence[Node], pods: ByNode, rules: Rules) -> DaemonPlan:
    """One running pod on each eligible node and none elsewhere."""
    plan = DaemonPlan()
    known = {node.metadata.name for node in nodes}
    for node in nodes:
        should_run, may_stay = eligible(daemon, node)
        here = pods.get(node.metadata.name, ())
        if not may_stay:
            plan.remove(here, "the node is not eligible")
        elif should_run and not here:
            plan.create.append(node.metadata.name)
        else:
            _keep_one(here, rules, plan)
    for name, stranded in pods.items():
        if name not in known:
            plan.remove((pod for pod in stranded if not pod.spec.node_name), "the node is gone")
    return plan


def _keep_one(here: Sequence[Pod], rules: Rules, plan: DaemonPlan) -> None:
    """Of the pods on one node keep the running one, and during a surge its successor as well."""
    running = []
    for pod in here:
        if pod.metadata.deletion_timestamp:
            continue
        if pod.status.phase in ("Failed", "Succeeded"):
            plan.failed.append((pod, pod.status.phase))
        else:
            running.append(pod)
    if not rules.surge:
        plan.remove(running[1:], "another pod runs on the node")
        return
    new = next((pod for pod in running if rules.is_new(pod)), None)
    old = next((pod for pod in running if not rules.is_new(pod)), None)
    plan.remove((pod for pod in running if pod is not new and pod is not old), "another pod runs on the node")
    if new is not None and old is not None and (not podfacts.is_ready(old) or rules.is_available(new)):
        plan.remove([old], "its successor is available")


def roll(daemon: DaemonSet, nodes: Sequence[Node], pods: ByNode, rules: Rules) -> DaemonPlan:
    """The next step of a rolling update: old pods to delete, or nodes on which a successor may start."""
    plan = DaemonPlan()
    broken: list[Pod] = []
    working: list[Pod] = []
    unavailable = surging = 0
    for node in nodes:
        if not eligible(daemon, node)[0]:
            continue
        here = pods.get(node.metadata.name, ())
        alive = [pod for pod in here if podfacts.is_active(pod)]
        new = next((pod for pod in alive if rules.is_new(pod)), None)
        old = next((pod for pod in alive if not rules.is_new(pod)), None)
        surging += new is not None and old is not None
        if new is None and old is not None and len(alive) == len(here):
            (working if rules.is_available(old) else broken).append(old)
        unavailable += not any(rules.is_available(pod) for pod in alive)
    if rules.surge:
        room = max(0, rules.surge - surging)
        plan.create = [node_of(pod) for pod in (*broken, *working[:room])]
    else:
        room = max(0, rules.unavailable - unavailable)
        plan.remove(broken, "it is of an old revision and not available")
        plan.remove(working[:room], f"it is of an old revision; {rules.unavailable} may be unavailable")
    return plan


def status(daemon: DaemonSet, nodes: Sequence[Node], pods: ByNode, rules: Rules) -> DaemonSetStatus:
    """The status."""
    desired = current = misscheduled = ready = available = updated = 0
    for node in nodes:
        here = pods.get(node.metadata.name, ())
        if not eligible(daemon, node)[0]:
            misscheduled += bool(here)
            continue
        desired += 1
        current += bool(here)
        ready += any(podfacts.is_ready(pod) for pod in here)
        available += any(rules.is_available(pod) for pod in here)
        updated += any(rules.is_new(pod) for pod in here)
    return replace(
        daemon.status,
        desired_number_scheduled=desired,
        current_number_scheduled=current,
        number_misscheduled=misscheduled,
        number_ready=ready,
        number_available=available,
        number_unavailable=desired - available,
        updated_number_scheduled=updated,
        observed_generation=daemon.metadata.generation,
    )
