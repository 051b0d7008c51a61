"""The default roles: what well-known users may do, and how missing parts are restored."""

import msgspec
import pytest

from pybernetes.api.rbac.cluster_role import ClusterRole
from pybernetes.api.rbac.cluster_role_binding import ClusterRoleBinding
from pybernetes.api.rbac.rule import PolicyRule, RoleRef, Subject
from pybernetes.apiserver.auth.aggregation import aggregate
from pybernetes.apiserver.auth.default_roles import AUTOUPDATE, default_objects, reconcile
from pybernetes.apiserver.auth.rbac import Rbac
from pybernetes.apiserver.types import ANONYMOUS, Attributes, User

RBAC = Rbac(default_objects())
SCHEDULER = User("system:kube-scheduler")
MANAGER = User("system:kube-controller-manager")
PROXY = User("system:kube-proxy")
FLANNEL = User("flannel")
DEPLOYMENT = User("system:serviceaccount:kube-system:deployment-controller")
ANYBODY = User("joe", ("system:authenticated",))


def may(user: User, verb: str, what: str, namespace: str = "default", name: str = "") -> bool:
    if what.startswith("/"):
        return RBAC.authorize(Attributes(user=user, verb=verb, path=what, is_resource=False)).allowed
    resource, _, group = what.partition(".")
    resource, _, sub = resource.partition("/")
    asked = Attributes(
        user=user, verb=verb, group=group, resource=resource, subresource=sub, namespace=namespace, name=name
    )
    return RBAC.authorize(asked).allowed


@pytest.mark.parametrize(
    ("user", "verb", "what", "allowed"),
    [
        (User("root", ("system:masters",)), "anything", "what.ever", True),
        (User("root", ("system:masters",)), "get", "/any/path", True),
        (SCHEDULER, "watch", "pods", True),
        (SCHEDULER, "create", "pods/binding", True),
        (SCHEDULER, "patch", "pods/status", True),
        (SCHEDULER, "create", "events.events.k8s.io", True),
        (SCHEDULER, "create", "pods", False),
        (SCHEDULER, "get", "secrets", False),
        (MANAGER, "watch", "secrets", True),
        (MANAGER, "patch", "nodes", True),
        (MANAGER, "create", "pods", True),
        (MANAGER, "update", "endpointslices.discovery.k8s.io", True),
        (DEPLOYMENT, "create", "replicasets.apps", True),
        (DEPLOYMENT, "create", "pods", False),
        (PROXY, "watch", "endpointslices.discovery.k8s.io", True),
        (PROXY, "get", "secrets", False),
        (FLANNEL, "patch", "nodes/status", True),
        (FLANNEL, "list", "nodes", True),
        (FLANNEL, "delete", "nodes", False),
        (ANYBODY, "get", "/apis/apps/v1", True),
        (ANYBODY, "create", "selfsubjectaccessreviews.authorization.k8s.io", True),
        (ANYBODY, "list", "pods", False),
        (ANONYMOUS, "get", "/healthz", True),
        (ANONYMOUS, "get", "/version", True),
        (ANONYMOUS, "get", "/api", False),
        (ANONYMOUS, "list", "pods", False),
        (User("system:serviceaccount:a:b", ("system:serviceaccounts",)), "get", "/openid/v1/jwks", True),
        (User("system:node:n1", ("system:nodes",)), "get", "nodes", False),
    ],
)
def test_permissions_of_the_default_roles(user: User, verb: str, what: str, allowed: bool) -> None:
    assert may(user, verb, what) is allowed


def test_leader_election_leases() -> None:
    for user, name in ((SCHEDULER, "kube-scheduler"), (MANAGER, "kube-controller-manager")):
        assert may(user, "create", "leases.coordination.k8s.io", "kube-system")
        assert may(user, "update", "leases.coordination.k8s.io", "kube-system", name)
    assert not may(SCHEDULER, "update", "leases.coordination.k8s.io", "kube-system", "kube-controller-manager")


def roles() -> dict[str, ClusterRole]:
    return {o.metadata.name: o for o in default_objects() if isinstance(o, ClusterRole)}


def test_aggregated_roles_have_the_rules_of_their_parts() -> None:
    found = roles()
    for name in ("admin", "edit", "view"):
        assert found[name].rules == aggregate(found[name], found.values())
    admin, view = found["admin"].rules, found["view"].rules
    assert any("rolebindings" in r.resources for r in admin)
    assert not any("secrets" in r.resources or "rolebindings" in r.resources for r in view)
    assert all(set(r.verbs) <= {"get", "list", "watch"} for r in view)


def test_every_default_object_is_labelled_and_annotated() -> None:
    for obj in default_objects():
        assert obj.metadata.labels["kubernetes.io/bootstrapping"] == "rbac-defaults"
        assert obj.metadata.annotations[AUTOUPDATE] == "true"
        assert obj.api_version == "rbac.authorization.k8s.io/v1" and obj.kind


def test_a_new_cluster_gets_all_objects_and_a_complete_one_none() -> None:
    assert [c.obj for c in reconcile([])] == default_objects()
    assert reconcile(default_objects()) == []


def changed(name: str, kind: type, **changes: object) -> list[object]:
    objects = default_objects()
    at = next(n for n, o in enumerate(objects) if isinstance(o, kind) and o.metadata.name == name)
    objects[at] = msgspec.structs.replace(objects[at], **changes)
    return list(objects)


def test_missing_rules_are_restored_and_extra_ones_kept() -> None:
    extra = PolicyRule(verbs=["get"], api_groups=["x"], resources=["y"])
    objects = changed("system:kube-scheduler", ClusterRole, rules=[extra])
    (change,) = reconcile(objects)  # type: ignore[arg-type]
    assert change.exists and isinstance(change.obj, ClusterRole)
    assert change.obj.rules[0] == extra and len(change.obj.rules) > 10


def test_missing_subjects_are_restored_and_extra_ones_kept() -> None:
    extra = Subject(kind="User", name="joe")
    objects = changed("system:kube-dns", ClusterRoleBinding, subjects=[extra])
    (change,) = reconcile(objects)  # type: ignore[arg-type]
    assert isinstance(change.obj, ClusterRoleBinding) and not change.recreate
    assert [s.name for s in change.obj.subjects] == ["joe", "kube-dns"]


def test_a_binding_to_another_role_is_recreated() -> None:
    objects = changed("system:kube-dns", ClusterRoleBinding, role_ref=RoleRef(kind="ClusterRole", name="view"))
    (change,) = reconcile(objects)  # type: ignore[arg-type]
    assert change.recreate


def test_an_object_without_autoupdate_is_not_changed() -> None:
    objects = changed("view", ClusterRole, rules=[])
    role = next(o for o in objects if isinstance(o, ClusterRole) and o.metadata.name == "view")
    role.metadata.annotations = {AUTOUPDATE: "false"}
    assert reconcile(objects) == []  # type: ignore[arg-type]
