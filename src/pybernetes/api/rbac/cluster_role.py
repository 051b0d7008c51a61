"""TODOC rbac/cluster_role.py"""

from pybernetes.api.kind import Kind
from pybernetes.api.meta import LabelSelector, Object, Struct
from pybernetes.api.rbac.rule import PolicyRule


class AggregationRule(Struct, kw_only=True):
    """TODOC AggregationRule"""

    cluster_role_selectors: list[LabelSelector] = []


class ClusterRole(Object, kw_only=True):
    """TODOC ClusterRole"""

    aggregation_rule: AggregationRule | None = None
    rules: list[PolicyRule] = []


KIND = Kind(
    group="rbac.authorization.k8s.io",
    version="v1",
    name="ClusterRole",
    plural="clusterroles",
    singular="clusterrole",
    struct=ClusterRole,
    namespaced=False,
    name_rule="path-segment",
    create_on_update=True,
)
