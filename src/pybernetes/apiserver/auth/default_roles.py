"""The default roles and bindings of a cluster, and how the server reconciles them when it starts.

This makes objects from the tables in `role_tables`. Missing rules are restored, rules that an administrator has added
stay, and objects annotated `autoupdate: "false"` are not changed.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import msgspec

from pybernetes.api.meta import LabelSelector, Object, ObjectMeta
from pybernetes.api.rbac.cluster_role import AggregationRule, ClusterRole
from pybernetes.api.rbac.cluster_role_binding import ClusterRoleBinding
from pybernetes.api.rbac.role import Role
from pybernetes.api.rbac.role_binding import RoleBinding
from pybernetes.api.rbac.rule import PolicyRule, RoleRef, Subject
from pybernetes.apiserver.auth.aggregation import aggregate
from pybernetes.apiserver.auth.rbac import GROUP
from pybernetes.apiserver.auth.role_tables import (
    AGGREGATED,
    BINDINGS,
    CLUSTER_ROLES,
    CONTROLLERS,
    LEADER_NAMES,
    SYSTEM_ROLES,
    Rule,
    Rules,
)
from pybernetes.apiserver.auth.rules import missing

AUTOUPDATE = "rbac.authorization.kubernetes.io/autoupdate"
BOOTSTRAPPING = {"kubernetes.io/bootstrapping": "rbac-defaults"}
AGGREGATE_TO = "rbac.authorization.k8s.io/aggregate-to-"
API_VERSION = f"{GROUP}/v1"


def _meta(name: str, namespace: str = "", labels: dict[str, str] | None = None) -> ObjectMeta:
    return ObjectMeta(
        name=name,
        namespace=namespace,
        labels={**BOOTSTRAPPING, **(labels or {})},
        annotations={AUTOUPDATE: "true"},
    )


def _rule(line: Rule) -> PolicyRule:
    verbs, groups, resources = line
    if groups == "/":
        return PolicyRule(verbs=sorted(verbs.split()), non_resource_urls=resources.split())
    plain, _, names = resources.partition("@")
    return PolicyRule(
        verbs=sorted(verbs.split()),
        api_groups=["" if g == "core" else g for g in groups.split()],
        resources=sorted(plain.split()),
        resource_names=names.split(",") if names else [],
    )


def _rules(lines: Rules) -> list[PolicyRule]:
    return [_rule(line) for line in lines]


def node_rules() -> list[PolicyRule]:
    """What every node may do. The Node authorizer restricts this to the node's own objects."""
    return _rules(CLUSTER_ROLES["system:node"])


def _cluster_role(name: str, rules: list[PolicyRule], labels: dict[str, str] | None = None) -> ClusterRole:
    return ClusterRole(API_VERSION, "ClusterRole", _meta(name, labels=labels), rules=rules)


def cluster_roles() -> list[ClusterRole]:
    """All default cluster roles, with the rules of the aggregated ones."""
    roles = [_cluster_role(name, _rules(lines)) for name, lines in CLUSTER_ROLES.items()]
    roles += [_cluster_role(f"system:controller:{name}", _rules(lines)) for name, lines in CONTROLLERS.items()]
    parts = [
        _cluster_role(f"system:aggregate-to-{name}", _rules(lines), {f"{AGGREGATE_TO}{name}": "true"})
        for name, lines in AGGREGATED.items()
    ]
    # The same labels make view a part of edit, and edit a part of admin.
    whole: list[ClusterRole] = []
    for name, above in (("view", "edit"), ("edit", "admin"), ("admin", "")):
        role = _cluster_role(name, [], {f"{AGGREGATE_TO}{above}": "true"} if above else None)
        selector = LabelSelector(match_labels={f"{AGGREGATE_TO}{name}": "true"})
        role.aggregation_rule = AggregationRule(cluster_role_selectors=[selector])
        role.rules = aggregate(role, [*parts, *whole])
        whole.append(role)
    return [*roles, *parts, *whole]


def _subject(text: str, namespace: str = "") -> Subject:
    kind, name = text.split(" ", 1)
    if kind == "ServiceAccount":
        where, _, name = name.partition("/")
        return Subject(kind=kind, name=name, namespace=where)
    return Subject(kind=kind, name=name, api_group=GROUP)


def _cluster_binding(role: str, subjects: Iterable[str]) -> ClusterRoleBinding:
    return ClusterRoleBinding(
        API_VERSION,
        "ClusterRoleBinding",
        _meta(role),
        role_ref=RoleRef(api_group=GROUP, kind="ClusterRole", name=role),
        subjects=[_subject(s) for s in subjects],
    )


def cluster_role_bindings() -> list[ClusterRoleBinding]:
    """All default cluster role bindings.

    Controllers run as their own service accounts, or all as kube-controller-manager: the bindings have both subjects.
    """
    bindings = [_cluster_binding(role, subjects) for role, subjects in BINDINGS.items()]
    for name in CONTROLLERS:
        subjects = (f"ServiceAccount kube-system/{name}", "User system:kube-controller-manager")
        bindings.append(_cluster_binding(f"system:controller:{name}", subjects))
    return bindings


def roles() -> list[Role]:
    """The default roles, all in kube-system."""
    return [
        Role(API_VERSION, "Role", _meta(name, "kube-system"), rules=_rules(lines))
        for name, lines in SYSTEM_ROLES.items()
    ]


def role_bindings() -> list[RoleBinding]:
    """The default role bindings, all in kube-system."""
    return [
        RoleBinding(
            API_VERSION,
            "RoleBinding",
            _meta(f"system::leader-locking-{name}", "kube-system"),
            role_ref=RoleRef(api_group=GROUP, kind="Role", name=f"system::leader-locking-{name}"),
            subjects=[
                _subject(f"User system:{name}"),
                _subject(f"ServiceAccount kube-system/{name}"),
            ],
        )
        for name in LEADER_NAMES
    ]


def default_objects() -> list[Object]:
    """All default objects, roles before the bindings that refer to them."""
    return [*cluster_roles(), *roles(), *cluster_role_bindings(), *role_bindings()]


@dataclass(frozen=True, slots=True)
class Change:
    """An object to write. `recreate`: the old one must be deleted first, since a binding can't change its role."""

    obj: Object
    exists: bool = False
    recreate: bool = False


def reconcile(existing: Iterable[Object]) -> list[Change]:
    """The changes after which every default object has at least its default rules and subjects."""
    found = {(type(o), o.metadata.namespace, o.metadata.name): o for o in existing}
    changes = []
    for wanted in default_objects():
        old = found.get((type(wanted), wanted.metadata.namespace, wanted.metadata.name))
        change = Change(wanted) if old is None else _completed(old, wanted)
        if change is not None:
            changes.append(change)
    return changes


def _completed(old: Object, wanted: Object) -> Change | None:
    """The change that completes an existing object, if one is needed and allowed."""
    if old.metadata.annotations.get(AUTOUPDATE) == "false":
        return None
    if isinstance(old, (ClusterRoleBinding, RoleBinding)) and isinstance(wanted, type(old)):
        if old.role_ref != wanted.role_ref:
            return Change(wanted, exists=True, recreate=True)
        lacking = [s for s in wanted.subjects if s not in old.subjects]
        new: Object = msgspec.structs.replace(old, subjects=[*old.subjects, *lacking])
    elif isinstance(old, (ClusterRole, Role)) and isinstance(wanted, type(old)):
        new = msgspec.structs.replace(old, rules=_with_missing(old.rules, wanted.rules))
        if isinstance(new, ClusterRole) and isinstance(wanted, ClusterRole):
            new.aggregation_rule = wanted.aggregation_rule
    else:
        return None
    new.metadata = msgspec.structs.replace(
        old.metadata,
        labels={**old.metadata.labels, **wanted.metadata.labels},
        annotations={**old.metadata.annotations, AUTOUPDATE: "true"},
    )
    return Change(new, exists=True) if new != old else None


def _with_missing(held: list[PolicyRule], wanted: list[PolicyRule]) -> list[PolicyRule]:
    """The present rules, and the default ones that they do not cover."""
    return [*held, *(rule for rule in wanted if missing(held, [rule]))]
