"""Scale: the number of replicas of any scalable object."""

from typing import Annotated

from pybernetes.api.facts import Default
from pybernetes.api.kind import Kind
from pybernetes.api.meta import Int32, Object, Struct, always
from pybernetes.api.schema import StructSchema


class ScaleSpec(Struct, kw_only=True):
    """The desired number of replicas."""

    replicas: Annotated[Int32 | None, Default(0)] = None


class ScaleStatus(Struct, kw_only=True):
    """The observed number of replicas, and the selector of their pods."""

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
