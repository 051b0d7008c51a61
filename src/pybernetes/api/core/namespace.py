"""TODOC core/namespace.py"""

from typing import Annotated

from pybernetes.api.facts import ListMap
from pybernetes.api.kind import Kind
from pybernetes.api.meta import Object, Struct, Time, always


class NamespaceSpec(Struct, kw_only=True):
    """TODOC NamespaceSpec"""

    finalizers: list[str] = []


class NamespaceCondition(Struct, kw_only=True):
    """TODOC NamespaceCondition"""

    status: str = always(str)
    type: str = always(str)
    last_transition_time: Time = ""
    message: str = ""
    reason: str = ""


class NamespaceStatus(Struct, kw_only=True):
    """TODOC NamespaceStatus"""

    conditions: Annotated[list[NamespaceCondition], ListMap("type")] = []
    phase: str = ""


class Namespace(Object, kw_only=True):
    """TODOC Namespace"""

    spec: NamespaceSpec = always(NamespaceSpec)
    status: NamespaceStatus = always(NamespaceStatus)


KIND = Kind(
    group="",
    version="v1",
    name="Namespace",
    plural="namespaces",
    singular="namespace",
    struct=Namespace,
    namespaced=False,
    short_names=("ns",),
    subresources=("status", "finalize"),
    name_rule="dns-label",
    verbs=("create", "delete", "get", "list", "patch", "update", "watch"),
)
