"""Is a node alive, how should its taints be, and how fast may a zone be emptied. Pure: time comes in.

Clocks of nodes are never compared with ours: what counts is when we last saw a sign of life *change*.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from msgspec.structs import replace

from pybernetes.api.coordination.lease import Lease
from pybernetes.api.core.node import Node, NodeCondition, Taint
from pybernetes.controllers.config import NodeLifecycleConfig
from pybernetes.controllers.times import parse, stamp

NOT_READY = "node.kubernetes.io/not-ready"
UNREACHABLE = "node.kubernetes.io/unreachable"
UNSCHEDULABLE = "node.kubernetes.io/unschedulable"

#: (condition, status) -> key of the NoSchedule taint that says so.
CONDITION_TAINTS = {
    ("Ready", "False"): NOT_READY,
    ("Ready", "Unknown"): UNREACHABLE,
    ("MemoryPressure", "True"): "node.kubernetes.io/memory-pressure",
    ("DiskPressure", "True"): "node.kubernetes.io/disk-pressure",
    ("NetworkUnavailable", "True"): "node.kubernetes.io/network-unavailable",
    ("PIDPressure", "True"): "node.kubernetes.io/pid-pressure",
}
_OURS_NO_SCHEDULE = {*CONDITION_TAINTS.values(), UNSCHEDULABLE}
#: The conditions that a kubelet reports, and that are unknown when it is silent.
REPORTED = ("Ready", "MemoryPressure", "DiskPressure", "PIDPressure")

ZoneState = Literal["Normal", "PartialDisruption", "FullDisruption"]


def ready_status(node: Node) -> str:
    """`True`, `False` or `Unknown`; a node that never reported is unknown."""
    return next((item.status for item in node.status.conditions if item.type == "Ready"), "Unknown")


@dataclass(slots=True)
class _Signs:
    """The last signs of life of a node, and when they were seen to change."""

    reported: tuple[str, str]
    renewed: str
    seen: datetime
    registered: bool


class Health:
    """When each node was last heard of."""

    def __init__(self, config: NodeLifecycleConfig) -> None:
        self._config = config
        self._signs: dict[str, _Signs] = {}

    def observe(self, node: Node, lease: Lease | None, now: datetime) -> bool:
        """Look at a node and its lease; returns whether it has been silent for too long."""
        ready = next((item for item in node.status.conditions if item.type == "Ready"), None)
        reported = (ready.last_heartbeat_time, ready.last_transition_time) if ready else ("", "")
        renewed = lease.spec.renew_time if lease else ""
        signs = self._signs.get(node.metadata.name)
        if signs is None:
            born = parse(node.metadata.creation_timestamp) or now
            signs = _Signs(reported, renewed, now if ready else born, ready is not None)
            self._signs[node.metadata.name] = signs
        own_words = ready is not None and ready.reason in ("NodeStatusUnknown", "NodeStatusNeverUpdated")
        if renewed > signs.renewed or (reported != signs.reported and not own_words):
            signs.seen = now
            signs.registered = True
        signs.reported, signs.renewed = reported, renewed
        config = self._config
        grace = config.monitor_grace_period if signs.registered else config.startup_grace_period
        return (now - signs.seen).total_seconds() > grace

    def forget(self, names: Iterable[str]) -> None:
        """These nodes are gone."""
        for name in names:
            self._signs.pop(name, None)

    def names(self) -> set[str]:
        """The nodes that were looked at."""
        return set(self._signs)

    def reset(self, now: datetime) -> None:
        """Give every node its whole grace period again: it was us who could not hear."""
        for signs in self._signs.values():
            signs.seen = now


def silenced(conditions: Sequence[NodeCondition], now: datetime) -> list[NodeCondition]:
    """The conditions of a node that is silent: what its kubelet used to report is unknown now."""
    at = stamp(now)
    result = []
    for item in conditions:
        if item.type in REPORTED and item.status != "Unknown":
            text = "Kubelet stopped posting node status."
            item = replace(item, status="Unknown", reason="NodeStatusUnknown", message=text, last_transition_time=at)
        result.append(item)
    known = {item.type for item in conditions}
    return result + [
        NodeCondition(
            type=type,
            status="Unknown",
            reason="NodeStatusNeverUpdated",
            message="Kubelet never posted node status.",
            last_transition_time=at,
        )
        for type in REPORTED
        if type not in known
    ]


def eviction_taint(node: Node) -> str:
    """The key of the NoExecute taint that the node should have; empty when it is ready."""
    return {"True": "", "False": NOT_READY}.get(ready_status(node), UNREACHABLE)


def has_eviction_taint(node: Node) -> bool:
    """Whether the node is being emptied."""
    return any(taint.effect == "NoExecute" and taint.key in (NOT_READY, UNREACHABLE) for taint in node.spec.taints)


def taints(node: Node, evict: bool, now: datetime) -> list[Taint]:
    """The node's taints as its conditions ask for; those of others stay. `evict`: with the NoExecute taint, which
    is given at a limited rate."""
    keys = {key for item in node.status.conditions if (key := CONDITION_TAINTS.get((item.type, item.status)))}
    if node.spec.unschedulable:
        keys.add(UNSCHEDULABLE)
    wanted = [(key, "NoSchedule") for key in sorted(keys)]
    if evict and eviction_taint(node):
        wanted.append((eviction_taint(node), "NoExecute"))
    kept = [taint for taint in node.spec.taints if not _is_ours(taint) or (taint.key, taint.effect) in wanted]
    present = {(taint.key, taint.effect) for taint in kept}
    added = [
        Taint(key=key, effect=effect, time_added=stamp(now)) for key, effect in wanted if (key, effect) not in present
    ]
    return [*kept, *added]


def _is_ours(taint: Taint) -> bool:
    if taint.effect == "NoSchedule":
        return taint.key in _OURS_NO_SCHEDULE
    return taint.effect == "NoExecute" and taint.key in (NOT_READY, UNREACHABLE)


def zone_of(node: Node) -> str:
    """The failure domain of a node: region and zone."""
    labels = node.metadata.labels
    return f"{labels.get('topology.kubernetes.io/region', '')}:{labels.get('topology.kubernetes.io/zone', '')}"


def zone_state(nodes: Sequence[Node], threshold: float) -> ZoneState:
    """How much of a zone is down."""
    down = sum(ready_status(node) != "True" for node in nodes)
    if down and down == len(nodes):
        return "FullDisruption"
    if down > 2 and down / len(nodes) >= threshold:
        return "PartialDisruption"
    return "Normal"


def eviction_rate(state: ZoneState, size: int, config: NodeLifecycleConfig) -> float:
    """Nodes per second that may be emptied in a zone. Where much is down, the fault is likely elsewhere: a large zone
    is emptied slowly then, a small one not at all."""
    if state != "PartialDisruption":
        return config.eviction_rate
    return config.secondary_eviction_rate if size > config.large_cluster_size else 0.0


@dataclass(slots=True)
class Bucket:
    """A token bucket that holds one token."""

    tokens: float = 1.0
    filled: datetime | None = None

    def take(self, rate: float, now: datetime) -> bool:
        """Whether one more is allowed now, at `rate` per second."""
        if rate <= 0:
            return False
        if self.filled is not None:
            self.tokens = min(1.0, self.tokens + (now - self.filled).total_seconds() * rate)
        self.filled = now
        if self.tokens < 1.0:
            return False
        self.tokens -= 1.0
        return True
