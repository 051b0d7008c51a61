"""ClusterRole aggregation: a role with an aggregationRule has the rules of all roles that its selectors select, so
that `admin`, `edit` and `view` also cover resources that are added to a cluster later."""

from collections.abc import Sequence

from msgspec.structs import replace

from pybernetes.api.rbac.cluster_role import ClusterRole
from pybernetes.api.rbac.rule import PolicyRule
from pybernetes.controllers.base import Controller
from pybernetes.controllers.selectors import matches
from pybernetes.controllers.types import Context


def aggregated(role: ClusterRole, roles: Sequence[ClusterRole]) -> list[PolicyRule]:
    """The rules of an aggregating role: those of the selected roles in the order of their names, each rule once."""
    selectors = role.aggregation_rule.cluster_role_selectors if role.aggregation_rule else []
    result: list[PolicyRule] = []
    for other in sorted(roles, key=lambda item: item.metadata.name):
        if other.metadata.name == role.metadata.name:
            continue
        if any(matches(selector, other.metadata.labels) for selector in selectors):
            result += [rule for rule in other.rules if rule not in result]
    return result


class ClusterRoleAggregationController(Controller):
    """Keys are names of aggregating roles."""

    name = "clusterrole-aggregation-controller"
    component = "clusterrole-aggregation-controller"

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self._roles = self.informer(ClusterRole).cache
        self._roles.add_index("aggregates", lambda role: ("yes",) if role.aggregation_rule else ())
        self.watch(ClusterRole, lambda old, new: [role.metadata.name for role in self._aggregating()])

    def _aggregating(self) -> list[ClusterRole]:
        return self._roles.by_index("aggregates", "yes")

    async def reconcile(self, key: str) -> None:
        """Write the rules if they differ."""
        role = self._roles.get(key)
        if role is None or role.aggregation_rule is None:
            return
        rules = aggregated(role, self._roles.all())
        if rules != role.rules:
            await self.context.client.of(ClusterRole).update(replace(role, rules=rules))
