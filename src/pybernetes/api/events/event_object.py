"""The structs of an Event of events.k8s.io/v1."""

from typing import Annotated

from pybernetes.api.core.event import EventSource
from pybernetes.api.core.reference import ObjectReference
from pybernetes.api.facts import Required
from pybernetes.api.meta import Int32, NullableMicroTime, NullableTime, Object, Struct, always, null


class EventSeries(Struct, kw_only=True):
    """A repeated event: how often it occurred, and when last."""

    count: Int32 = always(int)
    last_observed_time: Annotated[NullableMicroTime, Required()] = null()


class Event(Object, kw_only=True):
    """A report of something that happened to an object. Events expire."""

    event_time: Annotated[NullableMicroTime, Required()] = null()
    action: str = ""
    deprecated_count: Int32 = 0
    deprecated_first_timestamp: NullableTime = null()
    deprecated_last_timestamp: NullableTime = null()
    deprecated_source: EventSource = always(EventSource)
    note: str = ""
    reason: str = ""
    regarding: ObjectReference = always(ObjectReference)
    related: ObjectReference | None = None
    reporting_controller: str = ""
    reporting_instance: str = ""
    series: EventSeries | None = None
    type: str = ""
