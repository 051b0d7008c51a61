"""Binding: assigns a pod to a node."""

from typing import Annotated

from pybernetes.api.core.reference import ObjectReference
from pybernetes.api.facts import Required
from pybernetes.api.field import Errors, Path
from pybernetes.api.kind import Kind
from pybernetes.api.meta import Object, always
from pybernetes.api.schema import StructSchema


class Binding(Object, kw_only=True):
    """Assigns a pod to a node."""

    target: Annotated[ObjectReference, Required()] = always(ObjectReference)


def validate(obj: Binding, errors: Errors) -> None:
    """The target is a node."""
    if obj.target.kind not in ("", "Node"):
        errors.not_supported(Path("target") / "kind", obj.target.kind, ["Node", "<empty>"])
    if not obj.target.name:
        errors.required(Path("target") / "name")


KIND = Kind(
    group="",
    version="v1",
    name="Binding",
    plural="bindings",
    singular="binding",
    schema=StructSchema(Binding, validate=validate),
    stored=False,
    verbs=("create",),
)
