"""core/v1 Event and events.k8s.io/v1 Event: two names for one stored object (kept in the core form).

The newer form renames fields: involvedObject is regarding, message is note, source, count and the two timestamps
are deprecated, reportingComponent is reportingController.
"""

from pybernetes.api.core.event import Event as CoreEvent
from pybernetes.api.core.event import EventSeries as CoreSeries
from pybernetes.api.core.event import EventSource
from pybernetes.api.core.reference import ObjectReference
from pybernetes.api.events.event import Event as NewEvent
from pybernetes.api.events.event import EventSeries as NewSeries
from pybernetes.apiserver import codec


def to_core(event: NewEvent) -> CoreEvent:
    """The form that is stored."""
    series = event.series
    return CoreEvent(
        api_version="v1",
        kind="Event",
        metadata=event.metadata,
        involved_object=event.regarding or ObjectReference(),
        action=event.action,
        count=event.deprecated_count or 0,
        event_time=event.event_time,
        first_timestamp=event.deprecated_first_timestamp,
        last_timestamp=event.deprecated_last_timestamp,
        message=event.note,
        reason=event.reason,
        related=event.related,
        reporting_component=event.reporting_controller,
        reporting_instance=event.reporting_instance,
        series=CoreSeries(count=series.count, last_observed_time=series.last_observed_time) if series else None,
        source=event.deprecated_source or EventSource(),
        type=event.type,
    )


def to_newer(event: CoreEvent) -> NewEvent:
    """The form of events.k8s.io."""
    series = event.series
    return NewEvent(
        api_version="events.k8s.io/v1",
        kind="Event",
        metadata=event.metadata,
        event_time=event.event_time,
        action=event.action,
        deprecated_count=event.count or None,
        deprecated_first_timestamp=event.first_timestamp,
        deprecated_last_timestamp=event.last_timestamp,
        deprecated_source=event.source,
        note=event.message,
        reason=event.reason,
        regarding=event.involved_object,
        related=event.related,
        reporting_controller=event.reporting_component,
        reporting_instance=event.reporting_instance,
        series=NewSeries(count=series.count, last_observed_time=series.last_observed_time) if series else None,
        type=event.type,
    )


def newer_bytes(value: bytes) -> bytes:
    """Stored bytes in the newer form."""
    return codec.encode(to_newer(codec.decode(value, CoreEvent)))
