"""The one list of admission plugins, in kube-apiserver's order: later plugins see what earlier ones added."""

from pybernetes.apiserver.admission.default_tolerations import DefaultTolerationSeconds
from pybernetes.apiserver.admission.escalation import EscalationCheck
from pybernetes.apiserver.admission.namespace_lifecycle import NamespaceLifecycle
from pybernetes.apiserver.admission.node_restriction import NodeRestriction
from pybernetes.apiserver.admission.plugin import Plugin
from pybernetes.apiserver.admission.priority import Priority
from pybernetes.apiserver.admission.service_account import ServiceAccountAdmission
from pybernetes.apiserver.admission.taint_nodes import TaintNodesByCondition
from pybernetes.apiserver.auth.rbac import Rbac
from pybernetes.apiserver.context import ServerContext
from pybernetes.apiserver.types import Authorizer


def plugins(context: ServerContext, authorizer: Authorizer, rbac: Rbac | None) -> tuple[Plugin, ...]:
    """Every plugin, in order. Without `rbac` roles are not checked for escalation."""
    escalation = (EscalationCheck(rbac, authorizer),) if rbac is not None else ()
    return (
        NamespaceLifecycle(context.store),
        ServiceAccountAdmission(context.store, context.random),
        NodeRestriction(context.store),
        TaintNodesByCondition(),
        Priority(),
        DefaultTolerationSeconds(),
        *escalation,
    )
