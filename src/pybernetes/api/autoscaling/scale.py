"""Scale: the one form in which every scalable object shows its number of replicas."""

from typing import Annotated

from pybernetes.api.facts import Default
from pybernetes.api.kind import Kind
from pybernetes.api.meta import Int32, Object, Struct, always
from pybernetes.api.schema import StructSchema


class ScaleSpec(Struct, kw_only=True):
    """How many replicas are wanted."""

    replicas: Annotated[Int32 | None, Default(0)] = None


class ScaleStatus(Struct, kw_only=True):
    """How many replicas there are, and which pods they are."""

    replicas: Int32 = always(int)
    selector: str = ""


class Scale(Object, kw_only=True):
    """What the `scale` subresource of an object reads and writes."""

    spec: ScaleSpec = always(ScaleSpec)
    status: ScaleStatus = always(ScaleStatus)


KIND = Kind(
    group="autoscaling",
    version="v1",
    name="Scale",
    plural="scales",
    singular="scale",
    schema=StructSchema(Scale),
    stored=False,
    verbs=(),
)
