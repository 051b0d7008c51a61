"""NamespaceLifecycle: objects need a namespace that exists and is not terminating; some namespaces can't be deleted."""

from pybernetes.api.core.namespace import KIND as NAMESPACE
from pybernetes.api.core.namespace import Namespace
from pybernetes.api.meta import StatusCause
from pybernetes.apiserver import codec, errors
from pybernetes.apiserver.admission.plugin import Base, wants
from pybernetes.apiserver.admission.request import AdmissionRequest
from pybernetes.store.types import Store

IMMORTAL = frozenset({"default", "kube-system", "kube-public"})

#: Reviews may refer to namespaces that do not exist.
_EXEMPT = frozenset({"localsubjectaccessreviews.authorization.k8s.io"})


class NamespaceLifecycle(Base):
    """Refuses; changes nothing."""

    name = "NamespaceLifecycle"
    interest = wants("CREATE", "DELETE")

    def __init__(self, store: Store) -> None:
        self._store = store

    async def admit(self, request: AdmissionRequest) -> None:
        """Raises Forbidden, NotFound."""
        kind = request.kind
        if kind.resource == "namespaces":
            if request.operation == "DELETE" and request.name in IMMORTAL:
                raise errors.forbidden_kind(kind, request.name, "this namespace may not be deleted")
            return
        if request.operation != "CREATE" or not kind.namespaced or kind.resource in _EXEMPT:
            return
        kv = self._store.get(NAMESPACE.key("", request.namespace))
        if kv is None:
            raise errors.not_found(NAMESPACE, request.namespace)
        if b'"deletionTimestamp"' not in kv.value:
            return
        meta = codec.decode(kv.value, Namespace).metadata
        if meta.deletion_timestamp:
            cause = StatusCause(
                reason="NamespaceTerminating",
                message=f"namespace {meta.name} is being terminated",
                field="metadata.namespace",
            )
            raise errors.forbidden_kind(
                kind,
                request.name,
                f"unable to create new content in namespace {meta.name} because it is being terminated",
                causes=[cause],
            )
