"""The structs of an Event of events.k8s.io/v1."""

from typing import Annotated

from pybernetes.api.core.event import EventSource
from pybernetes.api.core.reference import ObjectReference
from pybernetes.api.facts import Required
from pybernetes.api.meta import Int32, MicroTime, Object, Struct, Time, always


class EventSeries(Struct, kw_only=True):
    """A repeated event: how often it occurred, and when last."""

    count: Int32 = always(int)
    last_observed_time: Annotated[MicroTime, Required()] = ""


class Event(Object, kw_only=True):
    """A report of something that happened to an object. Events expire."""

    event_time: Annotated[MicroTime, Required()] = ""
    action: str = ""
    deprecated_count: Int32 | None = None
    deprecated_first_timestamp: Time = ""
    deprecated_last_timestamp: Time = ""
    deprecated_source: EventSource = always(EventSource)
    note: str = ""
    reason: str = ""
    regarding: ObjectReference = always(ObjectReference)
    related: ObjectReference | None = None
    reporting_controller: str = ""
    reporting_instance: str = ""
    series: EventSeries | None = None
    type: str = ""
