"""Event of events.k8s.io/v1. It is stored as a core/v1 Event; see convert.py."""

from collections.abc import Callable
from datetime import datetime

from pybernetes.api.core import event as core
from pybernetes.api.core import event_validation as validation
from pybernetes.api.events import convert
from pybernetes.api.events.event_object import Event, EventSeries
from pybernetes.api.field import Errors
from pybernetes.api.kind import Cell, Conversion, Kind
from pybernetes.api.schema import StructSchema

__all__ = ["KIND", "Event", "EventSeries"]


def validate(obj: Event, errors: Errors) -> None:
    """The rules of core events, which are the stored form."""
    validation.validate(convert.to_core(obj), errors, reporter="reportingController")


def validate_create(obj: Event, errors: Errors) -> None:
    """The rules that hold only for new events."""
    validation.validate_new_form(convert.to_core(obj), errors)


def validate_update(new: Event, old: Event, errors: Errors) -> None:
    """Little of an event may change."""
    validation.validate_new_form_update(convert.to_core(new), convert.to_core(old), errors)


def row(obj: Event, now: datetime) -> list[Cell]:
    """The cells of the core events' columns."""
    return core.row(convert.to_core(obj), now)


SELECTABLE: dict[str, Callable[[Event], str]] = {
    "regarding.kind": lambda obj: obj.regarding.kind if obj.regarding is not None else "",
    "regarding.namespace": lambda obj: obj.regarding.namespace if obj.regarding is not None else "",
    "regarding.name": lambda obj: obj.regarding.name if obj.regarding is not None else "",
    "regarding.uid": lambda obj: obj.regarding.uid if obj.regarding is not None else "",
    "regarding.apiVersion": lambda obj: obj.regarding.api_version if obj.regarding is not None else "",
    "regarding.resourceVersion": lambda obj: obj.regarding.resource_version if obj.regarding is not None else "",
    "regarding.fieldPath": lambda obj: obj.regarding.field_path if obj.regarding is not None else "",
    "reason": lambda obj: obj.reason,
    "reportingController": lambda obj: obj.reporting_controller,
    "type": lambda obj: obj.type,
}


KIND = Kind(
    group="events.k8s.io",
    version="v1",
    name="Event",
    plural="events",
    singular="event",
    schema=StructSchema(Event, validate=validate),
    short_names=("ev",),
    create_on_update=True,
    validate_create=validate_create,
    validate_update=validate_update,
    conversion=Conversion(storage=core.KIND, to_storage=convert.to_core, from_storage=convert.from_core),
    columns=core.COLUMNS,
    row=row,
    selectable=SELECTABLE,
)
