"""What is known of a pod: PodStatus and its parts; the state of its containers is in container_status.py."""

from typing import Annotated

from pybernetes.api.core.container import ResourceRequirements
from pybernetes.api.core.container_status import ContainerStatus
from pybernetes.api.facts import ListMap, ListSet, MergeOn, Required
from pybernetes.api.meta import Int64, Quantity, Struct, Time, always, named


class PodCondition(Struct, kw_only=True):
    """One aspect of a pod's present state."""

    status: str = always(str)
    """True, False or Unknown."""
    type: str = always(str)
    """Which aspect this is about."""
    last_probe_time: Time = ""
    """When it was last looked at."""
    last_transition_time: Time = ""
    """When the status last changed."""
    message: str = ""
    """Why, in a sentence for people."""
    observed_generation: Int64 = 0
    reason: str = ""
    """Why, in one word for programs."""


class ContainerExtendedResourceRequest(Struct, kw_only=True):
    """Which request of a claim stands for a container's extended resource."""

    container_name: str = always(str)
    request_name: str = always(str)
    resource_name: str = always(str)


class PodExtendedResourceClaimStatus(Struct, kw_only=True):
    """The claim that was made for the pod's extended resources."""

    request_mappings: Annotated[list[ContainerExtendedResourceRequest], Required()] = []
    resource_claim_name: str = always(str)


class HostIP(Struct, kw_only=True):
    """An address of the pod's node."""

    ip: str = always(str)


class NodeAllocatableMappedResources(Struct, kw_only=True):
    """How much of a node resource a claim takes."""

    name: str = always(str)
    quantity: Annotated[Quantity | None, Required()] = None


class NodeAllocatableOverheadResources(Struct, kw_only=True):
    """What a claim costs of a node resource on top."""

    name: str = always(str)
    per_container: Quantity | None = None
    per_pod: Quantity | None = None


class NodeAllocatableResourceClaimStatus(Struct, kw_only=True):
    """What a claim takes of the node's resources."""

    resource_claim_name: str = always(str)
    containers: Annotated[list[str], ListSet()] = []
    mapping: Annotated[list[NodeAllocatableMappedResources], ListMap("name")] = []
    overhead: Annotated[list[NodeAllocatableOverheadResources], ListMap("name")] = []


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
    health_conditions: Annotated[list[VolumeHealthCondition], ListMap("status", "reason")] = []
    last_transition_time: Time = ""


class PodStatus(Struct, kw_only=True):
    """What is known of a pod, mostly from its kubelet; it lags behind a little."""

    allocated_resources: dict[str, Quantity] = {}
    conditions: Annotated[list[PodCondition], ListMap("type")] = []
    """Present state: PodScheduled, Initialized, ContainersReady, Ready."""
    container_statuses: list[ContainerStatus] = []
    """State of the containers."""
    ephemeral_container_statuses: list[ContainerStatus] = []
    """State of the containers for debugging."""
    extended_resource_claim_status: PodExtendedResourceClaimStatus | None = None
    host_ip: str = named("hostIP")
    """Address of the node."""
    host_ips: Annotated[list[HostIP], MergeOn("ip")] = named("hostIPs", list)
    """Addresses of the node, one per family."""
    init_container_statuses: list[ContainerStatus] = []
    """State of the init containers."""
    message: str = ""
    """Why the pod is in this state, for people."""
    node_allocatable_resource_claim_statuses: Annotated[
        list[NodeAllocatableResourceClaimStatus], ListMap("resourceClaimName")
    ] = []
    nominated_node_name: str = ""
    """The node where room is being made for the pod."""
    observed_generation: Int64 = 0
    phase: str = ""
    """Pending, Running, Succeeded, Failed or Unknown."""
    pod_ip: str = named("podIP")
    """Address of the pod."""
    pod_ips: Annotated[list[PodIP], ListMap("ip")] = named("podIPs", list)
    """Addresses of the pod, one per family."""
    qos_class: str = ""
    """Guaranteed, Burstable or BestEffort: who is served first when the node is short."""
    reason: str = ""
    """Why the pod is in this state, in one word: Evicted, for instance."""
    resize: str = ""
    resource_claim_statuses: Annotated[list[PodResourceClaimStatus], ListMap("name", retain_keys=True)] = []
    resources: ResourceRequirements | None = None
    start_time: Time = ""
    """When the kubelet took up the pod."""
    volume_health: Annotated[list[PodVolumeHealth], ListMap("name", patch=False)] = []
