"""TODOC core/binding.py"""

from pybernetes.api.core.reference import ObjectReference
from pybernetes.api.kind import Kind
from pybernetes.api.meta import Object, always


class Binding(Object, kw_only=True):
    """TODOC Binding"""

    target: ObjectReference = always(ObjectReference)


KIND = Kind(
    group="",
    version="v1",
    name="Binding",
    plural="bindings",
    singular="binding",
    struct=Binding,
    stored=False,
    verbs=("create",),
)
