"""PodStatus and its parts; the state of containers is in container_status.py."""

from typing import Annotated

from pybernetes.api.core.container import ResourceRequirements
from pybernetes.api.core.container_status import ContainerStatus
from pybernetes.api.facts import ListMap, ListSet, MergeOn, Required
from pybernetes.api.meta import Int64, Quantity, Struct, Time, always, named


class PodCondition(Struct, kw_only=True):
    """One aspect of a pod's current state."""

    status: str = always(str)
    """True, False or Unknown."""
    type: str = always(str)
    """The aspect that the condition describes."""
    last_probe_time: Time = ""
    """When the condition was last checked."""
    last_transition_time: Time = ""
    """When the status last changed."""
    message: str = ""
    """The reason as a sentence, for people."""
    observed_generation: Int64 = 0
    reason: str = ""
    """The reason as a CamelCase word, for programs."""


class ContainerExtendedResourceRequest(Struct, kw_only=True):
    """Maps an extended resource of a container to a request of a resource claim."""

    container_name: str = always(str)
    request_name: str = always(str)
    resource_name: str = always(str)


class PodExtendedResourceClaimStatus(Struct, kw_only=True):
    """The resource claim that was created for the pod's extended resources."""

    request_mappings: Annotated[list[ContainerExtendedResourceRequest], Required()] = []
    resource_claim_name: str = always(str)


class HostIP(Struct, kw_only=True):
    """An address of the pod's node."""

    ip: str = always(str)


class NodeAllocatableMappedResources(Struct, kw_only=True):
    """The amount of a node resource that a claim uses."""

    name: str = always(str)
    quantity: Annotated[Quantity | None, Required()] = None


class NodeAllocatableOverheadResources(Struct, kw_only=True):
    """The additional amount of a node resource that a claim uses."""

    name: str = always(str)
    per_container: Quantity | None = None
    per_pod: Quantity | None = None


class NodeAllocatableResourceClaimStatus(Struct, kw_only=True):
    """The node resources that a claim uses."""

    resource_claim_name: str = always(str)
    containers: Annotated[list[str], ListSet()] = []
    mapping: Annotated[list[NodeAllocatableMappedResources], ListMap("name")] = []
    overhead: Annotated[list[NodeAllocatableOverheadResources], ListMap("name")] = []


class PodIP(Struct, kw_only=True):
    """An address of the pod."""

    ip: str = always(str)


class PodResourceClaimStatus(Struct, kw_only=True):
    """The resource claim that was created from a template of the pod."""

    name: str = always(str)
    resource_claim_name: str = ""


class VolumeHealthCondition(Struct, kw_only=True):
    """One aspect of a volume's health."""

    reason: str = always(str)
    status: str = always(str)
    message: str = ""


class PodVolumeHealth(Struct, kw_only=True):
    """The health of a volume of the pod."""

    name: str = always(str)
    health_conditions: Annotated[list[VolumeHealthCondition], ListMap("status", "reason")] = []
    last_transition_time: Time = ""


class PodStatus(Struct, kw_only=True):
    """The observed state of a pod, mostly reported by its kubelet."""

    allocated_resources: dict[str, Quantity] = {}
    conditions: Annotated[list[PodCondition], ListMap("type")] = []
    """Current state: PodScheduled, Initialized, ContainersReady, Ready."""
    container_statuses: list[ContainerStatus] = []
    """State of the containers."""
    ephemeral_container_statuses: list[ContainerStatus] = []
    """State of the ephemeral containers."""
    extended_resource_claim_status: PodExtendedResourceClaimStatus | None = None
    host_ip: str = named("hostIP")
    """Address of the node."""
    host_ips: Annotated[list[HostIP], MergeOn("ip")] = named("hostIPs", list)
    """Addresses of the node, one per family."""
    init_container_statuses: list[ContainerStatus] = []
    """State of the init containers."""
    message: str = ""
    """The reason for the state as a sentence."""
    node_allocatable_resource_claim_statuses: Annotated[
        list[NodeAllocatableResourceClaimStatus], ListMap("resourceClaimName")
    ] = []
    nominated_node_name: str = ""
    """The node on which pods are being preempted for this pod."""
    observed_generation: Int64 = 0
    phase: str = ""
    """Pending, Running, Succeeded, Failed or Unknown."""
    pod_ip: str = named("podIP")
    """Address of the pod."""
    pod_ips: Annotated[list[PodIP], ListMap("ip")] = named("podIPs", list)
    """Addresses of the pod, one per family."""
    qos_class: str = ""
    """The quality-of-service class: Guaranteed, Burstable or BestEffort."""
    reason: str = ""
    """The reason for the state as a CamelCase word, such as Evicted."""
    resize: str = ""
    resource_claim_statuses: Annotated[list[PodResourceClaimStatus], ListMap("name", retain_keys=True)] = []
    resources: ResourceRequirements | None = None
    start_time: Time = ""
    """When the kubelet accepted the pod."""
    volume_health: Annotated[list[PodVolumeHealth], ListMap("name", patch=False)] = []
