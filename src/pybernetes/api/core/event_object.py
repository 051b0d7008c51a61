"""The structs of an Event."""

from typing import Annotated

import msgspec

from pybernetes.api.core.reference import ObjectReference
from pybernetes.api.facts import Optional, Required
from pybernetes.api.meta import Int32, NullableMicroTime, NullableTime, Object, ObjectMeta, Struct, always, null


class EventSeries(Struct, kw_only=True):
    """A repeated event: how often it occurred, and when last."""

    count: Int32 = 0
    last_observed_time: NullableMicroTime = null()


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
    event_time: NullableMicroTime = null()
    first_timestamp: NullableTime = null()
    """When it occurred first."""
    last_timestamp: NullableTime = null()
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
