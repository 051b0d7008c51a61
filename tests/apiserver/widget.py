"""A kind as docs/extending/kind.md describes it: Widget has a struct, Gadget is described by OpenAPI."""

from datetime import datetime
from typing import Annotated, Any

from pybernetes.api.duration import age
from pybernetes.api.facts import ListMap
from pybernetes.api.field import Errors
from pybernetes.api.kind import Cell, Column, Kind, ScalePaths
from pybernetes.api.meta import Int32, Object, Struct, always
from pybernetes.api.schema import StructSchema
from pybernetes.api.structural import StructuralSchema, Unstructured
from pybernetes.api.subresource import SCALE, keep_metadata, status
from pybernetes.api.tables import AGE, NAME


class WidgetPart(Struct, kw_only=True):
    """A part of a widget."""

    name: str = always(str)
    """Unique in the widget."""
    size: Int32 = 0
    """In millimetres."""


class WidgetSpec(Struct, kw_only=True):
    """What a widget is to be."""

    replicas: Int32 | None = None
    """How many there are to be."""
    parts: Annotated[list[WidgetPart], ListMap("name")] = []
    """What it consists of."""


class WidgetStatus(Struct, kw_only=True):
    """What a widget is."""

    replicas: Int32 = 0
    """How many there are."""


class Widget(Object, kw_only=True):
    """Something to test with."""

    spec: WidgetSpec = always(WidgetSpec)
    """What it is to be."""
    status: WidgetStatus = always(WidgetStatus)
    """What it is."""


def default(obj: Widget) -> None:
    """One replica."""
    if obj.spec.replicas is None:
        obj.spec.replicas = 1


def validate(obj: Widget, errors: Errors) -> None:
    """No negative number of replicas."""
    if (obj.spec.replicas or 0) < 0:
        errors.invalid("spec.replicas", obj.spec.replicas, "must be greater than or equal to 0")


def row(obj: Widget, now: datetime) -> list[Cell]:
    """Name, replicas, age."""
    return [obj.metadata.name, obj.spec.replicas, age(obj.metadata.creation_timestamp, now)]


def _scaled(obj: Widget, replicas: int) -> Widget:
    obj.spec.replicas = replicas
    return obj


WIDGET = Kind(
    group="test.example.com",
    version="v1",
    name="Widget",
    plural="widgets",
    singular="widget",
    short_names=("wd",),
    schema=StructSchema(Widget, default=default, validate=validate),
    has_generation=True,
    subresources=(status(), SCALE),
    scale=ScalePaths(get=lambda obj: (obj.spec.replicas, obj.status.replicas, ""), set=_scaled),
    columns=(NAME, Column("Replicas", type="integer"), AGE),
    row=row,
    selectable={"spec.replicas": lambda obj: str(obj.spec.replicas)},
)

OPENAPI: dict[str, Any] = {
    "type": "object",
    "description": "Gadget is something else to test with.",
    "required": ["spec"],
    "properties": {
        "spec": {
            "type": "object",
            "required": ["image"],
            "properties": {
                "image": {"type": "string", "pattern": "^[a-z]+$"},
                "replicas": {"type": "integer", "format": "int32", "minimum": 0, "maximum": 10, "default": 1},
                "mode": {"type": "string", "enum": ["Fast", "Slow"]},
                "port": {"x-kubernetes-int-or-string": True},
                "parts": {
                    "type": "array",
                    "x-kubernetes-list-type": "map",
                    "x-kubernetes-list-map-keys": ["name"],
                    "items": {
                        "type": "object",
                        "required": ["name"],
                        "properties": {"name": {"type": "string"}, "size": {"type": "integer", "default": 3}},
                    },
                },
                "extra": {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
            },
        },
        "status": {"type": "object", "properties": {"phase": {"type": "string"}}},
    },
}


def _gadget_row(obj: Unstructured, now: datetime) -> list[Cell]:
    return [obj.metadata.name, obj.body["spec"].get("image", ""), age(obj.metadata.creation_timestamp, now)]


GADGET = Kind(
    group="test.example.com",
    version="v1",
    name="Gadget",
    plural="gadgets",
    singular="gadget",
    storage="test.example.com/gadgets",
    schema=StructuralSchema(OPENAPI, has_status=True),
    has_generation=True,
    unconditional_update=False,
    free_finalizers=True,
    subresources=(status(prepare=keep_metadata),),
    columns=(NAME, Column("Image"), AGE),
    row=_gadget_row,
)
