"""The Node authorizer: what a kubelet may read because of the pods on its node."""

import pytest

from pybernetes.api.core.container import Container, EnvFromSource, EnvVar, EnvVarSource, SecretEnvSource
from pybernetes.api.core.pod import Pod, PodSpec
from pybernetes.api.core.reference import LocalObjectReference
from pybernetes.api.core.selectors import ConfigMapKeySelector
from pybernetes.api.core.volume import (
    ConfigMapVolumeSource,
    PersistentVolumeClaimVolumeSource,
    ProjectedVolumeSource,
    SecretProjection,
    SecretVolumeSource,
    Volume,
    VolumeProjection,
)
from pybernetes.api.meta import ObjectMeta
from pybernetes.apiserver.auth.node import NodeAuthorizer
from pybernetes.apiserver.types import Attributes, User

NODE = User("system:node:n1", ("system:nodes",))
OTHER = User("system:node:n2", ("system:nodes",))


def pod(name: str = "web", node: str = "n1", **annotations: str) -> Pod:
    return Pod(
        metadata=ObjectMeta(name=name, namespace="default", annotations=annotations),
        spec=PodSpec(
            node_name=node,
            service_account_name="web",
            image_pull_secrets=[LocalObjectReference(name="pull")],
            containers=[
                Container(
                    name="c",
                    env=[
                        EnvVar(
                            name="X",
                            value_from=EnvVarSource(config_map_key_ref=ConfigMapKeySelector(name="env", key="k")),
                        )
                    ],
                    env_from=[EnvFromSource(secret_ref=SecretEnvSource(name="env-secret"))],
                )
            ],
            volumes=[
                Volume(name="a", secret=SecretVolumeSource(secret_name="tls")),
                Volume(name="b", config_map=ConfigMapVolumeSource(name="conf")),
                Volume(name="c", persistent_volume_claim=PersistentVolumeClaimVolumeSource(claim_name="data")),
                Volume(
                    name="d",
                    projected=ProjectedVolumeSource(sources=[VolumeProjection(secret=SecretProjection(name="proj"))]),
                ),
            ],
        ),
    )


def ask(user: User, verb: str, what: str, name: str = "", namespace: str = "default", fields: str = "") -> Attributes:
    resource, _, group = what.partition(".")
    resource, _, sub = resource.partition("/")
    return Attributes(
        user=user,
        verb=verb,
        group=group,
        resource=resource,
        subresource=sub,
        namespace=namespace,
        name=name,
        field_selector=fields,
    )


@pytest.mark.parametrize(
    ("verb", "what", "name", "allowed"),
    [
        ("get", "secrets", "tls", True),
        ("watch", "secrets", "pull", True),
        ("list", "secrets", "env-secret", True),
        ("get", "secrets", "proj", True),
        ("get", "secrets", "other", False),
        ("list", "secrets", "", False),
        ("update", "secrets", "tls", False),
        ("get", "configmaps", "conf", True),
        ("get", "configmaps", "env", True),
        ("get", "persistentvolumeclaims", "data", True),
        ("create", "serviceaccounts/token", "web", True),
        ("create", "serviceaccounts/token", "other", False),
        ("get", "pods", "web", True),
        ("get", "pods", "elsewhere", False),
        ("patch", "pods/status", "web", True),
        ("create", "events", "", True),
        ("watch", "services", "", True),
        ("list", "deployments.apps", "", False),
        ("watch", "runtimeclasses.node.k8s.io", "", True),
    ],
)
def test_a_node_reads_what_its_pods_refer_to(verb: str, what: str, name: str, allowed: bool) -> None:
    authorizer = NodeAuthorizer()
    authorizer.put(pod())
    assert authorizer.authorize(ask(NODE, verb, what, name)).allowed is allowed
    if what.partition("/")[0] in ("secrets", "configmaps", "serviceaccounts", "persistentvolumeclaims"):
        assert not authorizer.authorize(ask(OTHER, verb, what, name)).allowed


def test_the_graph_follows_pods() -> None:
    authorizer = NodeAuthorizer()
    asked = ask(NODE, "get", "secrets", "tls")
    authorizer.put(pod())
    authorizer.put(pod("second"))
    authorizer.remove(pod())
    assert authorizer.authorize(asked).allowed
    authorizer.put(pod("second", node="n2"))
    assert not authorizer.authorize(asked).allowed
    authorizer.remove(pod("second"))
    authorizer.remove(pod("second"))
    assert not authorizer._graph and not authorizer._pods


def test_unbound_and_mirror_pods_grant_no_access() -> None:
    authorizer = NodeAuthorizer()
    authorizer.put(pod(node=""))
    authorizer.put(pod("mirror", **{"kubernetes.io/config.mirror": "x"}))
    assert not authorizer.authorize(ask(NODE, "get", "secrets", "tls")).allowed
    assert authorizer.authorize(ask(NODE, "get", "pods", "mirror")).allowed


@pytest.mark.parametrize(
    ("verb", "what", "name", "fields", "allowed"),
    [
        ("get", "nodes", "n1", "", True),
        ("patch", "nodes/status", "n1", "", True),
        ("get", "nodes", "n2", "", False),
        ("patch", "nodes/status", "n2", "", False),
        ("list", "nodes", "", "", False),
        ("watch", "nodes", "", "metadata.name=n1", True),
        ("create", "nodes", "", "", True),
        ("list", "pods", "", "spec.nodeName=n1", True),
        ("watch", "pods", "", "spec.nodeName=n2", False),
        ("watch", "pods", "", "", False),
    ],
)
def test_nodes_and_lists(verb: str, what: str, name: str, fields: str, allowed: bool) -> None:
    asked = ask(NODE, verb, what, name, "", fields)
    assert NodeAuthorizer().authorize(asked).allowed is allowed


def test_leases() -> None:
    authorizer = NodeAuthorizer()
    lease = "leases.coordination.k8s.io"
    assert authorizer.authorize(ask(NODE, "update", lease, "n1", "kube-node-lease")).allowed
    assert authorizer.authorize(ask(NODE, "create", lease, "", "kube-node-lease")).allowed
    assert not authorizer.authorize(ask(NODE, "update", lease, "n2", "kube-node-lease")).allowed
    assert not authorizer.authorize(ask(NODE, "update", lease, "n1", "default")).allowed
    assert not authorizer.authorize(ask(NODE, "list", lease, "", "kube-node-lease")).allowed


def test_users_that_are_nodes() -> None:
    authorizer = NodeAuthorizer()
    authorizer.put(pod())
    for user in (User("system:node:n1"), User("n1", ("system:nodes",))):
        assert not authorizer.authorize(ask(user, "get", "secrets", "tls")).allowed
