"""TODOC core/event.py"""

from pybernetes.api.core.reference import ObjectReference
from pybernetes.api.kind import Kind
from pybernetes.api.meta import MicroTime, Object, Struct, Time, always


class EventSeries(Struct, kw_only=True):
    """TODOC EventSeries"""

    count: int = 0
    last_observed_time: MicroTime = ""


class EventSource(Struct, kw_only=True):
    """TODOC EventSource"""

    component: str = ""
    host: str = ""


class Event(Object, kw_only=True):
    """TODOC Event"""

    involved_object: ObjectReference = always(ObjectReference)
    action: str = ""
    count: int = 0
    event_time: MicroTime = ""
    first_timestamp: Time = ""
    last_timestamp: Time = ""
    message: str = ""
    reason: str = ""
    related: ObjectReference | None = None
    reporting_component: str = ""
    reporting_instance: str = ""
    series: EventSeries | None = None
    source: EventSource = always(EventSource)
    type: str = ""


KIND = Kind(
    group="",
    version="v1",
    name="Event",
    plural="events",
    singular="event",
    struct=Event,
    short_names=("ev",),
    create_on_update=True,
)
