"""Conversion between the two forms of events, core/v1 and events.k8s.io/v1. The core form is stored."""

from pybernetes.api.core import event as core
from pybernetes.api.core.reference import ObjectReference
from pybernetes.api.events import event_object as events

API_VERSION = "events.k8s.io/v1"


def to_core(obj: events.Event) -> core.Event:
    """The core form. It shares metadata and other parts with `obj`: neither may be changed in place afterwards."""
    series = None
    if obj.series is not None:
        series = core.EventSeries(count=obj.series.count, last_observed_time=obj.series.last_observed_time)
    return core.Event(
        api_version="v1",
        kind="Event",
        metadata=obj.metadata,
        involved_object=obj.regarding or ObjectReference(),
        reason=obj.reason,
        message=obj.note,
        source=obj.deprecated_source or core.EventSource(),
        first_timestamp=obj.deprecated_first_timestamp,
        last_timestamp=obj.deprecated_last_timestamp,
        count=obj.deprecated_count,
        type=obj.type,
        event_time=obj.event_time,
        series=series,
        action=obj.action,
        related=obj.related,
        reporting_component=obj.reporting_controller,
        reporting_instance=obj.reporting_instance,
    )


def from_core(obj: core.Event) -> events.Event:
    """The events.k8s.io form of a core event."""
    series = None
    if obj.series is not None:
        series = events.EventSeries(count=obj.series.count, last_observed_time=obj.series.last_observed_time)
    return events.Event(
        api_version=API_VERSION,
        kind="Event",
        metadata=obj.metadata,
        regarding=obj.involved_object,
        reason=obj.reason,
        note=obj.message,
        deprecated_source=obj.source,
        deprecated_first_timestamp=obj.first_timestamp,
        deprecated_last_timestamp=obj.last_timestamp,
        deprecated_count=obj.count,
        type=obj.type,
        event_time=obj.event_time,
        series=series,
        action=obj.action,
        related=obj.related,
        reporting_controller=obj.reporting_component,
        reporting_instance=obj.reporting_instance,
    )
