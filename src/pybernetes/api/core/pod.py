"""Pod: the unit of scheduling. Types: pod_object.py, pod_spec.py, pod_status.py. Rules: pod_defaults.py,
pod_strategy.py (which writer may set which fields), pod_validation.py, pod_update.py, pod_status_validation.py.
Table: pod_columns.py.
"""

from pybernetes.api.core.pod_columns import COLUMNS, row
from pybernetes.api.core.pod_defaults import default_pod
from pybernetes.api.core.pod_features import drop_alpha_pod_fields
from pybernetes.api.core.pod_object import Pod
from pybernetes.api.core.pod_spec import (
    EvictionResponder,
    HostAlias,
    PodDNSConfig,
    PodDNSConfigOption,
    PodOS,
    PodReadinessGate,
    PodResourceClaim,
    PodSchedulingGate,
    PodSchedulingGroup,
    PodSpec,
    PodTemplateSpec,
)
from pybernetes.api.core.pod_status import (
    ContainerExtendedResourceRequest,
    HostIP,
    NodeAllocatableMappedResources,
    NodeAllocatableOverheadResources,
    NodeAllocatableResourceClaimStatus,
    PodCondition,
    PodExtendedResourceClaimStatus,
    PodIP,
    PodResourceClaimStatus,
    PodStatus,
    PodVolumeHealth,
    VolumeHealthCondition,
)
from pybernetes.api.core.pod_status_validation import validate_pod_status
from pybernetes.api.core.pod_strategy import grace_period, prepare_create, prepare_status
from pybernetes.api.core.pod_subresources import POD_SUBRESOURCES
from pybernetes.api.core.pod_update import validate_pod_update
from pybernetes.api.core.pod_validation import validate_pod, validate_pod_create
from pybernetes.api.kind import Kind
from pybernetes.api.schema import StructSchema
from pybernetes.api.subresource import status

__all__ = [
    "KIND",
    "ContainerExtendedResourceRequest",
    "EvictionResponder",
    "HostAlias",
    "HostIP",
    "NodeAllocatableMappedResources",
    "NodeAllocatableOverheadResources",
    "NodeAllocatableResourceClaimStatus",
    "Pod",
    "PodCondition",
    "PodDNSConfig",
    "PodDNSConfigOption",
    "PodExtendedResourceClaimStatus",
    "PodIP",
    "PodOS",
    "PodReadinessGate",
    "PodResourceClaim",
    "PodResourceClaimStatus",
    "PodSchedulingGate",
    "PodSchedulingGroup",
    "PodSpec",
    "PodStatus",
    "PodTemplateSpec",
    "PodVolumeHealth",
    "VolumeHealthCondition",
]


KIND = Kind(
    group="",
    version="v1",
    name="Pod",
    plural="pods",
    singular="pod",
    schema=StructSchema(Pod, default=default_pod, validate=validate_pod),
    short_names=("po",),
    categories=("all",),
    has_generation=True,
    subresources=(status(prepare=prepare_status, validate=validate_pod_status), *POD_SUBRESOURCES),
    prepare_create=prepare_create,
    validate_create=validate_pod_create,
    drop_disabled=drop_alpha_pod_fields,
    grace_period=grace_period,
    returns_deleted=True,
    validate_update=validate_pod_update,
    columns=COLUMNS,
    row=row,
    selectable={
        "spec.nodeName": lambda pod: pod.spec.node_name,
        "spec.restartPolicy": lambda pod: pod.spec.restart_policy,
        "spec.schedulerName": lambda pod: pod.spec.scheduler_name,
        "spec.serviceAccountName": lambda pod: pod.spec.service_account_name,
        "spec.hostNetwork": lambda pod: "true" if pod.spec.host_network else "false",
        "status.phase": lambda pod: pod.status.phase,
        "status.podIP": lambda pod: pod.status.pod_ip,
        "status.podIPs": lambda pod: pod.status.pod_ip,
        "status.nominatedNodeName": lambda pod: pod.status.nominated_node_name,
    },
)
