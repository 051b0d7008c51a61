"""Privilege escalation checks: users can't grant permissions that they do not have.

A user who writes a role must have every permission in it, or be allowed to `escalate` it. A user who writes a binding
must have every permission of the bound role, or be allowed to `bind` it.
"""

from dataclasses import replace

from pybernetes.api.meta import Object
from pybernetes.api.rbac.cluster_role import ClusterRole
from pybernetes.api.rbac.cluster_role_binding import ClusterRoleBinding
from pybernetes.api.rbac.role import Role
from pybernetes.api.rbac.role_binding import RoleBinding
from pybernetes.api.rbac.rule import PolicyRule
from pybernetes.apiserver.auth.rbac import GROUP, Rbac
from pybernetes.apiserver.auth.rules import ALL, describe
from pybernetes.apiserver.auth.union import MASTERS
from pybernetes.apiserver.types import Attributes, Authorizer, User

EVERYTHING = [
    PolicyRule(verbs=[ALL], api_groups=[ALL], resources=[ALL]),
    PolicyRule(verbs=[ALL], non_resource_urls=[ALL]),
]


def check_write(new: Object, old: Object | None, user: User, *, rbac: Rbac, authorizer: Authorizer) -> str:
    """Why the user may not write this role or binding; "" if they may. Other kinds are always allowed.

    `old` is the present object: a write that changes neither rules nor subjects grants nothing.
    """
    if MASTERS in user.groups:
        return ""
    if isinstance(new, (Role, ClusterRole)):
        return _check_role(new, old, user, rbac, authorizer)
    if isinstance(new, (RoleBinding, ClusterRoleBinding)):
        return _check_binding(new, old, user, rbac, authorizer)
    return ""


def _check_role(new: Role | ClusterRole, old: Object | None, user: User, rbac: Rbac, authorizer: Authorizer) -> str:
    aggregation = new.aggregation_rule if isinstance(new, ClusterRole) else None
    if isinstance(old, (Role, ClusterRole)):
        before = old.aggregation_rule if isinstance(old, ClusterRole) else None
        if old.rules == new.rules and before == aggregation:
            return ""
    attributes = Attributes(
        user=user,
        verb="escalate",
        group=GROUP,
        version="v1",
        resource="roles" if isinstance(new, Role) else "clusterroles",
        namespace=new.metadata.namespace,
        name=new.metadata.name,
    )
    if authorizer.authorize(attributes).allowed:
        return ""
    if aggregation is not None and rbac.may_grant(user, EVERYTHING, ""):
        return f"must have cluster-admin privileges to use the aggregationRule: {_who(user)}"
    lacking = rbac.may_grant(user, new.rules, new.metadata.namespace)
    return _refusal(user, lacking)


def _check_binding(
    new: RoleBinding | ClusterRoleBinding, old: Object | None, user: User, rbac: Rbac, authorizer: Authorizer
) -> str:
    if (
        isinstance(old, (RoleBinding, ClusterRoleBinding))
        and old.role_ref == new.role_ref
        and old.subjects == new.subjects
    ):
        return ""
    namespace, ref = new.metadata.namespace, new.role_ref
    attributes = Attributes(
        user=user,
        verb="bind",
        group=GROUP,
        version="v1",
        resource="roles" if ref.kind == "Role" else "clusterroles",
        namespace=namespace,
        name=ref.name,
    )
    if authorizer.authorize(attributes).allowed:
        return ""
    if namespace and ref.kind == "ClusterRole" and authorizer.authorize(replace(attributes, namespace="")).allowed:
        return ""
    rules = rbac.role_rules(ref, namespace)
    if rules is None:
        return f'{ref.kind.lower()}s.{GROUP} "{ref.name}" not found'
    return _refusal(user, rbac.may_grant(user, rules, namespace))


def _who(user: User) -> str:
    groups = ", ".join(f'"{g}"' for g in user.groups)
    return f'user "{user.name}" (groups=[{groups}])'


def _refusal(user: User, lacking: list[PolicyRule]) -> str:
    if not lacking:
        return ""
    return f"{_who(user)} is attempting to grant RBAC permissions not currently held:\n{describe(lacking)}"
