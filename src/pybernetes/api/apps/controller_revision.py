"""ControllerRevision: a snapshot of a pod template, to which a DaemonSet or StatefulSet can be rolled back."""

from datetime import datetime
from typing import Annotated, Any

import msgspec

from pybernetes.api import rules
from pybernetes.api.duration import age
from pybernetes.api.facts import Optional, Required
from pybernetes.api.field import Errors, Path
from pybernetes.api.kind import Cell, Column, Kind
from pybernetes.api.meta import Int64, Object, always
from pybernetes.api.meta_validation import IMMUTABLE
from pybernetes.api.schema import StructSchema
from pybernetes.api.tables import AGE, NAME


class ControllerRevision(Object, kw_only=True):
    """An immutable, numbered snapshot of a part of an object."""

    data: Annotated[msgspec.Raw, Required()] = msgspec.Raw(b"")
    revision: Annotated[Int64, Optional()] = always(int)


def validate(obj: ControllerRevision, errors: Errors) -> None:
    """The revision is 0 or more, and there is data."""
    rules.not_negative(obj.revision, Path("revision"), errors)
    if not bytes(obj.data):
        errors.required(Path("data"), "data is mandatory")


def validate_update(new: ControllerRevision, old: ControllerRevision, errors: Errors) -> None:
    """The data is immutable."""
    if _value(new) != _value(old):
        errors.invalid(Path("data"), _value(new), IMMUTABLE)


def _value(obj: ControllerRevision) -> Any:
    return msgspec.json.decode(obj.data) if bytes(obj.data) else None


COLUMNS = (
    NAME,
    Column("Controller", description="Whose revision it is."),
    Column("Revision", type="integer", description="Its number."),
    AGE,
)


def row(obj: ControllerRevision, now: datetime) -> list[Cell]:
    owner = next((o for o in obj.metadata.owner_references if o.controller), None)
    controller = "<none>"
    if owner is not None:
        group = owner.api_version.rpartition("/")[0]
        controller = f"{owner.kind.lower()}{'.' + group if group else ''}/{owner.name}"
    return [obj.metadata.name, controller, obj.revision or 0, age(obj.metadata.creation_timestamp, now)]


KIND = Kind(
    group="apps",
    version="v1",
    name="ControllerRevision",
    plural="controllerrevisions",
    singular="controllerrevision",
    schema=StructSchema(ControllerRevision, validate=validate),
    validate_update=validate_update,
    columns=COLUMNS,
    row=row,
)
