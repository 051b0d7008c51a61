"""The ordered list of admission plugins. The order is the original's: what comes later sees what earlier ones added."""

from pybernetes.apiserver.admission.namespace_lifecycle import NamespaceLifecycle
from pybernetes.apiserver.admission.request import Plugin
from pybernetes.apiserver.call import Core
from pybernetes.apiserver.types import Authorizer


def plugins(core: Core, authorizer: Authorizer) -> tuple[Plugin, ...]:
    """Every plugin, in order."""
    return (NamespaceLifecycle(core.store),)
