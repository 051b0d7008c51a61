"""The structs of a Node."""

from typing import Annotated

import msgspec

from pybernetes.api.facts import GoType, ListMap, ListSet, Optional
from pybernetes.api.meta import (
    UID,
    ConditionStatus,
    Int32,
    Int64,
    NullableTime,
    Object,
    Quantity,
    Struct,
    Time,
    always,
    named,
    null,
)


class ConfigMapNodeConfigSource(Struct, kw_only=True):
    """A ConfigMap with the kubelet's configuration. Deprecated."""

    kubelet_config_key: str = always(str)
    name: str = always(str)
    namespace: str = always(str)
    resource_version: str = ""
    uid: UID = ""


class NodeConfigSource(Struct, kw_only=True):
    """The source of the kubelet's configuration. Deprecated."""

    config_map: ConfigMapNodeConfigSource | None = None


class NodePodPreemptionPolicy(Struct, kw_only=True):
    """Restrictions on the preemption of the node's pods."""

    disable_resize_preemption: Annotated[list[str], ListSet()] = []


class Taint(Struct, kw_only=True):
    """Repels pods that do not tolerate it."""

    effect: Annotated[str, GoType("v1.TaintEffect")] = always(str)
    """NoSchedule, PreferNoSchedule or NoExecute."""
    key: str = always(str)
    """The taint's key."""
    time_added: Time = ""
    """When a NoExecute taint was added."""
    value: str = ""
    """The taint's value."""


class NodeSpec(Struct, kw_only=True):
    """The desired state of a node."""

    config_source: NodeConfigSource | None = None
    external_id: str = named("externalID")
    pod_cidr: str = named("podCIDR")
    """The range of pod addresses of the node."""
    pod_cidrs: Annotated[list[str], ListSet(patch=True)] = named("podCIDRs", list)
    """The ranges of pod addresses of the node, one per IP family."""
    pod_preemption_policy: NodePodPreemptionPolicy | None = None
    provider_id: str = named("providerID")
    """The ID of the machine at its cloud provider."""
    taints: list[Taint] = []
    """Taints that repel pods."""
    unschedulable: bool = False
    """Whether no new pods are scheduled to the node (cordon)."""


class NodeAddress(Struct, kw_only=True):
    """An address of the node."""

    address: str = always(str)
    type: Annotated[str, GoType("v1.NodeAddressType")] = always(str)


class NodeCondition(Struct, kw_only=True):
    """One aspect of a node's current state."""

    status: ConditionStatus = always(str)
    type: Annotated[str, GoType("v1.NodeConditionType")] = always(str)
    last_heartbeat_time: NullableTime = null()
    last_transition_time: NullableTime = null()
    message: str = ""
    reason: str = ""


class NodeConfigStatus(Struct, kw_only=True):
    """The kubelet's configuration. Deprecated."""

    active: NodeConfigSource | None = None
    assigned: NodeConfigSource | None = None
    error: str = ""
    last_known_good: NodeConfigSource | None = None


class DaemonEndpoint(Struct, kw_only=True):
    """The port of a daemon."""

    port: Int32 = msgspec.field(default_factory=int, name="Port")


class NodeDaemonEndpoints(Struct, kw_only=True):
    """The ports of the node's daemons."""

    kubelet_endpoint: DaemonEndpoint = always(DaemonEndpoint)


class NodeFeatures(Struct, kw_only=True):
    """Features of the node's container runtime."""

    supplemental_groups_policy: bool | None = None


class ContainerImage(Struct, kw_only=True):
    """An image on the node."""

    names: list[str] = []
    size_bytes: Int64 | None = None


class NodeSwapStatus(Struct, kw_only=True):
    """The swap memory of the node."""

    capacity: Int64 | None = None


class NodeSystemInfo(Struct, kw_only=True):
    """Identifiers and software versions of the node."""

    architecture: str = always(str)
    boot_id: str = always(str, name="bootID")
    container_runtime_version: str = always(str)
    kernel_version: str = always(str)
    kube_proxy_version: str = always(str)
    kubelet_version: str = always(str)
    machine_id: str = always(str, name="machineID")
    operating_system: str = always(str)
    os_image: str = always(str)
    system_uuid: str = always(str, name="systemUUID")
    running_in_user_namespace: bool | None = None
    swap: NodeSwapStatus | None = None


class NodeRuntimeHandlerFeatures(Struct, kw_only=True):
    """Features of a runtime handler."""

    recursive_read_only_mounts: bool | None = None
    user_namespaces: bool | None = None


class NodeRuntimeHandler(Struct, kw_only=True):
    """A handler of the container runtime."""

    features: NodeRuntimeHandlerFeatures | None = None
    name: Annotated[str, Optional()] = always(str)


class AttachedVolume(Struct, kw_only=True):
    """A volume that is attached to the node."""

    device_path: str = always(str)
    name: Annotated[str, GoType("v1.UniqueVolumeName")] = always(str)


class NodeStatus(Struct, kw_only=True):
    """The observed state of a node, reported by its kubelet."""

    addresses: Annotated[list[NodeAddress], ListMap("type")] = []
    """Addresses of the node."""
    allocatable: dict[str, Quantity] = {}
    """Resources that pods may use."""
    capacity: dict[str, Quantity] = {}
    """Resources of the machine."""
    conditions: Annotated[list[NodeCondition], ListMap("type")] = []
    """Current state: Ready, MemoryPressure, DiskPressure, PIDPressure."""
    config: NodeConfigStatus | None = None
    daemon_endpoints: NodeDaemonEndpoints = always(NodeDaemonEndpoints)
    declared_features: list[str] = []
    features: NodeFeatures | None = None
    images: list[ContainerImage] = []
    """Images on the node."""
    node_info: NodeSystemInfo = always(NodeSystemInfo)
    """Identifiers and software versions."""
    phase: Annotated[str, GoType("v1.NodePhase")] = ""
    runtime_handlers: list[NodeRuntimeHandler] = []
    volumes_attached: list[AttachedVolume] = []
    volumes_in_use: list[Annotated[str, GoType("v1.UniqueVolumeName")]] = []


class Node(Object, kw_only=True):
    """A machine of the cluster."""

    spec: NodeSpec = always(NodeSpec)
    """The desired state of a node."""
    status: NodeStatus = always(NodeStatus)
    """The observed state, reported by the kubelet."""
