"""Converts CRI messages to the kubelet's types. Pure. Fields that a runtime does not set become empty."""

from pybernetes.kubelet.criapi import cri_pb2 as pb
from pybernetes.kubelet.names import POD_NAME, POD_NAMESPACE, POD_UID
from pybernetes.kubelet.runtime import (
    ContainerInfo,
    ContainerPhase,
    ImageInfo,
    PodRef,
    RuntimeStatus,
    Sandbox,
    Usage,
)

_NANO = 1e9
_STATES: dict[int, ContainerPhase] = {
    pb.CONTAINER_CREATED: "created",
    pb.CONTAINER_RUNNING: "running",
    pb.CONTAINER_EXITED: "exited",
}


def sandbox(message: pb.PodSandbox, ips: tuple[str, ...] = ()) -> Sandbox:
    """Convert an item of a list of sandboxes. Its addresses come from the sandbox's status."""
    return Sandbox(
        id=message.id,
        name=message.metadata.name,
        namespace=message.metadata.namespace,
        uid=message.metadata.uid,
        attempt=message.metadata.attempt,
        ready=message.state == pb.SANDBOX_READY,
        created_at=message.created_at / _NANO,
        ips=ips,
    )


def addresses(status: pb.PodSandboxStatus) -> tuple[str, ...]:
    """The pod's addresses, primary first; empty for a hostNetwork pod."""
    first = (status.network.ip,) if status.network.ip else ()
    return (*first, *(extra.ip for extra in status.network.additional_ips if extra.ip))


def container(message: pb.Container, status: pb.ContainerStatus) -> ContainerInfo:
    """Convert a container, given its list item and its status."""
    return ContainerInfo(
        id=message.id,
        sandbox_id=message.pod_sandbox_id,
        name=message.metadata.name,
        attempt=message.metadata.attempt,
        state=_STATES.get(status.state, "unknown"),
        image=status.image.image or message.image.image,
        image_id=status.image_ref or message.image_ref,
        created_at=message.created_at / _NANO,
        started_at=max(status.started_at, 0) / _NANO,
        finished_at=max(status.finished_at, 0) / _NANO,
        exit_code=status.exit_code,
        reason=status.reason,
        message=status.message,
        labels=dict(message.labels),
        annotations=dict(message.annotations),
        log_path=status.log_path,
    )


def owner(labels: dict[str, str]) -> PodRef | None:
    """The pod that a sandbox or container belongs to; None if no kubelet created it."""
    uid = labels.get(POD_UID, "")
    return PodRef(labels.get(POD_NAMESPACE, ""), labels.get(POD_NAME, ""), uid) if uid else None


def image(message: pb.Image) -> ImageInfo:
    """Convert an image."""
    return ImageInfo(
        id=message.id,
        tags=tuple(message.repo_tags),
        digests=tuple(message.repo_digests),
        size=message.size,
        uid=message.uid.value if message.HasField("uid") else None,
        username=message.username,
    )


def status(message: pb.StatusResponse) -> RuntimeStatus:
    """Convert the two conditions that every runtime reports. A missing one counts as false."""
    conditions = {c.type: c for c in message.status.conditions}
    runtime, network = conditions.get("RuntimeReady"), conditions.get("NetworkReady")
    return RuntimeStatus(
        ready=runtime is not None and runtime.status,
        network_ready=network is not None and network.status,
        message=runtime.message if runtime is not None else "the runtime does not report RuntimeReady",
        network_message=network.message if network is not None else "the runtime does not report NetworkReady",
        reason=runtime.reason if runtime is not None else "",
        network_reason=network.reason if network is not None else "",
    )


def usage(message: pb.ContainerStats) -> Usage | None:
    """A container's resource usage; None if it belongs to no pod."""
    pod = owner(dict(message.attributes.labels))
    if pod is None:
        return None
    return Usage(
        pod,
        message.attributes.metadata.name,
        message.cpu.usage_core_nano_seconds.value,
        message.memory.working_set_bytes.value,
    )
