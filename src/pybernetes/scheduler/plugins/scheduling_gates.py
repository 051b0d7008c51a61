"""SchedulingGates: a pod with scheduling gates waits until they are removed."""

from pybernetes.api.core.pod import Pod
from pybernetes.scheduler.args import Args
from pybernetes.scheduler.objects import Objects
from pybernetes.scheduler.plugin import Plugin


def scheduling_gates(args: Args, objects: Objects) -> Plugin:
    """Needs no events: the removal of a gate is a change of the pod itself."""
    return Plugin(pre_enqueue=_waiting_for)


def _waiting_for(pod: Pod) -> str:
    gates = pod.spec.scheduling_gates
    return f"waiting for scheduling gates: [{' '.join(gate.name for gate in gates)}]" if gates else ""
