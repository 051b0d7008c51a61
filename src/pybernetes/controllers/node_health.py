"""Whether a node is alive, which taints it should have, and how fast a zone may be emptied. Pure: time is an argument.

Clocks of nodes are never compared with ours: what counts is when the heartbeat of a node was last seen to change.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from msgspec.structs import replace

from pybernetes.api.coordination.lease import Lease
from pybernetes.api.core.node import Node, NodeCondition, Taint
from pybernetes.api.wellknown import (
    LABEL_ZONE,
    TAINT_DISK_PRESSURE,
    TAINT_MEMORY_PRESSURE,
    TAINT_NETWORK_UNAVAILABLE,
    TAINT_NOT_READY,
    TAINT_PID_PRESSURE,
    TAINT_UNREACHABLE,
    TAINT_UNSCHEDULABLE,
)
from pybernetes.controllers.config import NodeLifecycleConfig
from pybernetes.controllers.times import parse, stamp

#: (condition, status) -> key of the NoSchedule taint that it causes.
CONDITION_TAINTS = {
    ("Ready", "False"): TAINT_NOT_READY,
    ("Ready", "Unknown"): TAINT_UNREACHABLE,
    ("MemoryPressure", "True"): TAINT_MEMORY_PRESSURE,
    ("DiskPressure", "True"): TAINT_DISK_PRESSURE,
    ("NetworkUnavailable", "True"): TAINT_NETWORK_UNAVAILABLE,
    ("PIDPressure", "True"): TAINT_PID_PRESSURE,
}
_OURS_NO_SCHEDULE = {*CONDITION_TAINTS.values(), TAINT_UNSCHEDULABLE}
#: The conditions that a kubelet reports. They become Unknown when it is silent.
REPORTED = ("Ready", "MemoryPressure", "DiskPressure", "PIDPressure")

ZoneState = Literal["Normal", "PartialDisruption", "FullDisruption"]


def ready_status(node: Node) -> str:
    """`True`, `False` or `Unknown`; a node that never reported is unknown."""
    return next((item.status for item in node.status.conditions if item.type == "Ready"), "Unknown")


@dataclass(slots=True)
class _Heartbeat:
    """The last heartbeat of a node, and when it was seen to change."""

    reported: tuple[str, str]
    renewed: str
    seen: datetime
    registered: bool


class Health:
    """When each node last sent a heartbeat."""

    def __init__(self, config: NodeLifecycleConfig) -> None:
        self._config = config
        self._heartbeats: dict[str, _Heartbeat] = {}

    def observe(self, node: Node, lease: Lease | None, now: datetime) -> bool:
        """Note the heartbeats of a node and its Lease; returns whether it has been silent for too long."""
        ready = next((item for item in node.status.conditions if item.type == "Ready"), None)
        reported = (ready.last_heartbeat_time or "", ready.last_transition_time or "") if ready else ("", "")
        renewed = lease.spec.renew_time if lease else ""
        heartbeat = self._heartbeats.get(node.metadata.name)
        if heartbeat is None:
            born = parse(node.metadata.creation_timestamp) or now
            heartbeat = _Heartbeat(reported, renewed, now if ready else born, ready is not None)
            self._heartbeats[node.metadata.name] = heartbeat
        written_by_us = ready is not None and ready.reason in ("NodeStatusUnknown", "NodeStatusNeverUpdated")
        if renewed > heartbeat.renewed or (reported != heartbeat.reported and not written_by_us):
            heartbeat.seen = now
            heartbeat.registered = True
        heartbeat.reported, heartbeat.renewed = reported, renewed
        config = self._config
        grace = config.monitor_grace_period if heartbeat.registered else config.startup_grace_period
        return (now - heartbeat.seen).total_seconds() > grace

    def forget(self, names: Iterable[str]) -> None:
        """Forget nodes that were deleted."""
        for name in names:
            self._heartbeats.pop(name, None)

    def names(self) -> set[str]:
        """The nodes that were observed."""
        return set(self._heartbeats)

    def reset(self, now: datetime) -> None:
        """Start the grace period of every node again: it was this process that received no heartbeats."""
        for heartbeat in self._heartbeats.values():
            heartbeat.seen = now


def silenced(conditions: Sequence[NodeCondition], now: datetime) -> list[NodeCondition]:
    """The conditions of a silent node: what its kubelet reports becomes Unknown."""
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
    return {"True": "", "False": TAINT_NOT_READY}.get(ready_status(node), TAINT_UNREACHABLE)


def has_eviction_taint(node: Node) -> bool:
    """Whether the node is being emptied."""
    return any(
        taint.effect == "NoExecute" and taint.key in (TAINT_NOT_READY, TAINT_UNREACHABLE) for taint in node.spec.taints
    )


def taints(node: Node, evict: bool, now: datetime) -> list[Taint]:
    """The taints that follow from the node's conditions, and those that others have set. `evict`: with the NoExecute
    taint, which is set at a limited rate."""
    keys = {key for item in node.status.conditions if (key := CONDITION_TAINTS.get((item.type, item.status)))}
    if node.spec.unschedulable:
        keys.add(TAINT_UNSCHEDULABLE)
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
    return taint.effect == "NoExecute" and taint.key in (TAINT_NOT_READY, TAINT_UNREACHABLE)


def zone_of(node: Node) -> str:
    """The failure domain of a node: region and zone."""
    labels = node.metadata.labels
    return f"{labels.get('topology.kubernetes.io/region', '')}:{labels.get(LABEL_ZONE, '')}"


def zone_state(nodes: Sequence[Node], threshold: float) -> ZoneState:
    """How much of a zone is down."""
    down = sum(ready_status(node) != "True" for node in nodes)
    if down and down == len(nodes):
        return "FullDisruption"
    if down > 2 and down / len(nodes) >= threshold:
        return "PartialDisruption"
    return "Normal"


def eviction_rate(state: ZoneState, size: int, config: NodeLifecycleConfig) -> float:
    """Nodes per second that may be emptied in a zone. When many are down, the network is the likely cause: a large zone
    is then emptied slowly, a small one not at all."""
    if state != "PartialDisruption":
        return config.eviction_rate
    return config.secondary_eviction_rate if size > config.large_cluster_size else 0.0


@dataclass(slots=True)
class Bucket:
    """A token bucket that holds one token."""

    tokens: float = 1.0
    filled: datetime | None = None

    def take(self, rate: float, now: datetime) -> bool:
        """Take a token if there is one; tokens return at `rate` per second."""
        if rate <= 0:
            return False
        if self.filled is not None:
            self.tokens = min(1.0, self.tokens + (now - self.filled).total_seconds() * rate)
        self.filled = now
        if self.tokens < 1.0:
            return False
        self.tokens -= 1.0
        return True
