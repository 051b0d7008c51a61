"""ClusterRole: permissions on namespaced and cluster-scoped resources and on URL paths."""

from pybernetes.api import rules
from pybernetes.api.field import Errors, Path
from pybernetes.api.kind import Kind
from pybernetes.api.meta import LabelSelector, Object, Struct
from pybernetes.api.rbac.rule import PolicyRule
from pybernetes.api.rbac.validation import validate_rules
from pybernetes.api.schema import StructSchema
from pybernetes.api.tables import CREATED_AT, NAME


class AggregationRule(Struct, kw_only=True):
    """Selects the ClusterRoles whose rules a controller combines into this one."""

    cluster_role_selectors: list[LabelSelector] = []


class ClusterRole(Object, kw_only=True):
    """A set of permissions that can be granted in one namespace or in the cluster."""

    aggregation_rule: AggregationRule | None = None
    """Selects the ClusterRoles whose rules are combined into this one."""
    rules: list[PolicyRule] = []
    """The permissions."""


def validate(obj: ClusterRole, errors: Errors) -> None:
    """The rules and the selectors of the aggregation rule."""
    validate_rules(obj.rules, namespaced=False, errors=errors)
    if obj.aggregation_rule is None:
        return
    path = Path("aggregationRule") / "clusterRoleSelectors"
    if not obj.aggregation_rule.cluster_role_selectors:
        errors.required(path, "at least one clusterRoleSelector required if aggregationRule is non-nil")
    for index, selector in enumerate(obj.aggregation_rule.cluster_role_selectors):
        found = Errors()
        rules.label_selector(selector, path @ index, found)
        errors.items += found.items
        if found:
            errors.invalid(path @ index, None, "invalid label selector.")


KIND = Kind(
    group="rbac.authorization.k8s.io",
    version="v1",
    name="ClusterRole",
    plural="clusterroles",
    singular="clusterrole",
    schema=StructSchema(ClusterRole, validate=validate),
    namespaced=False,
    name_rule="path-segment",
    create_on_update=True,
    columns=(NAME, CREATED_AT),
    row=lambda obj, now: [obj.metadata.name, obj.metadata.creation_timestamp],
)
