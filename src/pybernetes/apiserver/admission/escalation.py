"""RBAC escalation: users can't write roles or bindings that grant more than they have."""

from pybernetes.apiserver import errors
from pybernetes.apiserver.admission.plugin import Base, wants
from pybernetes.apiserver.admission.request import AdmissionRequest
from pybernetes.apiserver.auth.escalation import check_write
from pybernetes.apiserver.auth.rbac import GROUP, Rbac
from pybernetes.apiserver.types import Authorizer

_RESOURCES = [f"{name}.{GROUP}" for name in ("roles", "clusterroles", "rolebindings", "clusterrolebindings")]


class EscalationCheck(Base):
    """Refuses; changes nothing. In kube-apiserver this is part of how roles are stored, so it always runs."""

    name = "EscalationCheck"
    interest = wants("CREATE", "UPDATE", resources=_RESOURCES)

    def __init__(self, rbac: Rbac, authorizer: Authorizer) -> None:
        self._rbac = rbac
        self._authorizer = authorizer

    async def validate(self, request: AdmissionRequest) -> None:
        """Raises Forbidden."""
        why = check_write(request.obj, request.old, request.user, rbac=self._rbac, authorizer=self._authorizer)
        if why:
            raise errors.forbidden_kind(request.kind, request.name, why)
