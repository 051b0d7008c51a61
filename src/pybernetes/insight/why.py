"""`why`: explain why a pod is on its node, or on none, with the scheduler's own filters and scores."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from pybernetes.api.apps.replica_set import ReplicaSet
from pybernetes.api.core.event import Event
from pybernetes.api.core.namespace import Namespace
from pybernetes.api.core.node import Node
from pybernetes.api.core.pod import Pod
from pybernetes.api.core.replication_controller import ReplicationController
from pybernetes.api.core.service import Service
from pybernetes.client.client import Client
from pybernetes.client.errors import NotFound
from pybernetes.cluster.errors import ConfigError
from pybernetes.insight.pod_reference import pod_reference
from pybernetes.insight.show import columns
from pybernetes.scheduler.assembly import default_profile
from pybernetes.scheduler.explain import Verdict, explain
from pybernetes.scheduler.objects import FixedObjects
from pybernetes.scheduler.snapshot import Snapshot

_DEFAULT_SCHEDULER = "default-scheduler"


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """The objects that the scheduler reads."""

    nodes: Sequence[Node] = ()
    pods: Sequence[Pod] = ()
    namespaces: Sequence[Namespace] = ()
    services: Sequence[Service] = ()
    replica_sets: Sequence[ReplicaSet] = ()
    replication_controllers: Sequence[ReplicationController] = ()


def snapshot_of(state: State, without: str) -> Snapshot:
    """The scheduler's snapshot of the cluster without the pod with the uid `without`."""
    snapshot = Snapshot()
    for namespace in state.namespaces:
        snapshot.pods.put_namespace(namespace.metadata.name, namespace.metadata.labels)
    for node in state.nodes:
        snapshot.put_node(node)
    for pod in state.pods:
        if pod.spec.node_name and pod.metadata.uid != without:
            snapshot.put_pod(pod)
    return snapshot


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """Why a pod is where it is."""

    pod: str
    node: str
    summary: str
    notes: tuple[str, ...]
    verdicts: tuple[Verdict, ...]
    events: tuple[str, ...] = ()

    def document(self) -> dict[str, Any]:
        """For -o json."""
        return {
            "pod": self.pod,
            "node": self.node,
            "summary": self.summary,
            "notes": list(self.notes),
            "nodes": [
                {
                    "name": verdict.node,
                    "refusedBy": verdict.refused_by,
                    "reasons": list(verdict.reasons),
                    "scores": verdict.scores,
                    "total": verdict.total,
                }
                for verdict in self.verdicts
            ],
            "events": list(self.events),
        }

    def lines(self) -> list[str]:
        """For people."""
        lines = [f"pod {self.pod}: {self.summary}", *self.notes]
        fit = [verdict for verdict in self.verdicts if not verdict.refused_by]
        if fit:
            plugins = list(dict.fromkeys(plugin for verdict in fit for plugin in verdict.scores))
            rows: list[tuple[str, ...]] = [("NODE", "TOTAL", *plugins)]
            for verdict in fit:
                mark = " *" if verdict.node == self.node else ""
                scores = (str(verdict.scores.get(plugin, 0)) for plugin in plugins)
                rows.append((verdict.node + mark, str(verdict.total), *scores))
            lines += ["", "Feasible nodes, by score:", *columns(rows)]
        refused = [verdict for verdict in self.verdicts if verdict.refused_by]
        if refused:
            rows = [("NODE", "FILTER", "REASON")]
            for verdict in refused:
                mark = " *" if verdict.node == self.node else ""
                rows.append((verdict.node + mark, verdict.refused_by, ", ".join(verdict.reasons)))
            lines += ["", "Other nodes:", *columns(rows)]
        return [*lines, "", "Events:", *self.events] if self.events else lines


def explain_pod(pod: Pod, state: State, events: Sequence[Event] = ()) -> Explanation:
    """Explain the placement of a pod. Pure."""
    snapshot = snapshot_of(state, pod.metadata.uid)
    profile = default_profile(FixedObjects(*state.services, *state.replica_sets, *state.replication_controllers))
    verdicts = tuple(explain(snapshot, profile, snapshot.templates.of(pod)))
    return Explanation(
        pod=f"{pod.metadata.namespace}/{pod.metadata.name}",
        node=pod.spec.node_name,
        summary=_summary(pod, verdicts),
        notes=tuple(_notes(pod, events)),
        verdicts=verdicts,
        events=tuple(_event(event) for event in sorted(events, key=_when)),
    )


def _summary(pod: Pod, verdicts: Sequence[Verdict]) -> str:
    if pod.spec.node_name:
        return f"is on {pod.spec.node_name} ({pod.status.phase})"
    if pod.spec.scheduling_gates:
        gates = ", ".join(gate.name for gate in pod.spec.scheduling_gates)
        return f"is on no node and is not scheduled while it has scheduling gates: {gates}"
    if pod.spec.scheduler_name != _DEFAULT_SCHEDULER:
        return f"is on no node; it waits for the scheduler {pod.spec.scheduler_name!r}"
    fit = sum(not verdict.refused_by for verdict in verdicts)
    if not verdicts:
        return "is on no node: there are no nodes"
    if fit:
        return f"is on no node yet, although {fit} of {len(verdicts)} nodes are feasible: is the scheduler running?"
    return f"is on no node: none of {len(verdicts)} nodes is feasible"


def _notes(pod: Pod, events: Sequence[Event]) -> list[str]:
    notes = []
    if pod.spec.node_name:
        notes.append("Scores and filters are as of now, without the pod; they may have differed when it was bound.")
        owners = [owner.kind for owner in pod.metadata.owner_references if owner.controller]
        if "DaemonSet" in owners:
            notes.append("Its DaemonSet runs one pod on each node.")
        elif events and not any(event.reason == "Scheduled" for event in events):
            notes.append("It has no Scheduled event: probably its creator set spec.nodeName.")
    elif pod.status.nominated_node_name:
        notes.append(f"Preemption is making room for it on {pod.status.nominated_node_name}.")
    return notes


def _when(event: Event) -> str:
    return str(event.last_timestamp or event.event_time or event.first_timestamp or event.metadata.creation_timestamp)


def _event(event: Event) -> str:
    count = event.series.count if event.series else event.count or 1
    times = f" (x{count})" if count > 1 else ""
    return f"{_when(event)}  {event.type:7}  {event.reason}{times}: {event.message}"


async def why(client: Client, pod_name: str, namespace: str) -> Explanation:
    """Read the objects from the API server and explain. Raises ConfigError."""
    namespace, name = pod_reference(pod_name, namespace)
    try:
        pod = await client.of(Pod).get(name, namespace=namespace)
    except NotFound:
        raise ConfigError(f"there is no pod {namespace}/{name}") from None
    state = State(
        nodes=(await client.of(Node).list()).items,
        pods=(await client.of(Pod).list()).items,
        namespaces=(await client.of(Namespace).list()).items,
        services=(await client.of(Service).list()).items,
        replica_sets=(await client.of(ReplicaSet).list()).items,
        replication_controllers=(await client.of(ReplicationController).list()).items,
    )
    wanted = f"involvedObject.uid={pod.metadata.uid}"
    events = (await client.of(Event).list(namespace=namespace, field_selector=wanted)).items
    return explain_pod(pod, state, events)
