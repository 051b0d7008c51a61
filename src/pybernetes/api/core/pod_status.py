"""What is known of a pod: PodStatus and its parts; the state of its containers is in container_status.py."""

from typing import Annotated

from pybernetes.api.core.container import ResourceRequirements
from pybernetes.api.core.container_status import ContainerStatus
from pybernetes.api.facts import ListMap
from pybernetes.api.meta import Quantity, Struct, Time, always


class PodCondition(Struct, kw_only=True):
    """TODOC PodCondition"""

    status: str = always(str)
    type: str = always(str)
    last_probe_time: Time = ""
    last_transition_time: Time = ""
    message: str = ""
    observed_generation: int = 0
    reason: str = ""


class ContainerExtendedResourceRequest(Struct, kw_only=True):
    """TODOC ContainerExtendedResourceRequest"""

    container_name: str = always(str)
    request_name: str = always(str)
    resource_name: str = always(str)


class PodExtendedResourceClaimStatus(Struct, kw_only=True):
    """TODOC PodExtendedResourceClaimStatus"""

    request_mappings: list[ContainerExtendedResourceRequest] = []
    resource_claim_name: str = always(str)


class HostIP(Struct, kw_only=True):
    """TODOC HostIP"""

    ip: str = always(str)


class NodeAllocatableMappedResources(Struct, kw_only=True):
    """TODOC NodeAllocatableMappedResources"""

    name: str = always(str)
    quantity: Quantity | None = None


class NodeAllocatableOverheadResources(Struct, kw_only=True):
    """TODOC NodeAllocatableOverheadResources"""

    name: str = always(str)
    per_container: Quantity | None = None
    per_pod: Quantity | None = None


class NodeAllocatableResourceClaimStatus(Struct, kw_only=True):
    """TODOC NodeAllocatableResourceClaimStatus"""

    resource_claim_name: str = always(str)
    containers: list[str] = []
    mapping: list[NodeAllocatableMappedResources] = []
    overhead: list[NodeAllocatableOverheadResources] = []


class PodIP(Struct, kw_only=True):
    """TODOC PodIP"""

    ip: str = always(str)


class PodResourceClaimStatus(Struct, kw_only=True):
    """TODOC PodResourceClaimStatus"""

    name: str = always(str)
    resource_claim_name: str = ""


class VolumeHealthCondition(Struct, kw_only=True):
    """TODOC VolumeHealthCondition"""

    reason: str = always(str)
    status: str = always(str)
    message: str = ""


class PodVolumeHealth(Struct, kw_only=True):
    """TODOC PodVolumeHealth"""

    name: str = always(str)
    health_conditions: list[VolumeHealthCondition] = []
    last_transition_time: Time = ""


class PodStatus(Struct, kw_only=True):
    """TODOC PodStatus"""

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
