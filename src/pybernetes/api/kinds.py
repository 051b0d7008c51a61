"""The one ordered list of built-in kinds, and how to look them up.

The order is that of discovery within a group. Clients that search for a name take the first match, so `events` of the
core group must precede those of events.k8s.io.
"""

from typing import Any, TypeVar

from pybernetes.api.apps import controller_revision, daemon_set, deployment, replica_set
from pybernetes.api.authentication import self_subject_review, token_request, token_review
from pybernetes.api.authorization import access_review, rules_review
from pybernetes.api.autoscaling import scale
from pybernetes.api.coordination import lease
from pybernetes.api.core import (
    binding,
    config_map,
    endpoints,
    namespace,
    node,
    pod,
    replication_controller,
    secret,
    service,
    service_account,
)
from pybernetes.api.core import event as core_event
from pybernetes.api.discovery import endpoint_slice
from pybernetes.api.events import event as events_event
from pybernetes.api.kind import Kind
from pybernetes.api.meta import Object
from pybernetes.api.policy import eviction, pod_disruption_budget
from pybernetes.api.rbac import cluster_role, cluster_role_binding, role, role_binding

K = TypeVar("K", bound=Object)

KINDS: tuple[Kind[Any], ...] = (
    binding.KIND,
    config_map.KIND,
    endpoints.KIND,
    core_event.KIND,
    namespace.KIND,
    node.KIND,
    pod.KIND,
    replication_controller.KIND,
    secret.KIND,
    service_account.KIND,
    service.KIND,
    controller_revision.KIND,
    daemon_set.KIND,
    deployment.KIND,
    replica_set.KIND,
    events_event.KIND,
    token_request.KIND,
    token_review.KIND,
    self_subject_review.KIND,
    access_review.LOCAL_SUBJECT_ACCESS_REVIEW,
    access_review.SELF_SUBJECT_ACCESS_REVIEW,
    rules_review.KIND,
    access_review.SUBJECT_ACCESS_REVIEW,
    scale.KIND,
    eviction.KIND,
    pod_disruption_budget.KIND,
    cluster_role_binding.KIND,
    cluster_role.KIND,
    role_binding.KIND,
    role.KIND,
    lease.KIND,
    endpoint_slice.KIND,
)

BY_STRUCT: dict[type[Object], Kind[Any]] = {kind.schema.type: kind for kind in KINDS}
BY_NAME: dict[tuple[str, str], Kind[Any]] = {(kind.api_version, kind.name): kind for kind in KINDS}
BY_RESOURCE: dict[tuple[str, str, str], Kind[Any]] = {(k.group, k.version, k.plural): k for k in KINDS}


def kind_of(struct: type[K]) -> Kind[K]:
    """The `Kind` of a struct type: `kind_of(Pod).plural == "pods"`."""
    return BY_STRUCT[struct]
