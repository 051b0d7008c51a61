"""A pod as a row of `kubectl get pods`."""

from datetime import datetime

from pybernetes.api.core.container_status import ContainerState, ContainerStatus
from pybernetes.api.core.pod_object import Pod
from pybernetes.api.duration import age
from pybernetes.api.kind import Cell, Column
from pybernetes.api.tables import AGE, NAME, or_none

COLUMNS = (
    NAME,
    Column("Ready", description="How many of the pod's containers are ready, of how many."),
    Column("Status", description="The phase, or what keeps the pod from running."),
    Column("Restarts", description="How often containers were restarted, and when last."),
    AGE,
    Column("IP", priority=1, description="The pod's address."),
    Column("Node", priority=1, description="Where the pod runs."),
    Column("Nominated Node", priority=1, description="Where room is being made for the pod."),
    Column("Readiness Gates", priority=1, description="How many of the pod's readiness gates are open."),
)


def row(pod: Pod, now: datetime) -> list[Cell]:
    state = _State(pod)
    restarts = str(state.restarts)
    if state.restarts and state.last_restart:
        restarts = f"{restarts} ({age(state.last_restart, now)} ago)"
    gates = pod.spec.readiness_gates
    true = {condition.type for condition in pod.status.conditions if condition.status == "True"}
    open_gates = sum(gate.condition_type in true for gate in gates)
    return [
        pod.metadata.name,
        f"{state.ready}/{state.total}",
        state.reason,
        restarts,
        age(pod.metadata.creation_timestamp, now),
        or_none(pod.status.pod_ips[0].ip if pod.status.pod_ips else pod.status.pod_ip),
        or_none(pod.spec.node_name),
        or_none(pod.status.nominated_node_name),
        f"{open_gates}/{len(gates)}" if gates else "<none>",
    ]


class _State:
    """The cells Ready, Status and Restarts, computed container by container."""

    def __init__(self, pod: Pod) -> None:
        self._pod = pod
        self._conditions = {condition.type: condition for condition in pod.status.conditions}
        self._sidecars = {c.name for c in pod.spec.init_containers if c.restart_policy == "Always"}
        self.ready = 0
        self.total = len(pod.spec.containers) + len(self._sidecars)
        self.restarts = 0
        self.last_restart = ""
        self.reason = pod.status.reason or pod.status.phase
        scheduled = self._conditions.get("PodScheduled")
        if scheduled is not None and scheduled.reason == "SchedulingGated":
            self.reason = "SchedulingGated"
        initializing = self._init_containers()
        if not initializing or self._is_true("Initialized"):
            self._containers()
        self._deletion()

    def _is_true(self, condition: str) -> bool:
        found = self._conditions.get(condition)
        return found is not None and found.status == "True"

    def _count(self, status: ContainerStatus) -> None:
        self.restarts += status.restart_count
        if status.last_state.terminated is not None:
            self.last_restart = max(self.last_restart, status.last_state.terminated.finished_at)

    def _init_containers(self) -> bool:
        """Whether initialization is still in progress, or failed."""
        for index, status in enumerate(self._pod.status.init_container_statuses):
            self._count(status)
            terminated = status.state.terminated
            if terminated is not None and terminated.exit_code == 0:
                continue
            if status.name in self._sidecars and status.started:
                self.ready += status.ready
                continue
            self.reason = "Init:" + self._init_reason(status.state, index)
            return True
        return False

    def _init_reason(self, state: ContainerState, index: int) -> str:
        if state.terminated is not None:
            return _end(state)
        if state.waiting is not None and state.waiting.reason not in ("", "PodInitializing"):
            return state.waiting.reason
        return f"{index}/{len(self._pod.spec.init_containers)}"

    def _containers(self) -> None:
        # Once the pod is initialized, restarts of init containers do not count, except those of sidecars.
        self.restarts, self.last_restart = 0, ""
        for status in self._pod.status.init_container_statuses:
            if status.name in self._sidecars:
                self._count(status)
        running = False
        for status in reversed(self._pod.status.container_statuses):
            self._count(status)
            state = status.state
            if state.waiting is not None and state.waiting.reason:
                self.reason = state.waiting.reason
            elif state.terminated is not None:
                self.reason = _end(state)
            elif status.ready and state.running is not None:
                running = True
                self.ready += 1
        if self.reason == "Completed" and running:
            self.reason = "Running" if self._is_true("Ready") else "NotReady"

    def _deletion(self) -> None:
        if not self._pod.metadata.deletion_timestamp:
            return
        if self._pod.status.reason == "NodeLost":
            self.reason = "Unknown"
        elif self._pod.status.phase not in ("Succeeded", "Failed"):
            self.reason = "Terminating"


def _end(state: ContainerState) -> str:
    """The reason, signal or exit code of a terminated container."""
    terminated = state.terminated
    if terminated is None:
        return ""
    if terminated.reason:
        return terminated.reason
    return f"Signal:{terminated.signal}" if terminated.signal else f"ExitCode:{terminated.exit_code}"
