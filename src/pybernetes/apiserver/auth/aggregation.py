"""Aggregated cluster roles: `admin`, `edit` and `view` have the rules of all roles with a certain label."""

from collections.abc import Iterable

from pybernetes.api import labels
from pybernetes.api.rbac.cluster_role import ClusterRole
from pybernetes.api.rbac.rule import PolicyRule


def aggregate(cluster_role: ClusterRole, all_roles: Iterable[ClusterRole]) -> list[PolicyRule]:
    """The rules that an aggregated role should have: those of the selected roles, in the order of their names, without
    duplicates. A role without an aggregation rule keeps its own.
    """
    if cluster_role.aggregation_rule is None:
        return list(cluster_role.rules)
    selectors = [labels.from_label_selector(s) for s in cluster_role.aggregation_rule.cluster_role_selectors]
    by_name = {r.metadata.name: r for r in all_roles if r.metadata.name != cluster_role.metadata.name}
    rules: list[PolicyRule] = []
    for selector in selectors:
        for name in sorted(by_name):
            role = by_name[name]
            if selector.matches(role.metadata.labels):
                rules += [rule for rule in role.rules if rule not in rules]
    return rules
