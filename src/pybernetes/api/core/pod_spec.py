"""What somebody asks of a pod: PodSpec and its parts that are not about containers, volumes or placement."""

from typing import Annotated

from pybernetes.api.core.affinity import Affinity, Toleration, TopologySpreadConstraint
from pybernetes.api.core.container import Container, EphemeralContainer, ResourceRequirements
from pybernetes.api.core.reference import LocalObjectReference
from pybernetes.api.core.security import PodSecurityContext
from pybernetes.api.core.volume import Volume
from pybernetes.api.facts import Atomic, ListMap
from pybernetes.api.meta import ObjectMeta, Quantity, Struct, always


class PodDNSConfigOption(Struct, kw_only=True):
    """An option of the resolver."""

    name: str = ""
    value: str = ""


class PodDNSConfig(Struct, kw_only=True):
    """Settings of the pod's resolver, added to those of its DNS policy."""

    nameservers: list[str] = []
    options: list[PodDNSConfigOption] = []
    searches: list[str] = []


class EvictionResponder(Struct, kw_only=True):
    """Somebody who takes part in the eviction of the pod."""

    name: str = always(str)
    priority: int = always(int)


class HostAlias(Struct, kw_only=True):
    """A line of the pod's hosts file."""

    ip: str = always(str)
    hostnames: list[str] = []


class PodOS(Struct, kw_only=True):
    """The operating system that the pod is for."""

    name: str = always(str)


class PodReadinessGate(Struct, kw_only=True):
    """A condition that must be true before the pod is ready."""

    condition_type: str = always(str)


class PodResourceClaim(Struct, kw_only=True):
    """A claim for devices that the pod's containers may use."""

    name: str = always(str)
    resource_claim_name: str = ""
    resource_claim_template_name: str = ""


class PodSchedulingGate(Struct, kw_only=True):
    """Something that the pod waits for before it is scheduled."""

    name: str = always(str)


class PodSchedulingGroup(Struct, kw_only=True):
    """The group of pods that this pod is scheduled with."""

    pod_group_name: str = ""


class PodSpec(Struct, kw_only=True):
    """What is to run in a pod, and how."""

    containers: Annotated[list[Container], ListMap("name")] = []
    active_deadline_seconds: int | None = None
    affinity: Affinity | None = None
    automount_service_account_token: bool | None = None
    dns_config: PodDNSConfig | None = None
    dns_policy: str = ""
    enable_service_links: bool | None = None
    ephemeral_containers: Annotated[list[EphemeralContainer], ListMap("name")] = []
    eviction_responders: list[EvictionResponder] = []
    host_aliases: Annotated[list[HostAlias], ListMap("ip")] = []
    host_ipc: bool = False
    host_network: bool = False
    host_pid: bool = False
    host_users: bool | None = None
    hostname: str = ""
    hostname_override: str = ""
    image_pull_secrets: Annotated[list[LocalObjectReference], ListMap("name")] = []
    init_containers: Annotated[list[Container], ListMap("name")] = []
    node_name: str = ""
    node_selector: Annotated[dict[str, str], Atomic()] = {}
    os: PodOS | None = None
    overhead: dict[str, Quantity] = {}
    preemption_policy: str = ""
    priority: int | None = None
    priority_class_name: str = ""
    readiness_gates: list[PodReadinessGate] = []
    resource_claims: Annotated[list[PodResourceClaim], ListMap("name", retain_keys=True)] = []
    resources: ResourceRequirements | None = None
    restart_policy: str = ""
    runtime_class_name: str | None = None
    scheduler_name: str = ""
    scheduling_gates: Annotated[list[PodSchedulingGate], ListMap("name")] = []
    scheduling_group: PodSchedulingGroup | None = None
    security_context: PodSecurityContext | None = None
    service_account: str = ""
    service_account_name: str = ""
    set_hostname_as_fqdn: bool | None = None
    share_process_namespace: bool | None = None
    subdomain: str = ""
    termination_grace_period_seconds: int | None = None
    tolerations: Annotated[list[Toleration], Atomic()] = []
    topology_spread_constraints: Annotated[
        list[TopologySpreadConstraint], ListMap("topologyKey", "whenUnsatisfiable")
    ] = []
    volumes: Annotated[list[Volume], ListMap("name", retain_keys=True)] = []


class PodTemplateSpec(Struct, kw_only=True):
    """What the pods that an object makes look like."""

    metadata: ObjectMeta = always(ObjectMeta)
    spec: PodSpec = always(PodSpec)
