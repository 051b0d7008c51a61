"""The ordered list of admission plugins. The order is the original's: what comes later sees what earlier ones added."""

from pybernetes.apiserver.admission.default_tolerations import DefaultTolerationSeconds
from pybernetes.apiserver.admission.namespace_lifecycle import NamespaceLifecycle
from pybernetes.apiserver.admission.node_restriction import NodeRestriction
from pybernetes.apiserver.admission.priority import Priority
from pybernetes.apiserver.admission.request import Plugin
from pybernetes.apiserver.admission.service_account import ServiceAccountAdmission
from pybernetes.apiserver.admission.taint_nodes import TaintNodesByCondition
from pybernetes.apiserver.call import Core


def plugins(core: Core) -> tuple[Plugin, ...]:
    """Every plugin, in order."""
    return (
        NamespaceLifecycle(core.store),
        ServiceAccountAdmission(core.store, core.random),
        NodeRestriction(),
        TaintNodesByCondition(),
        Priority(),
        DefaultTolerationSeconds(),
    )
