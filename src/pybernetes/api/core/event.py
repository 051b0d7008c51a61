"""Event: a report of something that happened to an object, shown by `kubectl describe` and `kubectl events`."""

from datetime import datetime
from functools import partial

from pybernetes.api.core.event_object import Event, EventSeries, EventSource
from pybernetes.api.core.event_validation import validate
from pybernetes.api.duration import age
from pybernetes.api.kind import Cell, Column, Kind
from pybernetes.api.schema import StructSchema

__all__ = ["COLUMNS", "KIND", "SELECTABLE", "Event", "EventSeries", "EventSource", "row"]

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
    first = age(obj.first_timestamp or obj.event_time or "", now)
    last = age(obj.last_timestamp, now) if obj.last_timestamp else first
    count = obj.count or 1
    if obj.series is not None:
        last, count = age(obj.series.last_observed_time or "", now), obj.series.count
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
    schema=StructSchema(Event, validate=partial(validate, reporter="reportingComponent")),
    short_names=("ev",),
    create_on_update=True,
    columns=COLUMNS,
    row=row,
    selectable=SELECTABLE,
)
