"""RBAC in memory: roles and bindings indexed by subject, kept current through `put` and `remove`.

A request costs one look-up per name and group of its user. Decisions are cached until a role or binding changes.
Nothing here does I/O.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from pybernetes.api.meta import Object
from pybernetes.api.rbac.cluster_role import ClusterRole
from pybernetes.api.rbac.cluster_role_binding import ClusterRoleBinding
from pybernetes.api.rbac.role import Role
from pybernetes.api.rbac.role_binding import RoleBinding
from pybernetes.api.rbac.rule import PolicyRule, RoleRef, Subject
from pybernetes.apiserver.auth.rules import CompiledRule, compile_rule, missing
from pybernetes.apiserver.types import Attributes, Decision, User

GROUP = "rbac.authorization.k8s.io"
REMEMBERED = 16_384

Name = tuple[str, str]
"""("User" or "Group", its name); a service account is indexed by its user name"""
Place = tuple[str, str]
"""(namespace or "", name)"""


@dataclass(frozen=True, slots=True)
class _Bound:
    """One subject of one binding."""

    binding: Place
    role: RoleRef
    subject: Subject

    def reason(self) -> str:
        namespace, name = self.binding
        kind, shown = ("RoleBinding", f"{name}/{namespace}") if namespace else ("ClusterRoleBinding", name)
        return f'RBAC: allowed by {kind} "{shown}" of {self.role.kind} "{self.role.name}" to {_shown(self.subject)}'


def _shown(subject: Subject) -> str:
    name = f"{subject.name}/{subject.namespace}" if subject.kind == "ServiceAccount" else subject.name
    return f'{subject.kind} "{name}"'


def _name_of(subject: Subject, namespace: str) -> Name:
    if subject.kind == "ServiceAccount":
        return "User", f"system:serviceaccount:{subject.namespace or namespace}:{subject.name}"
    return subject.kind, subject.name


class Rbac:
    """An authorizer that follows Roles, ClusterRoles, RoleBindings and ClusterRoleBindings."""

    def __init__(self, objects: Iterable[Object] = ()) -> None:
        self._roles: dict[Place, list[CompiledRule]] = {}
        self._bindings: dict[Place, Object] = {}
        self._index: dict[str, dict[Name, dict[Place, _Bound]]] = {}
        """namespace ("" for the whole cluster) -> subject -> binding"""
        self._answers: dict[tuple[object, ...], Decision] = {}
        for obj in objects:
            self.put(obj)

    def reset(self, objects: Iterable[Object]) -> None:
        """Forget everything, and take in these objects."""
        self._roles.clear()
        self._bindings.clear()
        self._index.clear()
        self._answers.clear()
        for obj in objects:
            self.put(obj)

    def put(self, obj: Object) -> None:
        """Take in a new or changed role or binding; other kinds are ignored."""
        place = obj.metadata.namespace, obj.metadata.name
        if isinstance(obj, (Role, ClusterRole)):
            self._roles[place] = [compile_rule(rule) for rule in obj.rules]
        elif isinstance(obj, (RoleBinding, ClusterRoleBinding)):
            self._unbind(place)
            self._bind(place, obj)
        self._answers.clear()

    def remove(self, obj: Object) -> None:
        """Forget a deleted role or binding."""
        place = obj.metadata.namespace, obj.metadata.name
        if isinstance(obj, (Role, ClusterRole)):
            self._roles.pop(place, None)
        elif isinstance(obj, (RoleBinding, ClusterRoleBinding)):
            self._unbind(place)
        self._answers.clear()

    def _bind(self, place: Place, binding: RoleBinding | ClusterRoleBinding) -> None:
        self._bindings[place] = binding
        subjects = self._index.setdefault(place[0], {})
        for subject in binding.subjects:
            bound = _Bound(place, binding.role_ref, subject)
            subjects.setdefault(_name_of(subject, place[0]), {}).setdefault(place, bound)

    def _unbind(self, place: Place) -> None:
        old = self._bindings.pop(place, None)
        if not isinstance(old, (RoleBinding, ClusterRoleBinding)):
            return
        subjects = self._index[place[0]]
        for subject in old.subjects:
            name = _name_of(subject, place[0])
            subjects.get(name, {}).pop(place, None)
            if name in subjects and not subjects[name]:
                del subjects[name]
        if not subjects:
            del self._index[place[0]]

    def _bound(self, user: User, namespace: str) -> Iterator[_Bound]:
        """Every binding that applies to a user in a namespace, cluster-wide ones first."""
        names: list[Name] = [("User", user.name), *(("Group", group) for group in user.groups)]
        for where in ("", namespace) if namespace else ("",):
            subjects = self._index.get(where)
            if subjects:
                for name in names:
                    yield from subjects.get(name, {}).values()

    def role_rules(self, ref: RoleRef, namespace: str) -> list[PolicyRule] | None:
        """The rules of the role that a binding in `namespace` refers to; None if the role does not exist."""
        found = self._compiled(ref, namespace)
        return None if found is None else [c.rule for c in found]

    def _compiled(self, ref: RoleRef, namespace: str) -> list[CompiledRule] | None:
        if ref.kind == "Role":
            return self._roles.get((namespace, ref.name)) if namespace else None
        return self._roles.get(("", ref.name)) if ref.kind == "ClusterRole" else None

    def authorize(self, attributes: Attributes) -> Decision:
        """Allow what any rule allows. RBAC never denies."""
        user = attributes.user
        key = (
            user.name, user.groups, attributes.verb, attributes.group, attributes.resource, attributes.subresource,
            attributes.namespace, attributes.name, attributes.is_resource, attributes.path,
        )  # fmt: skip
        answer = self._answers.get(key)
        if answer is None:
            if len(self._answers) >= REMEMBERED:
                self._answers.clear()
            answer = self._answers[key] = self._decide(attributes)
        return answer

    def _decide(self, attributes: Attributes) -> Decision:
        problems = []
        for bound in self._bound(attributes.user, attributes.namespace if attributes.is_resource else ""):
            rules = self._compiled(bound.role, bound.binding[0])
            if rules is None:
                problems.append(_no_role(bound.role))
            elif any(rule.allows(attributes) for rule in rules):
                return Decision(True, bound.reason())
        return Decision(False, f"RBAC: {_listed(problems)}" if problems else "")

    def rules_for(self, user: User, namespace: str) -> tuple[list[PolicyRule], list[str]]:
        """All rules that a user has in a namespace, and the errors in resolving them."""
        rules: list[PolicyRule] = []
        problems = []
        for bound in self._bound(user, namespace):
            found = self._compiled(bound.role, bound.binding[0])
            if found is None:
                problems.append(_no_role(bound.role))
            else:
                rules += [c.rule for c in found]
        return rules, list(dict.fromkeys(problems))

    def may_grant(self, user: User, rules: Iterable[PolicyRule], namespace: str) -> list[PolicyRule]:
        """The parts of `rules` that the user does not have in the namespace; empty if the user may grant them."""
        return missing(self.rules_for(user, namespace)[0], rules)


def _no_role(ref: RoleRef) -> str:
    return f'{ref.kind.lower()}.{GROUP} "{ref.name}" not found'


def _listed(problems: Iterable[str]) -> str:
    unique = list(dict.fromkeys(problems))
    return unique[0] if len(unique) == 1 else f"[{', '.join(unique)}]"
