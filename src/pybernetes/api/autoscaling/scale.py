"""TODOC autoscaling/scale.py"""

from pybernetes.api.kind import Kind
from pybernetes.api.meta import Object, Struct, always


class ScaleSpec(Struct, kw_only=True):
    """TODOC ScaleSpec"""

    replicas: int | None = None


class ScaleStatus(Struct, kw_only=True):
    """TODOC ScaleStatus"""

    replicas: int = always(int)
    selector: str = ""


class Scale(Object, kw_only=True):
    """TODOC Scale"""

    spec: ScaleSpec = always(ScaleSpec)
    status: ScaleStatus = always(ScaleStatus)


KIND = Kind(
    group="autoscaling",
    version="v1",
    name="Scale",
    plural="scales",
    singular="scale",
    struct=Scale,
    stored=False,
    verbs=(),
)
