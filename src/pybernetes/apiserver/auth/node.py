"""The Node authorizer: a kubelet may read its own node, the pods on it, and what those pods refer to, nothing else.

It keeps a graph from nodes to Secrets, ConfigMaps, claims and service accounts, updated by changes of pods. A request
is one look-up in it. The user is `system:node:<name>` in the group `system:nodes`.
"""

from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any

from pybernetes.api.core.container import Container, EphemeralContainer
from pybernetes.api.core.pod import Pod, PodSpec
from pybernetes.api.core.volume import Volume
from pybernetes.apiserver.auth.default_roles import node_rules
from pybernetes.apiserver.auth.rules import compile_rule
from pybernetes.apiserver.types import Attributes, Decision, User

NODE_PREFIX = "system:node:"
NODES_GROUP = "system:nodes"
LEASE_NAMESPACE = "kube-node-lease"
MIRROR = "kubernetes.io/config.mirror"

Ref = tuple[str, str, str]
"""(resource, namespace, name)"""

NODE_READ = frozenset({"get", "list", "watch"})
#: Resources that a node may read only if one of its pods refers to them.
GRAPH_VERBS: dict[tuple[str, str, str], frozenset[str]] = {
    ("", "secrets", ""): NODE_READ,
    ("", "configmaps", ""): NODE_READ,
    ("", "persistentvolumeclaims", ""): frozenset({"get"}),
    ("", "persistentvolumeclaims", "status"): frozenset({"get", "update", "patch"}),
    ("", "persistentvolumes", ""): frozenset({"get"}),
    ("", "serviceaccounts", "token"): frozenset({"create"}),
    ("", "serviceaccounts", ""): frozenset({"get"}),
    ("resource.k8s.io", "resourceclaims", ""): frozenset({"get"}),
}
OWN_LEASE_VERBS = frozenset({"get", "create", "update", "patch", "delete"})


def node_name(user: User) -> str:
    """The name of the node if the user is one, else ""."""
    if NODES_GROUP in user.groups and user.name.startswith(NODE_PREFIX):
        return user.name.removeprefix(NODE_PREFIX)
    return ""


class NodeAuthorizer:
    """Follows pods through `put` and `remove`. Has no opinion about users that are not nodes."""

    def __init__(self) -> None:
        self._pods: dict[tuple[str, str], tuple[str, list[Ref]]] = {}
        self._graph: dict[str, Counter[Ref]] = {}
        self._static = [compile_rule(rule) for rule in node_rules()]

    def reset(self, pods: Iterable[Pod]) -> None:
        """Forget everything, and take in these pods."""
        self._pods.clear()
        self._graph.clear()
        for pod in pods:
            self.put(pod)

    def put(self, pod: Pod) -> None:
        """A pod was created or changed. Mirror pods grant no access: a node creates them itself."""
        self.remove(pod)
        node = pod.spec.node_name
        if not node:
            return
        refs: list[Ref] = [("pods", pod.metadata.namespace, pod.metadata.name)]
        if MIRROR not in pod.metadata.annotations:
            refs += set(references(pod.spec, pod.metadata.namespace, pod.metadata.name))
        self._pods[pod.metadata.namespace, pod.metadata.name] = node, refs
        self._graph.setdefault(node, Counter()).update(refs)

    def remove(self, pod: Pod) -> None:
        """A pod was deleted."""
        node, refs = self._pods.pop((pod.metadata.namespace, pod.metadata.name), ("", []))
        graph = self._graph.get(node)
        if graph is None:
            return
        graph.subtract(refs)
        for ref in refs:
            if graph[ref] <= 0:
                del graph[ref]
        if not graph:
            del self._graph[node]

    def authorize(self, attributes: Attributes) -> Decision:
        """Allow a node to access its own objects."""
        node = node_name(attributes.user)
        if not node:
            return Decision(False)
        if attributes.is_resource:
            refusal = self._refusal(node, attributes)
            if refusal is not None:
                return Decision(not refusal, refusal)
        return Decision(any(rule.allows(attributes) for rule in self._static))

    def _refusal(self, node: str, attributes: Attributes) -> str | None:
        """ "" allows, a reason denies, None leaves the decision to the static rules."""
        verbs = GRAPH_VERBS.get((attributes.group, attributes.resource, attributes.subresource))
        if verbs is not None:
            return self._about_reference(node, attributes, verbs)
        if (attributes.group, attributes.resource) in (("", "nodes"), ("storage.k8s.io", "csinodes")):
            return _about_node(node, attributes)
        if (attributes.group, attributes.resource) == ("", "pods"):
            return self._about_pod(node, attributes)
        if (attributes.group, attributes.resource) == ("coordination.k8s.io", "leases"):
            return _about_lease(node, attributes)
        return None

    def _about_reference(self, node: str, attributes: Attributes, verbs: frozenset[str]) -> str:
        if attributes.verb not in verbs:
            return f"can only {'/'.join(sorted(verbs))} this resource"
        if not attributes.name:
            return "No Object name found"
        if (attributes.resource, attributes.namespace, attributes.name) in self._graph.get(node, ()):
            return ""
        return f"no relationship found between node '{node}' and this object"

    def _about_pod(self, node: str, attributes: Attributes) -> str | None:
        """Pods on the node may be read and changed; their lists and watches must select the node."""
        if attributes.verb not in NODE_READ or attributes.subresource:
            return None
        if attributes.name and attributes.verb == "get":
            known = ("pods", attributes.namespace, attributes.name) in self._graph.get(node, ())
            return "" if known else f"no relationship found between node '{node}' and this object"
        if f"spec.nodeName={node}" in attributes.field_selector.split(","):
            return ""
        return "can only list/watch pods with spec.nodeName field selector"


def _about_node(node: str, attributes: Attributes) -> str | None:
    """Its own Node object. Admission checks creation, where the name is known."""
    if attributes.verb not in NODE_READ | {"update", "patch", "delete"} or attributes.subresource not in ("", "status"):
        return None
    if attributes.name:
        if attributes.name == node:
            return None
        return f"node '{node}' cannot {attributes.verb} node '{attributes.name}', only its own"
    if f"metadata.name={node}" in attributes.field_selector.split(","):
        return None
    return f"node '{node}' cannot {attributes.verb} all nodes, only its own"


def _about_lease(node: str, attributes: Attributes) -> str:
    if attributes.verb not in OWN_LEASE_VERBS:
        return "can only get, create, update, patch, or delete a node lease"
    if attributes.namespace != LEASE_NAMESPACE:
        return f'can only access leases in the "{LEASE_NAMESPACE}" system namespace'
    if attributes.verb != "create" and attributes.name != node:
        return "can only access node lease with the same name as the requesting node"
    return ""


def references(spec: PodSpec, namespace: str, pod_name: str = "") -> Iterator[Ref]:
    """Everything that the kubelet must read to run a pod."""
    yield "serviceaccounts", namespace, spec.service_account_name or "default"
    for secret in spec.image_pull_secrets:
        yield "secrets", namespace, secret.name
    containers: list[Container | EphemeralContainer] = [*spec.init_containers, *spec.containers]
    containers += spec.ephemeral_containers
    for container in containers:
        for resource, name in _of_container(container):
            yield resource, namespace, name
    for volume in spec.volumes:
        for resource, name in _of_volume(volume, pod_name):
            yield resource, namespace, name
    for claim in spec.resource_claims:
        if claim.resource_claim_name:
            yield "resourceclaims", namespace, claim.resource_claim_name


def _of_container(container: Container | EphemeralContainer) -> Iterator[tuple[str, str]]:
    for env in container.env:
        source = env.value_from
        if source is not None and source.secret_key_ref is not None:
            yield "secrets", source.secret_key_ref.name
        if source is not None and source.config_map_key_ref is not None:
            yield "configmaps", source.config_map_key_ref.name
    for bulk in container.env_from:
        if bulk.secret_ref is not None:
            yield "secrets", bulk.secret_ref.name
        if bulk.config_map_ref is not None:
            yield "configmaps", bulk.config_map_ref.name


#: Volume sources with a reference to a Secret.
_SECRET_REFS = ("cephfs", "cinder", "flex_volume", "iscsi", "rbd", "scale_io", "storageos")


def _of_volume(volume: Volume, pod_name: str) -> Iterator[tuple[str, str]]:
    if volume.secret is not None:
        yield "secrets", volume.secret.secret_name
    if volume.config_map is not None:
        yield "configmaps", volume.config_map.name
    if volume.persistent_volume_claim is not None:
        yield "persistentvolumeclaims", volume.persistent_volume_claim.claim_name
    if volume.ephemeral is not None and pod_name:
        yield "persistentvolumeclaims", f"{pod_name}-{volume.name}"
    if volume.csi is not None and volume.csi.node_publish_secret_ref is not None:
        yield "secrets", volume.csi.node_publish_secret_ref.name
    if volume.azure_file is not None:
        yield "secrets", volume.azure_file.secret_name
    for field in _SECRET_REFS:
        source: Any = getattr(volume, field)
        if source is not None and source.secret_ref is not None:
            yield "secrets", source.secret_ref.name
    if volume.projected is not None:
        for part in volume.projected.sources:
            if part.secret is not None:
                yield "secrets", part.secret.name
            if part.config_map is not None:
                yield "configmaps", part.config_map.name
