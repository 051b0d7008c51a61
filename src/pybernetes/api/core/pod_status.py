"""What is known of a pod: PodStatus and its parts; the state of its containers is in container_status.py."""

from typing import Annotated

from pybernetes.api.core.container import ResourceRequirements
from pybernetes.api.core.container_status import ContainerStatus
from pybernetes.api.facts import ListMap
from pybernetes.api.meta import Quantity, Struct, Time, always


class PodCondition(Struct, kw_only=True):
    """One aspect of a pod's present state."""

    status: str = always(str)
    type: str = always(str)
    last_probe_time: Time = ""
    last_transition_time: Time = ""
    message: str = ""
    observed_generation: int = 0
    reason: str = ""


class ContainerExtendedResourceRequest(Struct, kw_only=True):
    """Which request of a claim stands for a container's extended resource."""

    container_name: str = always(str)
    request_name: str = always(str)
    resource_name: str = always(str)


class PodExtendedResourceClaimStatus(Struct, kw_only=True):
    """The claim that was made for the pod's extended resources."""

    request_mappings: list[ContainerExtendedResourceRequest] = []
    resource_claim_name: str = always(str)


class HostIP(Struct, kw_only=True):
    """An address of the pod's node."""

    ip: str = always(str)


class NodeAllocatableMappedResources(Struct, kw_only=True):
    """How much of a node resource a claim takes."""

    name: str = always(str)
    quantity: Quantity | None = None


class NodeAllocatableOverheadResources(Struct, kw_only=True):
    """What a claim costs of a node resource on top."""

    name: str = always(str)
    per_container: Quantity | None = None
    per_pod: Quantity | None = None


class NodeAllocatableResourceClaimStatus(Struct, kw_only=True):
    """What a claim takes of the node's resources."""

    resource_claim_name: str = always(str)
    containers: list[str] = []
    mapping: list[NodeAllocatableMappedResources] = []
    overhead: list[NodeAllocatableOverheadResources] = []


class PodIP(Struct, kw_only=True):
    """An address of the pod."""

    ip: str = always(str)


class PodResourceClaimStatus(Struct, kw_only=True):
    """The claim that was made from a template of the pod."""

    name: str = always(str)
    resource_claim_name: str = ""


class VolumeHealthCondition(Struct, kw_only=True):
    """One aspect of a volume's health."""

    reason: str = always(str)
    status: str = always(str)
    message: str = ""


class PodVolumeHealth(Struct, kw_only=True):
    """How well a volume of the pod is."""

    name: str = always(str)
    health_conditions: list[VolumeHealthCondition] = []
    last_transition_time: Time = ""


class PodStatus(Struct, kw_only=True):
    """What is known of a pod, mostly from its kubelet; it lags behind a little."""

    allocated_resources: dict[str, Quantity] = {}
    conditions: Annotated[list[PodCondition], ListMap("type")] = []
    container_statuses: list[ContainerStatus] = []
    ephemeral_container_statuses: list[ContainerStatus] = []
    extended_resource_claim_status: PodExtendedResourceClaimStatus | None = None
    host_ip: str = ""
    host_ips: Annotated[list[HostIP], ListMap("ip")] = []
    init_container_statuses: list[ContainerStatus] = []
    message: str = ""
    node_allocatable_resource_claim_statuses: list[NodeAllocatableResourceClaimStatus] = []
    nominated_node_name: str = ""
    observed_generation: int = 0
    phase: str = ""
    pod_ip: str = ""
    pod_ips: Annotated[list[PodIP], ListMap("ip")] = []
    qos_class: str = ""
    reason: str = ""
    resize: str = ""
    resource_claim_statuses: Annotated[list[PodResourceClaimStatus], ListMap("name", retain_keys=True)] = []
    resources: ResourceRequirements | None = None
    start_time: Time = ""
    volume_health: list[PodVolumeHealth] = []
