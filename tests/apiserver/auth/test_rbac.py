"""RBAC as a table of decisions, and changes of roles and bindings."""

from typing import Any

import pytest

from pybernetes.api.meta import LabelSelector, Object, ObjectMeta
from pybernetes.api.rbac.cluster_role import AggregationRule, ClusterRole
from pybernetes.api.rbac.cluster_role_binding import ClusterRoleBinding
from pybernetes.api.rbac.role import Role
from pybernetes.api.rbac.role_binding import RoleBinding
from pybernetes.api.rbac.rule import PolicyRule, RoleRef, Subject
from pybernetes.apiserver.auth.aggregation import aggregate
from pybernetes.apiserver.auth.escalation import check_write
from pybernetes.apiserver.auth.messages import forbidden_message
from pybernetes.apiserver.auth.rbac import Rbac
from pybernetes.apiserver.auth.rules import missing, url_matches
from pybernetes.apiserver.auth.union import AuthorizerUnion, MastersAuthorizer
from pybernetes.apiserver.types import Attributes, User

JANE = User("jane", ("dev", "system:authenticated"))
BOT = User("system:serviceaccount:apps:bot", ("system:serviceaccounts",))


def rule(verbs: str, groups: str, resources: str, *names: str) -> PolicyRule:
    listed = ["" if g == "core" else g for g in groups.split()]
    return PolicyRule(verbs=verbs.split(), api_groups=listed, resources=resources.split(), resource_names=list(names))


def paths(*urls: str) -> PolicyRule:
    return PolicyRule(verbs=["get"], non_resource_urls=list(urls))


def role(name: str, *rules: PolicyRule, namespace: str = "", **labels: str) -> Role | ClusterRole:
    meta = ObjectMeta(name=name, namespace=namespace, labels=labels)
    return Role(metadata=meta, rules=list(rules)) if namespace else ClusterRole(metadata=meta, rules=list(rules))


def binding(name: str, ref: str, *subjects: str, namespace: str = "") -> RoleBinding | ClusterRoleBinding:
    """`ref` is `Role name` or `ClusterRole name`; subjects are `Kind [namespace/]name`."""
    kind, target = ref.split()
    listed = []
    for subject in subjects:
        sort, _, who = subject.partition(" ")
        where, _, last = who.rpartition("/") if sort == "ServiceAccount" else ("", "", who)
        listed.append(Subject(kind=sort, name=last, namespace=where))
    meta, role_ref = ObjectMeta(name=name, namespace=namespace), RoleRef(kind=kind, name=target)
    if namespace:
        return RoleBinding(metadata=meta, role_ref=role_ref, subjects=listed)
    return ClusterRoleBinding(metadata=meta, role_ref=role_ref, subjects=listed)


OBJECTS: list[Object] = [
    role("reader", rule("get list", "core", "pods"), rule("get", "core", "pods/log")),
    role("scaler", rule("update", "*", "*/scale")),
    role("one", rule("get", "core", "secrets", "tls")),
    role("web", PolicyRule(verbs=["get"], non_resource_urls=["/metrics", "/logs/*"])),
    role("local", rule("*", "apps", "*"), namespace="dev"),
    binding("readers", "ClusterRole reader", "Group dev"),
    binding("scale", "ClusterRole scaler", "User jane", namespace="dev"),
    binding("one", "ClusterRole one", "User jane", namespace="dev"),
    binding("web", "ClusterRole web", "Group dev"),
    binding("local", "Role local", "ServiceAccount bot", "ServiceAccount apps/bot", namespace="dev"),
    binding("lost", "Role missing", "User lost", namespace="dev"),
    binding("cluster-to-role", "Role reader", "User odd"),
]


def ask(user: User, verb: str, what: str, namespace: str = "", name: str = "") -> Attributes:
    if what.startswith("/"):
        return Attributes(user=user, verb=verb, path=what, is_resource=False)
    resource, _, group = what.partition(".")
    resource, _, sub = resource.partition("/")
    return Attributes(
        user=user, verb=verb, group=group, resource=resource, subresource=sub, namespace=namespace, name=name
    )


TABLE: list[tuple[User, str, str, str, str, bool]] = [
    (JANE, "list", "pods", "dev", "", True),
    (JANE, "list", "pods", "", "", True),
    (JANE, "watch", "pods", "dev", "", False),
    (JANE, "get", "pods/log", "dev", "x", True),
    (JANE, "get", "pods/exec", "dev", "x", False),
    (JANE, "list", "pods.apps", "dev", "", False),
    (JANE, "update", "deployments/scale.apps", "dev", "x", True),
    (JANE, "update", "deployments/scale.apps", "prod", "x", False),
    (JANE, "update", "deployments.apps", "dev", "x", False),
    (JANE, "get", "secrets", "dev", "tls", True),
    (JANE, "get", "secrets", "dev", "other", False),
    (JANE, "list", "secrets", "dev", "", False),
    (JANE, "get", "/metrics", "", "", True),
    (JANE, "get", "/logs/a/b", "", "", True),
    (JANE, "post", "/metrics", "", "", False),
    (JANE, "get", "/metrics/x", "", "", False),
    (BOT, "delete", "deployments.apps", "dev", "x", True),
    (BOT, "delete", "deployments/status.apps", "dev", "x", True),
    (BOT, "delete", "deployments.apps", "apps", "x", False),
    (BOT, "delete", "pods", "dev", "x", False),
    (User("system:serviceaccount:dev:bot"), "get", "deployments.apps", "dev", "x", True),
    (User("odd"), "list", "pods", "", "", False),
    (User("unbound"), "list", "pods", "dev", "", False),
]


@pytest.mark.parametrize(("user", "verb", "what", "namespace", "name", "allowed"), TABLE)
def test_decisions(user: User, verb: str, what: str, namespace: str, name: str, allowed: bool) -> None:
    rbac = Rbac(OBJECTS)
    for _ in range(2):
        assert rbac.authorize(ask(user, verb, what, namespace, name)).allowed is allowed


def test_reasons() -> None:
    rbac = Rbac(OBJECTS)
    allowed = rbac.authorize(ask(JANE, "list", "pods")).reason
    assert allowed == 'RBAC: allowed by ClusterRoleBinding "readers" of ClusterRole "reader" to Group "dev"'
    allowed = rbac.authorize(ask(BOT, "get", "deployments.apps", "dev")).reason
    assert allowed == 'RBAC: allowed by RoleBinding "local/dev" of Role "local" to ServiceAccount "bot/apps"'
    refused = rbac.authorize(ask(User("lost"), "list", "pods", "dev"))
    assert not refused.allowed and refused.reason == 'RBAC: role.rbac.authorization.k8s.io "missing" not found'


def test_changes_take_effect_at_once() -> None:
    rbac = Rbac(OBJECTS)
    asked = ask(JANE, "list", "pods", "dev")
    readers = binding("readers", "ClusterRole reader", "Group ops")
    rbac.put(readers)
    assert not rbac.authorize(asked).allowed
    rbac.put(binding("readers", "ClusterRole reader", "Group dev"))
    assert rbac.authorize(asked).allowed
    rbac.remove(role("reader"))
    assert not rbac.authorize(asked).allowed
    rbac.put(role("reader", rule("list", "core", "pods")))
    assert rbac.authorize(asked).allowed
    rbac.remove(readers)
    assert not rbac.authorize(asked).allowed
    for obj in OBJECTS:
        rbac.remove(obj)
    assert not rbac._index and not rbac._bindings


def test_role_bindings_stay_in_their_namespace_for_the_same_name() -> None:
    rbac = Rbac([role("r", rule("get", "core", "pods"))])
    rbac.put(binding("b", "ClusterRole r", "User jane", namespace="a"))
    rbac.put(binding("b", "ClusterRole r", "User jane", namespace="b"))
    rbac.remove(binding("b", "ClusterRole r", "User jane", namespace="a"))
    assert not rbac.authorize(ask(JANE, "get", "pods", "a")).allowed
    assert rbac.authorize(ask(JANE, "get", "pods", "b")).allowed


def test_masters_and_the_union() -> None:
    union = AuthorizerUnion([MastersAuthorizer(), Rbac(OBJECTS)])
    assert union.authorize(ask(User("root", ("system:masters",)), "delete", "nodes")).allowed
    assert union.authorize(ask(JANE, "list", "pods")).allowed
    assert not union.authorize(ask(JANE, "delete", "nodes")).allowed


@pytest.mark.parametrize(
    ("asked", "text"),
    [
        (
            ask(User("x"), "list", "pods", "default"),
            'pods is forbidden: User "x" cannot list resource "pods" in API group "" in the namespace "default"',
        ),
        (
            ask(User("x"), "get", "deployments/scale.apps", "default", "web"),
            'deployments.apps "web" is forbidden: User "x" cannot get resource "deployments/scale" in API group '
            '"apps" in the namespace "default"',
        ),
        (
            ask(User("x"), "list", "nodes"),
            'nodes is forbidden: User "x" cannot list resource "nodes" in API group "" at the cluster scope',
        ),
        (ask(User("x"), "get", "/metrics"), 'forbidden: User "x" cannot get path "/metrics"'),
    ],
)
def test_messages_of_forbidden(asked: Attributes, text: str) -> None:
    assert forbidden_message(asked) == text
    assert forbidden_message(asked, "because") == f"{text}: because"


@pytest.mark.parametrize(
    ("held", "wanted", "lacking"),
    [
        ([rule("*", "*", "*")], [rule("get", "apps", "deployments")], 0),
        ([rule("get", "core", "pods"), rule("list", "core", "pods")], [rule("get list", "core", "pods")], 0),
        ([rule("get", "core", "pods")], [rule("get list", "core", "pods secrets")], 3),
        ([rule("get", "core", "*")], [rule("get", "core", "pods/log")], 0),
        ([rule("get", "core", "pods")], [rule("get", "core", "pods/log")], 1),
        ([rule("update", "*", "*/scale")], [rule("update", "apps", "deployments/scale")], 0),
        ([rule("get", "core", "pods", "a", "b")], [rule("get", "core", "pods", "a")], 0),
        ([rule("get", "core", "pods", "a")], [rule("get", "core", "pods")], 1),
        ([rule("get", "core", "pods")], [rule("*", "core", "pods")], 1),
        ([rule("get", "core", "pods")], [rule("get", "core", "*")], 1),
        ([paths("/a/*")], [paths("/a/b")], 0),
        ([rule("*", "*", "*")], [paths("/a")], 1),
        ([], [], 0),
    ],
)  # fmt: skip
def test_rules_that_cover_others(held: list[PolicyRule], wanted: list[PolicyRule], lacking: int) -> None:
    assert len(missing(held, wanted)) == lacking


def test_urls() -> None:
    assert url_matches("*", "/x") and url_matches("/api/*", "/api/v1") and not url_matches("/api/*", "/api")


def granting() -> list[Object]:
    allowed: list[Object] = [
        role("granter", rule("get list", "core", "pods"), rule("create update", "rbac.authorization.k8s.io", "*")),
        role("binder", rule("bind", "rbac.authorization.k8s.io", "clusterroles", "powerful")),
        role("powerful", rule("*", "core", "secrets")),
        binding("granter", "ClusterRole granter", "User jane"),
        binding("binder", "ClusterRole binder", "User binder"),
    ]
    return allowed


def check(new: Object, old: Object | None = None, user: User = JANE) -> str:
    rbac = Rbac(granting())
    return check_write(new, old, user, rbac=rbac, authorizer=rbac)


def test_users_can_not_grant_permissions_that_they_lack() -> None:
    small = role("new", rule("get", "core", "pods"))
    big = role("new", rule("get list", "core", "secrets"))
    assert check(small) == ""
    assert check(big) == (
        'user "jane" (groups=["dev", "system:authenticated"]) is attempting to grant RBAC permissions not currently '
        'held:\n{APIGroups:[""], Resources:["secrets"], Verbs:["get", "list"]}'
    )
    assert check(big, old=big) == "", "a write that changes no rules grants nothing"
    assert "secrets" in check(big, old=small)
    assert check(big, user=User("root", ("system:masters",))) == ""
    aggregated = ClusterRole(metadata=ObjectMeta(name="a"), aggregation_rule=AggregationRule())
    assert "cluster-admin" in check(aggregated)


def test_users_can_not_bind_permissions_that_they_lack() -> None:
    powerful = binding("new", "ClusterRole powerful", "User jane")
    assert "secrets" in check(powerful)
    assert check(powerful, user=User("binder")) == ""
    assert check(binding("n", "ClusterRole powerful", "User jane", namespace="dev"), user=User("binder")) == ""
    assert "secrets" in check(binding("n", "ClusterRole powerful", "User jane", namespace="dev"))
    assert check(binding("new", "ClusterRole granter", "User joe")) == ""
    assert check(powerful, old=powerful) == ""
    assert check(binding("new", "ClusterRole gone", "User joe")).endswith('"gone" not found')


def test_aggregation() -> None:
    target = ClusterRole(
        metadata=ObjectMeta(name="t"),
        aggregation_rule=AggregationRule(cluster_role_selectors=[LabelSelector(match_labels={"to": "t"})]),
        rules=[rule("get", "core", "old")],
    )
    parts: list[Any] = [
        role("b", rule("get", "core", "b"), rule("get", "core", "a"), to="t"),
        role("a", rule("get", "core", "a"), to="t"),
        role("c", rule("get", "core", "c"), to="other"),
        role("t", rule("get", "core", "old"), to="t"),
    ]
    assert aggregate(target, parts) == [rule("get", "core", "a"), rule("get", "core", "b")]
    plain = role("x", rule("get", "core", "x"))
    assert isinstance(plain, ClusterRole) and aggregate(plain, parts) == plain.rules
