"""Computes the Node object and its status. Pure."""

from dataclasses import dataclass

from pybernetes.api.core.node import (
    ContainerImage,
    DaemonEndpoint,
    Node,
    NodeAddress,
    NodeCondition,
    NodeDaemonEndpoints,
    NodeSpec,
    NodeStatus,
    NodeSystemInfo,
)
from pybernetes.api.meta import ObjectMeta
from pybernetes.api.wellknown import LABEL_HOSTNAME
from pybernetes.kubelet.config import KubeletConfig
from pybernetes.kubelet.runtime import ImageInfo, RuntimeStatus
from pybernetes.kubelet.types import rfc3339

_MAX_IMAGES = 50


@dataclass(frozen=True, slots=True)
class Pressure:
    """The resources that the machine is short of."""

    memory: bool = False
    disk: bool = False
    pids: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What a node's status is computed from."""

    capacity: dict[str, str]
    allocatable: dict[str, str]
    info: NodeSystemInfo
    runtime: RuntimeStatus | None
    """None if the runtime does not respond."""
    problem: str = ""
    pressure: Pressure
    images: tuple[ImageInfo, ...] = ()
    port: int


def registration(config: KubeletConfig, architecture: str, status: NodeStatus) -> Node:
    """The Node object to create."""
    return Node(
        metadata=ObjectMeta(
            name=config.node_name,
            labels=node_labels(config, architecture),
            annotations={"volumes.kubernetes.io/controller-managed-attach-detach": "true"},
        ),
        spec=NodeSpec(
            taints=list(config.taints), pod_cidr=config.pod_cidr, pod_cidrs=[config.pod_cidr] if config.pod_cidr else []
        ),
        status=status,
    )


def node_labels(config: KubeletConfig, architecture: str) -> dict[str, str]:
    """The labels that the kubelet maintains on its Node."""
    return {
        **config.node_labels,
        "beta.kubernetes.io/arch": architecture,
        "beta.kubernetes.io/os": "linux",
        "kubernetes.io/arch": architecture,
        LABEL_HOSTNAME: config.node_name,
        "kubernetes.io/os": "linux",
    }


def node_status(config: KubeletConfig, facts: Facts, previous: NodeStatus, now: float) -> NodeStatus:
    """The status to report. `previous` provides transition times and the conditions that other components set."""
    conditions = [_pressure(name, *texts) for name, texts in _pressures(facts.pressure)]
    conditions.append(_ready(facts))
    before = {c.type: c for c in previous.conditions}
    time = rfc3339(now)
    for condition in conditions:
        old = before.get(condition.type)
        condition.last_heartbeat_time = time
        same = old is not None and old.status == condition.status
        condition.last_transition_time = old.last_transition_time if same and old is not None else time
    reported = {c.type for c in conditions}
    addresses = [NodeAddress(type="InternalIP", address=ip) for ip in config.node_ips]
    addresses.append(NodeAddress(type="Hostname", address=config.node_name))
    images = sorted(facts.images, key=lambda image: -image.size)[:_MAX_IMAGES]
    return NodeStatus(
        addresses=addresses,
        capacity=dict(facts.capacity),
        allocatable=dict(facts.allocatable),
        conditions=[c for c in previous.conditions if c.type not in reported] + conditions,
        daemon_endpoints=NodeDaemonEndpoints(kubelet_endpoint=DaemonEndpoint(port=facts.port)),
        node_info=facts.info,
        images=[ContainerImage(names=[*i.digests, *i.tags], size_bytes=i.size) for i in images],
        volumes_attached=previous.volumes_attached,
        volumes_in_use=previous.volumes_in_use,
    )


def differs_in_heartbeat_only(a: NodeStatus, b: NodeStatus) -> bool:
    """Whether two statuses differ in heartbeat times only."""

    def stripped(status: NodeStatus) -> list[tuple[str, str, str, str]]:
        return [(c.type, c.status, c.reason, c.message) for c in status.conditions]

    return (
        stripped(a) == stripped(b)
        and a.addresses == b.addresses
        and a.capacity == b.capacity
        and a.allocatable == b.allocatable
        and a.node_info == b.node_info
        and a.images == b.images
        and a.daemon_endpoints == b.daemon_endpoints
    )


def _pressures(found: Pressure) -> list[tuple[str, tuple[bool, str, str, str, str]]]:
    return [
        (
            "MemoryPressure",
            (
                found.memory,
                "KubeletHasInsufficientMemory",
                "kubelet has insufficient memory available",
                "KubeletHasSufficientMemory",
                "kubelet has sufficient memory available",
            ),
        ),
        (
            "DiskPressure",
            (
                found.disk,
                "KubeletHasDiskPressure",
                "kubelet has disk pressure",
                "KubeletHasNoDiskPressure",
                "kubelet has no disk pressure",
            ),
        ),
        (
            "PIDPressure",
            (
                found.pids,
                "KubeletHasInsufficientPID",
                "kubelet has insufficient PID available",
                "KubeletHasSufficientPID",
                "kubelet has sufficient PID available",
            ),
        ),
    ]


def _pressure(name: str, is_short: bool, bad: str, bad_text: str, good: str, good_text: str) -> NodeCondition:
    reason, message = (bad, bad_text) if is_short else (good, good_text)
    return NodeCondition(type=name, status="True" if is_short else "False", reason=reason, message=message)


def _ready(facts: Facts) -> NodeCondition:
    runtime = facts.runtime
    problems = []
    if runtime is None:
        problems.append(f"container runtime is down: {facts.problem}" if facts.problem else "container runtime is down")
    else:
        if not runtime.ready:
            problems.append(_not_ready("container runtime not ready: RuntimeReady", runtime.reason, runtime.message))
        if not runtime.network_ready:
            text = "container runtime network not ready: NetworkReady"
            problems.append(_not_ready(text, runtime.network_reason, runtime.network_message))
    if problems:
        message = "[" + ", ".join(problems) + "]" if len(problems) > 1 else problems[0]
        return NodeCondition(type="Ready", status="False", reason="KubeletNotReady", message=message)
    message = "kubelet is posting ready status"
    return NodeCondition(type="Ready", status="True", reason="KubeletReady", message=message)


def _not_ready(start: str, reason: str, message: str) -> str:
    return f"{start}=false reason:{reason} message:{message}"
