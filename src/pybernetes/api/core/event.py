"""Event: what happened to an object, as `kubectl describe` and `kubectl events` tell it."""

from datetime import datetime
from typing import Annotated

import msgspec

from pybernetes.api.core.reference import ObjectReference
from pybernetes.api.duration import age
from pybernetes.api.facts import Optional, Required
from pybernetes.api.field import Errors, Path
from pybernetes.api.kind import Cell, Column, Kind
from pybernetes.api.meta import Int32, MicroTime, Object, ObjectMeta, Struct, Time, always
from pybernetes.api.schema import StructSchema


class EventSeries(Struct, kw_only=True):
    """An event that keeps happening: how often so far, and when last."""

    count: Int32 = 0
    last_observed_time: MicroTime = ""


class EventSource(Struct, kw_only=True):
    """The component that reports an event, and its node."""

    component: str = ""
    host: str = ""


class Event(Object, kw_only=True):
    """Something that happened to an object, reported by a component. Events are kept for a while only."""

    metadata: Annotated[ObjectMeta, Required()] = msgspec.field(default_factory=ObjectMeta)
    involved_object: Annotated[ObjectReference, Required()] = always(ObjectReference)
    """What the event is about."""
    action: str = ""
    count: Int32 = 0
    """How often it happened."""
    event_time: MicroTime = ""
    first_timestamp: Time = ""
    """When it happened first."""
    last_timestamp: Time = ""
    """When it happened last."""
    message: str = ""
    """What happened, for people."""
    reason: str = ""
    """What happened, in one word."""
    related: ObjectReference | None = None
    reporting_component: Annotated[str, Optional()] = always(str)
    reporting_instance: Annotated[str, Optional()] = always(str)
    series: EventSeries | None = None
    source: EventSource = always(EventSource)
    type: str = ""
    """Normal or Warning."""


def validate(obj: Event, errors: Errors) -> None:
    """An event is kept beside the object that it is about; those about nodes and the like in `default`."""
    about = obj.involved_object.namespace
    path = Path("involvedObject") / "namespace"
    if about:
        if about != obj.metadata.namespace:
            errors.invalid(path, about, "does not match event.namespace")
    elif obj.metadata.namespace not in ("", "default") and not obj.event_time:
        errors.invalid(path, about, "does not match event.namespace")
    if not obj.event_time:
        return
    # Events of the newer kind say who reports them, and why.
    if not obj.reporting_component:
        errors.required(Path("reportingController"))
    if not obj.reporting_instance:
        errors.required(Path("reportingInstance"))
    if not obj.action:
        errors.required(Path("action"))
    if not obj.reason:
        errors.required(Path("reason"))
    if obj.type not in ("Normal", "Warning"):
        errors.invalid(Path("type"), "", f"has invalid value: {obj.type}")


SELECTABLE = {
    "involvedObject.kind": lambda obj: obj.involved_object.kind,
    "involvedObject.namespace": lambda obj: obj.involved_object.namespace,
    "involvedObject.name": lambda obj: obj.involved_object.name,
    "involvedObject.uid": lambda obj: obj.involved_object.uid,
    "involvedObject.apiVersion": lambda obj: obj.involved_object.api_version,
    "involvedObject.resourceVersion": lambda obj: obj.involved_object.resource_version,
    "involvedObject.fieldPath": lambda obj: obj.involved_object.field_path,
    "reason": lambda obj: obj.reason,
    "reportingComponent": lambda obj: obj.reporting_component,
    "source": lambda obj: obj.source.component or obj.reporting_component,
    "type": lambda obj: obj.type,
}

COLUMNS = (
    Column("Last Seen", description="When it happened last."),
    Column("Type", description="Normal or Warning."),
    Column("Reason", description="What happened, in one word."),
    Column("Object", description="To what it happened."),
    Column("Subobject", priority=1, description="To which part of it."),
    Column("Source", priority=1, description="Who reports it."),
    Column("Message", description="What happened."),
    Column("First Seen", priority=1, description="When it happened first."),
    Column("Count", type="integer", priority=1, description="How often it happened."),
    Column("Name", format="name", priority=1, description="Name must be unique within a namespace."),
)


def row(obj: Event, now: datetime) -> list[Cell]:
    """The cells of `COLUMNS`."""
    first = age(obj.first_timestamp or obj.event_time, now)
    last = age(obj.last_timestamp, now) if obj.last_timestamp else first
    count = obj.count or 1
    if obj.series is not None:
        last, count = age(obj.series.last_observed_time, now), obj.series.count
    about = obj.involved_object
    source = [obj.source.component or obj.reporting_component, obj.source.host or obj.reporting_instance]
    return [
        last,
        obj.type,
        obj.reason,
        f"{about.kind.lower()}/{about.name}" if about.name else about.kind.lower(),
        about.field_path,
        ", ".join(source) if source[1] else source[0],
        obj.message.strip(),
        first,
        count,
        obj.metadata.name,
    ]


KIND = Kind(
    group="",
    version="v1",
    name="Event",
    plural="events",
    singular="event",
    schema=StructSchema(Event, validate=validate),
    short_names=("ev",),
    create_on_update=True,
    columns=COLUMNS,
    row=row,
    selectable=SELECTABLE,
)
