"""Node: a machine that runs pods."""

from datetime import datetime
from typing import Annotated

import msgspec

from pybernetes.api import names, rules
from pybernetes.api.core.placement_validation import EFFECTS
from pybernetes.api.core.resource_validation import amount_of
from pybernetes.api.duration import age
from pybernetes.api.facts import ListMap, ListSet, Optional
from pybernetes.api.field import Errors, Path
from pybernetes.api.kind import Cell, Column, Kind
from pybernetes.api.meta import UID, Int32, Int64, Object, Quantity, Struct, Time, always, named
from pybernetes.api.quantity import canonicalize
from pybernetes.api.schema import StructSchema
from pybernetes.api.subresource import proxy, status
from pybernetes.api.tables import AGE, NAME, or_none


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

    effect: str = always(str)
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
    type: str = always(str)


class NodeCondition(Struct, kw_only=True):
    """One aspect of a node's current state."""

    status: str = always(str)
    type: str = always(str)
    last_heartbeat_time: Time = ""
    last_transition_time: Time = ""
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
    name: str = always(str)


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
    phase: str = ""
    runtime_handlers: list[NodeRuntimeHandler] = []
    volumes_attached: list[AttachedVolume] = []
    volumes_in_use: list[str] = []


class Node(Object, kw_only=True):
    """A machine of the cluster."""

    spec: NodeSpec = always(NodeSpec)
    """The desired state of a node."""
    status: NodeStatus = always(NodeStatus)
    """The observed state, reported by the kubelet."""


ROLE_PREFIX = "node-role.kubernetes.io/"
ROLE_LABEL = "kubernetes.io/role"


def default(obj: Node) -> None:
    """`allocatable` is `capacity` by default."""
    canonicalize(obj)
    if not obj.status.allocatable and obj.status.capacity:
        obj.status.allocatable = dict(obj.status.capacity)
    # podCIDR and podCIDRs hold the same data; set the one that is missing.
    spec = obj.spec
    if spec.pod_cidr and not spec.pod_cidrs:
        spec.pod_cidrs = [spec.pod_cidr]
    elif spec.pod_cidrs and not spec.pod_cidr:
        spec.pod_cidr = spec.pod_cidrs[0]


def validate(obj: Node, errors: Errors) -> None:
    """Taints, pod address ranges and quantities are valid."""
    _taints(obj.spec.taints, errors)
    for index, cidr in enumerate(obj.spec.pod_cidrs):
        if not rules.is_cidr(cidr):
            text = "must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)"
            errors.invalid(Path("spec") / "podCIDRs" @ index, cidr, text)
    for name, amounts in (("capacity", obj.status.capacity), ("allocatable", obj.status.allocatable)):
        for resource, amount in amounts.items():
            amount_of(resource, amount, Path("status") / name @ resource, errors)


def _taints(taints: list[Taint], errors: Errors) -> None:
    seen: set[tuple[str, str]] = set()
    for index, taint in enumerate(taints):
        path = Path("spec") / "taints" @ index
        rules.follows(taint.key, names.qualified_name, path / "key", errors)
        for complaint in names.label_value(taint.value):
            errors.invalid(path / "value", taint.value, complaint)
        if not taint.effect:
            errors.required(path / "effect")
        elif taint.effect not in EFFECTS:
            errors.not_supported(path / "effect", taint.effect, list(EFFECTS))
        if (taint.key, taint.effect) in seen:
            errors.duplicate(path, taint)
        seen.add((taint.key, taint.effect))


def validate_update(new: Node, old: Node, errors: Errors) -> None:
    """Pod address ranges and the provider ID cannot change once set."""
    path = Path("spec")
    if old.spec.pod_cidrs and new.spec.pod_cidrs != old.spec.pod_cidrs:
        text = 'node updates may not change podCIDR except from "" to valid'
        errors.forbidden(path / "podCIDRs", text)
    if old.spec.provider_id and new.spec.provider_id != old.spec.provider_id:
        text = 'node updates may not change providerID except from "" to valid'
        errors.forbidden(path / "providerID", text)
    if old.spec.external_id != new.spec.external_id:
        errors.forbidden(path, "node updates may only change labels, taints, or capacity")


COLUMNS = (
    NAME,
    Column("Status", description="Whether the node is ready, and takes new pods."),
    Column("Roles", description="What the node is for, by its labels."),
    AGE,
    Column("Version", description="The kubelet's version."),
    Column("Internal-IP", priority=1, description="Its address inside the cluster."),
    Column("External-IP", priority=1, description="Its address outside the cluster."),
    Column("OS-Image", priority=1, description="Its operating system."),
    Column("Kernel-Version", priority=1, description="Its kernel."),
    Column("Container-Runtime", priority=1, description="What runs its containers."),
)


def row(obj: Node, now: datetime) -> list[Cell]:
    info = obj.status.node_info
    addresses = {address.type: address.address for address in reversed(obj.status.addresses)}
    return [
        obj.metadata.name,
        _status(obj),
        or_none(",".join(roles(obj))),
        age(obj.metadata.creation_timestamp, now),
        info.kubelet_version,
        or_none(addresses.get("InternalIP", "")),
        or_none(addresses.get("ExternalIP", "")),
        info.os_image or "<unknown>",
        info.kernel_version or "<unknown>",
        info.container_runtime_version or "<unknown>",
    ]


def _status(obj: Node) -> str:
    ready = next((condition for condition in obj.status.conditions if condition.type == "Ready"), None)
    status = "Unknown" if ready is None else "Ready" if ready.status == "True" else "NotReady"
    return status + (",SchedulingDisabled" if obj.spec.unschedulable else "")


def roles(obj: Node) -> list[str]:
    """The roles of a node: the suffixes of its `node-role.kubernetes.io/` labels, and the old `kubernetes.io/role`."""
    labels = obj.metadata.labels
    found = {key.removeprefix(ROLE_PREFIX) for key in labels if key.startswith(ROLE_PREFIX)}
    return sorted((found | {labels.get(ROLE_LABEL, "")}) - {""})


KIND = Kind(
    group="",
    version="v1",
    name="Node",
    plural="nodes",
    singular="node",
    schema=StructSchema(Node, default=default, validate=validate),
    namespaced=False,
    short_names=("no",),
    storage="minions",
    status_on_create=True,
    subresources=(status(), proxy("NodeProxyOptions")),
    validate_update=validate_update,
    columns=COLUMNS,
    row=row,
    selectable={"spec.unschedulable": lambda obj: "true" if obj.spec.unschedulable else "false"},
)
