"""TODOC events/event.py"""

from pybernetes.api.core.event import EventSource
from pybernetes.api.core.reference import ObjectReference
from pybernetes.api.kind import Kind
from pybernetes.api.meta import MicroTime, Object, Struct, Time, always


class EventSeries(Struct, kw_only=True):
    """TODOC EventSeries"""

    count: int = always(int)
    last_observed_time: MicroTime = ""


class Event(Object, kw_only=True):
    """TODOC Event"""

    event_time: MicroTime = ""
    action: str = ""
    deprecated_count: int | None = None
    deprecated_first_timestamp: Time = ""
    deprecated_last_timestamp: Time = ""
    deprecated_source: EventSource | None = None
    note: str = ""
    reason: str = ""
    regarding: ObjectReference | None = None
    related: ObjectReference | None = None
    reporting_controller: str = ""
    reporting_instance: str = ""
    series: EventSeries | None = None
    type: str = ""


KIND = Kind(
    group="events.k8s.io",
    version="v1",
    name="Event",
    plural="events",
    singular="event",
    struct=Event,
    short_names=("ev",),
    create_on_update=True,
)
