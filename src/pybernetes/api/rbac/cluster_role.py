"""ClusterRole: permissions in all namespaces, on cluster-wide objects and on paths."""

from pybernetes.api import rules
from pybernetes.api.field import Errors, Path
from pybernetes.api.kind import Kind
from pybernetes.api.meta import LabelSelector, Object, Struct
from pybernetes.api.rbac.rule import PolicyRule
from pybernetes.api.rbac.validation import validate_rules
from pybernetes.api.schema import StructSchema
from pybernetes.api.tables import CREATED_AT, NAME


class AggregationRule(Struct, kw_only=True):
    """Which ClusterRoles the rules are gathered from; a controller fills them in."""

    cluster_role_selectors: list[LabelSelector] = []


class ClusterRole(Object, kw_only=True):
    """A set of permissions that can be granted in one namespace or in all of them."""

    aggregation_rule: AggregationRule | None = None
    """Which ClusterRoles the rules are gathered from."""
    rules: list[PolicyRule] = []
    """What is allowed."""


def validate(obj: ClusterRole, errors: Errors) -> None:
    """Rules, or selectors of the roles to gather rules from."""
    validate_rules(obj.rules, namespaced=False, errors=errors)
    if obj.aggregation_rule is None:
        return
    path = Path("aggregationRule") / "clusterRoleSelectors"
    if not obj.aggregation_rule.cluster_role_selectors:
        errors.required(path, "at least one clusterRoleSelector required if aggregationRule is non-nil")
    for index, selector in enumerate(obj.aggregation_rule.cluster_role_selectors):
        rules.label_selector(selector, path @ index, errors)


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
