"""Eviction: the polite way to delete a pod, refused while a disruption budget forbids it."""

from pybernetes.api.kind import Kind
from pybernetes.api.meta import DeleteOptions, Object
from pybernetes.api.schema import StructSchema


class Eviction(Object, kw_only=True):
    """Asks for a pod to be evicted, with respect to its disruption budgets."""

    delete_options: DeleteOptions | None = None


KIND = Kind(
    group="policy",
    version="v1",
    name="Eviction",
    plural="evictions",
    singular="eviction",
    schema=StructSchema(Eviction),
    stored=False,
    verbs=(),
)
