"""Validation and defaults of roles and bindings, namespaced and cluster-scoped."""

from datetime import datetime
from typing import Protocol

from pybernetes.api import names, rules
from pybernetes.api.duration import age
from pybernetes.api.field import Errors, Path
from pybernetes.api.kind import Cell, Column
from pybernetes.api.meta import ObjectMeta
from pybernetes.api.meta_validation import IMMUTABLE
from pybernetes.api.rbac.rule import PolicyRule, RoleRef, Subject
from pybernetes.api.tables import AGE, NAME

GROUP = "rbac.authorization.k8s.io"


class Binding(Protocol):
    """A RoleBinding or ClusterRoleBinding."""

    metadata: ObjectMeta
    role_ref: RoleRef
    subjects: list[Subject]


def validate_rules(policy: list[PolicyRule], *, namespaced: bool, errors: Errors) -> None:
    """Each rule covers resources or URL paths, never both."""
    for index, rule in enumerate(policy):
        path = Path("rules") @ index
        if not rule.verbs:
            errors.last.required(path / "verbs")
        if rule.non_resource_urls:
            place = path / "nonResourceURLs"
            if namespaced:
                text = "namespaced rules cannot apply to non-resource URLs"
                errors.invalid(place, rule.non_resource_urls, text)
            if rule.api_groups or rule.resources or rule.resource_names:
                text = "rules cannot apply to both regular resources and non-resource URLs"
                errors.invalid(place, rule.non_resource_urls, text)
            continue
        if not rule.api_groups:
            errors.required(path / "apiGroups", "resource rules must supply at least one api group")
        if not rule.resources:
            errors.required(path / "resources", "resource rules must supply at least one resource")


def default_binding(obj: Binding) -> None:
    """The API group of roles, users and groups is that of RBAC by default."""
    obj.role_ref.api_group = obj.role_ref.api_group or GROUP
    for subject in obj.subjects:
        if subject.kind in ("User", "Group"):
            subject.api_group = subject.api_group or GROUP


def validate_binding(ref: RoleRef, subjects: list[Subject], kinds: tuple[str, ...], errors: Errors) -> None:
    """The role reference (one of `kinds`) and the subjects."""
    path = Path("roleRef")
    if ref.api_group != GROUP:
        errors.not_supported(path / "apiGroup", ref.api_group, [GROUP])
    if ref.kind not in kinds:
        errors.not_supported(path / "kind", ref.kind, list(kinds))
    rules.named(ref.name, names.path_segment, path / "name", errors)
    for index, subject in enumerate(subjects):
        _subject(subject, "Role" in kinds, Path("subjects") @ index, errors)


def _subject(subject: Subject, namespaced: bool, path: Path, errors: Errors) -> None:
    if not subject.name:
        errors.last.required(path / "name")
    if subject.kind == "ServiceAccount":
        if subject.name:
            rules.follows(subject.name, names.dns_subdomain, path / "name", errors)
        if subject.api_group:
            errors.not_supported(path / "apiGroup", subject.api_group, [""])
        # In a RoleBinding an absent namespace is that of the binding.
        if not namespaced and not subject.namespace:
            errors.required(path / "namespace")
    elif subject.kind in ("User", "Group"):
        if subject.api_group != GROUP:
            errors.not_supported(path / "apiGroup", subject.api_group, [GROUP])
    else:
        errors.not_supported(path / "kind", subject.kind, ["ServiceAccount", "User", "Group"])


def validate_binding_update(new: Binding, old: Binding, errors: Errors) -> None:
    """The role cannot change: a user who may bind one role need not be allowed to bind another."""
    if new.role_ref != old.role_ref:
        shown = {"APIGroup": new.role_ref.api_group, "Kind": new.role_ref.kind, "Name": new.role_ref.name}
        errors.last.invalid(Path("roleRef"), shown, IMMUTABLE)


BINDING_COLUMNS = (
    NAME,
    Column("Role", description="The role that is bound."),
    AGE,
    Column("Users", priority=1, description="Users it is bound to."),
    Column("Groups", priority=1, description="Groups it is bound to."),
    Column("ServiceAccounts", priority=1, description="Service accounts it is bound to."),
)


def binding_row(obj: Binding, now: datetime) -> list[Cell]:
    by_kind: dict[str, list[str]] = {"User": [], "Group": [], "ServiceAccount": []}
    for subject in obj.subjects:
        prefix = f"{subject.namespace}/" if subject.kind == "ServiceAccount" else ""
        by_kind.get(subject.kind, []).append(prefix + subject.name)
    return [
        obj.metadata.name,
        f"{obj.role_ref.kind}/{obj.role_ref.name}",
        age(obj.metadata.creation_timestamp, now),
        *(", ".join(found) for found in by_kind.values()),
    ]
