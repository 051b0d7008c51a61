"""Eviction: deletes a pod unless a PodDisruptionBudget forbids it."""

from pybernetes.api.kind import Kind
from pybernetes.api.meta import DeleteOptions, Object
from pybernetes.api.schema import StructSchema


class Eviction(Object, kw_only=True):
    """Evicts a pod, subject to its PodDisruptionBudgets."""

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
