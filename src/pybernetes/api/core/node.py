"""TODOC core/node.py"""

from typing import Annotated

import msgspec

from pybernetes.api.facts import ListMap, ListSet
from pybernetes.api.kind import Kind
from pybernetes.api.meta import Object, Quantity, Struct, Time, always


class ConfigMapNodeConfigSource(Struct, kw_only=True):
    """TODOC ConfigMapNodeConfigSource"""

    kubelet_config_key: str = always(str)
    name: str = always(str)
    namespace: str = always(str)
    resource_version: str = ""
    uid: str = ""


class NodeConfigSource(Struct, kw_only=True):
    """TODOC NodeConfigSource"""

    config_map: ConfigMapNodeConfigSource | None = None


class NodePodPreemptionPolicy(Struct, kw_only=True):
    """TODOC NodePodPreemptionPolicy"""

    disable_resize_preemption: list[str] = []


class Taint(Struct, kw_only=True):
    """TODOC Taint"""

    effect: str = always(str)
    key: str = always(str)
    time_added: Time = ""
    value: str = ""


class NodeSpec(Struct, kw_only=True):
    """TODOC NodeSpec"""

    config_source: NodeConfigSource | None = None
    external_id: str = ""
    pod_cidr: str = ""
    pod_cidrs: Annotated[list[str], ListSet()] = []
    pod_preemption_policy: NodePodPreemptionPolicy | None = None
    provider_id: str = ""
    taints: list[Taint] = []
    unschedulable: bool = False


class NodeAddress(Struct, kw_only=True):
    """TODOC NodeAddress"""

    address: str = always(str)
    type: str = always(str)


class NodeCondition(Struct, kw_only=True):
    """TODOC NodeCondition"""

    status: str = always(str)
    type: str = always(str)
    last_heartbeat_time: Time = ""
    last_transition_time: Time = ""
    message: str = ""
    reason: str = ""


class NodeConfigStatus(Struct, kw_only=True):
    """TODOC NodeConfigStatus"""

    active: NodeConfigSource | None = None
    assigned: NodeConfigSource | None = None
    error: str = ""
    last_known_good: NodeConfigSource | None = None


class DaemonEndpoint(Struct, kw_only=True):
    """TODOC DaemonEndpoint"""

    port: int = msgspec.field(default_factory=int, name="Port")


class NodeDaemonEndpoints(Struct, kw_only=True):
    """TODOC NodeDaemonEndpoints"""

    kubelet_endpoint: DaemonEndpoint = always(DaemonEndpoint)


class NodeFeatures(Struct, kw_only=True):
    """TODOC NodeFeatures"""

    supplemental_groups_policy: bool | None = None


class ContainerImage(Struct, kw_only=True):
    """TODOC ContainerImage"""

    names: list[str] = []
    size_bytes: int | None = None


class NodeSwapStatus(Struct, kw_only=True):
    """TODOC NodeSwapStatus"""

    capacity: int | None = None


class NodeSystemInfo(Struct, kw_only=True):
    """TODOC NodeSystemInfo"""

    architecture: str = always(str)
    boot_id: str = always(str)
    container_runtime_version: str = always(str)
    kernel_version: str = always(str)
    kube_proxy_version: str = always(str)
    kubelet_version: str = always(str)
    machine_id: str = always(str)
    operating_system: str = always(str)
    os_image: str = always(str)
    system_uuid: str = always(str)
    running_in_user_namespace: bool | None = None
    swap: NodeSwapStatus | None = None


class NodeRuntimeHandlerFeatures(Struct, kw_only=True):
    """TODOC NodeRuntimeHandlerFeatures"""

    recursive_read_only_mounts: bool | None = None
    user_namespaces: bool | None = None


class NodeRuntimeHandler(Struct, kw_only=True):
    """TODOC NodeRuntimeHandler"""

    features: NodeRuntimeHandlerFeatures | None = None
    name: str = ""


class AttachedVolume(Struct, kw_only=True):
    """TODOC AttachedVolume"""

    device_path: str = always(str)
    name: str = always(str)


class NodeStatus(Struct, kw_only=True):
    """TODOC NodeStatus"""

    addresses: Annotated[list[NodeAddress], ListMap("type")] = []
    allocatable: dict[str, Quantity] = {}
    capacity: dict[str, Quantity] = {}
    conditions: Annotated[list[NodeCondition], ListMap("type")] = []
    config: NodeConfigStatus | None = None
    daemon_endpoints: NodeDaemonEndpoints = always(NodeDaemonEndpoints)
    declared_features: list[str] = []
    features: NodeFeatures | None = None
    images: list[ContainerImage] = []
    node_info: NodeSystemInfo = always(NodeSystemInfo)
    phase: str = ""
    runtime_handlers: list[NodeRuntimeHandler] = []
    volumes_attached: list[AttachedVolume] = []
    volumes_in_use: list[str] = []


class Node(Object, kw_only=True):
    """TODOC Node"""

    spec: NodeSpec = always(NodeSpec)
    status: NodeStatus = always(NodeStatus)


KIND = Kind(
    group="",
    version="v1",
    name="Node",
    plural="nodes",
    singular="node",
    struct=Node,
    namespaced=False,
    short_names=("no",),
    storage="minions",
    subresources=("status", "proxy"),
)
