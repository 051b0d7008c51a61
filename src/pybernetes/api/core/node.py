"""Node: a machine that runs pods."""

from datetime import datetime

from pybernetes.api.core.node_object import (
    AttachedVolume,
    ConfigMapNodeConfigSource,
    ContainerImage,
    DaemonEndpoint,
    Node,
    NodeAddress,
    NodeCondition,
    NodeConfigSource,
    NodeConfigStatus,
    NodeDaemonEndpoints,
    NodeFeatures,
    NodePodPreemptionPolicy,
    NodeRuntimeHandler,
    NodeRuntimeHandlerFeatures,
    NodeSpec,
    NodeStatus,
    NodeSwapStatus,
    NodeSystemInfo,
    Taint,
)
from pybernetes.api.core.node_validation import (
    drop_unused,
    drop_unused_status,
    validate,
    validate_status,
    validate_update,
    warnings,
)
from pybernetes.api.duration import age
from pybernetes.api.kind import Cell, Column, Kind
from pybernetes.api.quantity import canonicalize
from pybernetes.api.schema import StructSchema
from pybernetes.api.subresource import proxy, status
from pybernetes.api.tables import AGE, NAME, or_none

__all__ = [
    "KIND",
    "ROLE_LABEL",
    "ROLE_PREFIX",
    "AttachedVolume",
    "ConfigMapNodeConfigSource",
    "ContainerImage",
    "DaemonEndpoint",
    "Node",
    "NodeAddress",
    "NodeCondition",
    "NodeConfigSource",
    "NodeConfigStatus",
    "NodeDaemonEndpoints",
    "NodeFeatures",
    "NodePodPreemptionPolicy",
    "NodeRuntimeHandler",
    "NodeRuntimeHandlerFeatures",
    "NodeSpec",
    "NodeStatus",
    "NodeSwapStatus",
    "NodeSystemInfo",
    "Taint",
    "roles",
]

ROLE_PREFIX = "node-role.kubernetes.io/"
ROLE_LABEL = "kubernetes.io/role"


def default(obj: Node) -> None:
    """`allocatable` is `capacity` by default."""
    canonicalize(obj)
    if not obj.status.allocatable and obj.status.capacity:
        obj.status.allocatable = dict(obj.status.capacity)
    # podCIDR and podCIDRs hold the same data; podCIDR counts.
    spec = obj.spec
    if spec.pod_cidr and spec.pod_cidrs[:1] != [spec.pod_cidr]:
        spec.pod_cidrs = [spec.pod_cidr]
    elif spec.pod_cidrs and not spec.pod_cidr:
        spec.pod_cidr = spec.pod_cidrs[0]


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
    subresources=(status(prepare=drop_unused_status, validate=validate_status), proxy("NodeProxyOptions")),
    prepare_create=drop_unused,
    prepare_update=drop_unused,
    validate_update=validate_update,
    warnings=warnings,
    columns=COLUMNS,
    row=row,
    selectable={"spec.unschedulable": lambda obj: "true" if obj.spec.unschedulable else "false"},
)
