"""TODOC policy/eviction.py"""

from pybernetes.api.kind import Kind
from pybernetes.api.meta import DeleteOptions, Object


class Eviction(Object, kw_only=True):
    """TODOC Eviction"""

    delete_options: DeleteOptions | None = None


KIND = Kind(
    group="policy",
    version="v1",
    name="Eviction",
    plural="evictions",
    singular="eviction",
    struct=Eviction,
    stored=False,
    verbs=(),
)
