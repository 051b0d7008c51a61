"""Event: a report of something that happened to an object, shown by `kubectl describe` and `kubectl events`."""

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
    """A repeated event: how often it occurred, and when last."""

    count: Int32 = 0
    last_observed_time: MicroTime = ""


class EventSource(Struct, kw_only=True):
    """The component that reports an event, and its node."""

    component: str = ""
    host: str = ""


class Event(Object, kw_only=True):
    """A report of something that happened to an object. Events expire."""

    metadata: Annotated[ObjectMeta, Required()] = msgspec.field(default_factory=ObjectMeta)
    involved_object: Annotated[ObjectReference, Required()] = always(ObjectReference)
    """The object that the event is about."""
    action: str = ""
    count: Int32 = 0
    """How often it occurred."""
    event_time: MicroTime = ""
    first_timestamp: Time = ""
    """When it occurred first."""
    last_timestamp: Time = ""
    """When it occurred last."""
    message: str = ""
    """A description for people."""
    reason: str = ""
    """The reason as a CamelCase word."""
    related: ObjectReference | None = None
    reporting_component: Annotated[str, Optional()] = always(str)
    reporting_instance: Annotated[str, Optional()] = always(str)
    series: EventSeries | None = None
    source: EventSource = always(EventSource)
    type: str = ""
    """Normal or Warning."""


def validate(obj: Event, errors: Errors) -> None:
    """An event is in the namespace of its object; events of cluster-scoped objects are in `default`."""
    about = obj.involved_object.namespace
    path = Path("involvedObject") / "namespace"
    if about:
        if about != obj.metadata.namespace:
            errors.invalid(path, about, "does not match event.namespace")
    elif obj.metadata.namespace not in ("", "default") and not obj.event_time:
        errors.invalid(path, about, "does not match event.namespace")
    if not obj.event_time:
        return
    # Events of the newer form name the reporting component and a reason.
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
    Column("Last Seen", description="When it occurred last."),
    Column("Type", description="Normal or Warning."),
    Column("Reason", description="The reason as a CamelCase word."),
    Column("Object", description="To what it happened."),
    Column("Subobject", priority=1, description="To which part of it."),
    Column("Source", priority=1, description="Who reports it."),
    Column("Message", description="What happened."),
    Column("First Seen", priority=1, description="When it occurred first."),
    Column("Count", type="integer", priority=1, description="How often it occurred."),
    Column("Name", format="name", priority=1, description="Name must be unique within a namespace."),
)


def row(obj: Event, now: datetime) -> list[Cell]:
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
