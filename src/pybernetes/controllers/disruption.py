"""The condition DisruptionTarget: why a pod is deleted, for the controller that created it."""

from datetime import datetime

from pybernetes.api.core.pod import Pod, PodCondition
from pybernetes.client.resource import Resource
from pybernetes.controllers.times import stamp

TYPE = "DisruptionTarget"


def with_disruption(pod: Pod, reason: str, message: str, now: datetime) -> list[PodCondition]:
    """The pod's conditions with DisruptionTarget among them."""
    others = [item for item in pod.status.conditions if item.type != TYPE]
    return [
        *others,
        PodCondition(type=TYPE, status="True", reason=reason, message=message, last_transition_time=stamp(now)),
    ]


async def mark(api: Resource[Pod], pod: Pod, reason: str, message: str, now: datetime) -> None:
    """Write the condition."""
    await _patch(api, pod, {"conditions": with_disruption(pod, reason, message, now)})


async def mark_failed(api: Resource[Pod], pod: Pod, reason: str, message: str, now: datetime) -> None:
    """Write the condition and the phase Failed, which no kubelet will report."""
    status: dict[str, object] = {"conditions": with_disruption(pod, reason, message, now)}
    if pod.status.phase not in ("Succeeded", "Failed"):
        status["phase"] = "Failed"
    await _patch(api, pod, status)


async def withdraw(api: Resource[Pod], pod: Pod, now: datetime) -> None:
    """Write that the pod stays: the condition becomes False."""
    others = [item for item in pod.status.conditions if item.type != TYPE]
    back = PodCondition(type=TYPE, status="False", last_transition_time=stamp(now))
    await _patch(api, pod, {"conditions": [*others, back]})


async def _patch(api: Resource[Pod], pod: Pod, status: dict[str, object]) -> None:
    meta = pod.metadata
    body = {"metadata": {"uid": meta.uid, "resourceVersion": meta.resource_version}, "status": status}
    await api.patch(meta.name, body, namespace=meta.namespace, subresource="status")
