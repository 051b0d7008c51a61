"""PodSpec, and its parts other than containers, volumes and scheduling constraints."""

from typing import Annotated, ClassVar

from pybernetes.api.core.affinity import Affinity, Toleration, TopologySpreadConstraint
from pybernetes.api.core.container import Container, EphemeralContainer, ResourceRequirements
from pybernetes.api.core.reference import LocalObjectReference
from pybernetes.api.core.security import PodSecurityContext
from pybernetes.api.core.volume import Volume
from pybernetes.api.facts import Atomic, ListMap, Required, Union
from pybernetes.api.meta import Int32, Int64, ObjectMeta, Quantity, Struct, always, named


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
    """A component that takes part in the eviction of the pod."""

    type_facts: ClassVar = (Atomic(),)
    name: str = always(str)
    priority: Annotated[Int32, Required()] = 0


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
    resource_claim_name: str | None = None
    resource_claim_template_name: str | None = None


class PodSchedulingGate(Struct, kw_only=True):
    """A gate that must be removed before the pod is scheduled."""

    name: str = always(str)


class PodSchedulingGroup(Struct, kw_only=True):
    """The group of pods that this pod is scheduled with."""

    type_facts: ClassVar = (Union({"podGroupName": "PodGroupName"}),)
    pod_group_name: str | None = None


class PodSpec(Struct, kw_only=True):
    """The desired state of a pod."""

    containers: Annotated[list[Container], ListMap("name"), Required()] = []
    """The containers of the pod; at least one."""
    active_deadline_seconds: Int64 | None = None
    """How long the pod may be active on a node before it is failed."""
    affinity: Affinity | None = None
    """Scheduling constraints."""
    automount_service_account_token: bool | None = None
    """Whether a token of the service account is mounted."""
    dns_config: PodDNSConfig | None = None
    """Settings of the resolver besides those of the DNS policy."""
    dns_policy: str = ""
    """ClusterFirst (default), ClusterFirstWithHostNet, Default (the node's) or None."""
    enable_service_links: bool | None = None
    """Whether Services of the namespace are injected as environment variables."""
    ephemeral_containers: Annotated[list[EphemeralContainer], ListMap("name")] = []
    """Ephemeral containers for debugging, added through the `ephemeralcontainers` subresource."""
    eviction_responders: Annotated[list[EvictionResponder], ListMap("name")] = []
    host_aliases: Annotated[list[HostAlias], ListMap("ip")] = []
    """Lines for the hosts file of the containers."""
    host_ipc: bool = named("hostIPC", False)
    """Whether the pod shares the node's IPC namespace."""
    host_network: bool = False
    """Whether the pod shares the node's network, addresses and ports."""
    host_pid: bool = named("hostPID", False)
    """Whether the pod shares the node's process namespace."""
    host_users: bool | None = None
    """Whether the pod shares the node's user namespace; true by default."""
    hostname: str = ""
    """The host name within the pod; the pod's name by default."""
    hostname_override: str | None = None
    """A host name, possibly fully qualified, that overrides all other settings."""
    image_pull_secrets: Annotated[list[LocalObjectReference], ListMap("name")] = []
    """Secrets for pulling images."""
    init_containers: Annotated[list[Container], ListMap("name")] = []
    """Containers that run to completion, one after the other, before the others start."""
    node_name: str = ""
    """The node of the pod; set by the scheduler."""
    node_selector: Annotated[dict[str, str], Atomic()] = {}
    """Labels that the node must have."""
    os: PodOS | None = None
    """The operating system that the containers need."""
    overhead: dict[str, Quantity] = {}
    """Resources that the sandbox itself uses; set from the runtime class."""
    preemption_policy: str = ""
    """Whether the pod may preempt others: PreemptLowerPriority (default) or Never."""
    priority: Int32 | None = None
    """The priority as a number; set from the priority class."""
    priority_class_name: str = ""
    """The priority class."""
    readiness_gates: list[PodReadinessGate] = []
    """Conditions, in addition to ready containers, that the pod needs to be ready."""
    resource_claims: Annotated[list[PodResourceClaim], ListMap("name", retain_keys=True)] = []
    """Claims for devices that containers may use."""
    resources: ResourceRequirements | None = None
    """Requests and limits of the pod as a whole."""
    restart_policy: str = ""
    """Always (default), OnFailure or Never."""
    runtime_class_name: str | None = None
    """The runtime class, if not the node's default."""
    scheduler_name: str = ""
    """The scheduler that places the pod."""
    scheduling_gates: Annotated[list[PodSchedulingGate], ListMap("name")] = []
    """Gates; the pod is scheduled when all are removed."""
    scheduling_group: PodSchedulingGroup | None = None
    security_context: PodSecurityContext | None = None
    """Security settings of the pod and of all containers."""
    service_account: str = ""
    """Deprecated alias of serviceAccountName."""
    service_account_name: str = ""
    """The service account of the pod; `default` by default."""
    set_hostname_as_fqdn: bool | None = named("setHostnameAsFQDN", None)
    """Whether the kernel's host name is the fully qualified name."""
    share_process_namespace: bool | None = None
    """Whether the containers share one process namespace."""
    subdomain: str = ""
    """The name of a headless Service, which gives the pod a DNS name."""
    termination_grace_period_seconds: Int64 | None = None
    """How many seconds the containers have to terminate before they are killed; 30 by default."""
    tolerations: Annotated[list[Toleration], Atomic()] = []
    """Taints that the pod tolerates."""
    topology_spread_constraints: Annotated[
        list[TopologySpreadConstraint], ListMap("topologyKey", "whenUnsatisfiable")
    ] = []
    """How evenly matching pods must be spread."""
    volumes: Annotated[list[Volume], ListMap("name", retain_keys=True)] = []
    """Volumes that containers can mount."""


class PodTemplateSpec(Struct, kw_only=True):
    """Describes the pods that a workload creates."""

    metadata: ObjectMeta = always(ObjectMeta)
    """Labels and annotations of the pods."""
    spec: PodSpec = always(PodSpec)
    """The desired state of the pods."""
