"""NodeRestriction: a kubelet may change its own Node and Lease and the pods bound to it, nothing else."""

from typing import Any

from pybernetes.api.core.node import Node
from pybernetes.apiserver import errors
from pybernetes.apiserver.admission.plugin import Base, wants
from pybernetes.apiserver.admission.request import AdmissionRequest
from pybernetes.apiserver.admission.service_account import MIRROR
from pybernetes.apiserver.types import User
from pybernetes.store.types import Store

_PREFIX, _GROUP = "system:node:", "system:nodes"
#: Labels of this group are for isolating nodes: only administrators may set them.
_RESERVED = "node-restriction.kubernetes.io/"


def node_of(user: User) -> str:
    """The name of the node if the user is one, else ""."""
    if _GROUP in user.groups and user.name.startswith(_PREFIX):
        return user.name.removeprefix(_PREFIX)
    return ""


class NodeRestriction(Base):
    """Refuses; changes nothing."""

    name = "NodeRestriction"
    interest = wants(
        "CREATE",
        "UPDATE",
        "DELETE",
        resources=["pods", "pods/*", "nodes", "nodes/*", "leases.coordination.k8s.io"],
    )

    def __init__(self, store: Store) -> None:
        self._store = store

    async def validate(self, request: AdmissionRequest) -> None:
        """Raises Forbidden."""
        node = node_of(request.user)
        if not node:
            return
        resource = request.kind.resource
        if request.resource == "pods/eviction":
            self._eviction(request, node)
        elif resource == "pods":
            self._pod(request, node)
        elif resource == "nodes":
            self._node(request, node)
        elif resource == "leases.coordination.k8s.io" and request.namespace == "kube-node-lease":
            self._own(request, node, "can only access node lease with the same name as the requesting node")

    def _pod(self, request: AdmissionRequest, node: str) -> None:
        obj: Any = request.obj if request.old is None else request.old
        if request.operation == "CREATE" and MIRROR not in obj.metadata.annotations:
            why = f'pod does not have "{MIRROR}" annotation, node "{node}" can only create mirror pods'
            raise errors.forbidden_kind(request.kind, request.name, why)
        if obj.spec.node_name != node:
            verb = {"CREATE": "create", "UPDATE": "update status for", "DELETE": "delete"}.get(request.operation, "use")
            why = f'node "{node}" can only {verb} pods with spec.nodeName set to itself'
            raise errors.forbidden_kind(request.kind, request.name, why)
        if request.operation == "UPDATE" and request.subresource != "status":
            why = f'unexpected subresource of pod "{request.subresource}"'
            raise errors.forbidden_kind(request.kind, request.name, why)

    def _eviction(self, request: AdmissionRequest, node: str) -> None:
        """The request's object is the Eviction: look up the node of its pod."""
        kv = self._store.get(request.kind.key(request.namespace, request.name))
        if kv is None:
            raise errors.not_found(request.kind, request.name)
        if request.kind.schema.load(kv.value).spec.node_name != node:
            why = f'node "{node}" can only evict pods with spec.nodeName set to itself'
            raise errors.forbidden_kind(request.kind, request.name, why)

    def _node(self, request: AdmissionRequest, node: str) -> None:
        self._own(request, node, f'node "{node}" is not allowed to modify node "{request.name}"')
        if request.operation == "DELETE":
            why = f'node "{node}" is not allowed to delete node "{request.name}"'
            raise errors.forbidden_kind(request.kind, request.name, why)
        new: Node = request.obj
        old: Node | None = request.old
        before = old.metadata.labels if old is not None else {}
        changed = {k for k in {*before, *new.metadata.labels} if before.get(k) != new.metadata.labels.get(k)}
        reserved = sorted(k for k in changed if k.startswith(_RESERVED))
        if reserved:
            why = f"is not allowed to modify labels: {', '.join(reserved)}"
            raise errors.forbidden_kind(request.kind, request.name, f'node "{node}" {why}')
        if old is not None and not request.subresource and new.spec.taints != old.spec.taints:
            raise errors.forbidden_kind(request.kind, request.name, f'node "{node}" is not allowed to modify taints')

    def _own(self, request: AdmissionRequest, node: str, why: str) -> None:
        if request.name != node:
            raise errors.forbidden_kind(request.kind, request.name, why)
