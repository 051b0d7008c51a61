"""Conversion between the two forms of events."""

import msgspec

from pybernetes.api.core import event as core
from pybernetes.api.core.reference import ObjectReference
from pybernetes.api.events import convert
from pybernetes.api.events.event import Event
from pybernetes.api.meta import ObjectMeta


def full() -> core.Event:
    return core.Event(
        api_version="v1",
        kind="Event",
        metadata=ObjectMeta(name="e", namespace="default"),
        involved_object=ObjectReference(kind="Pod", name="p"),
        action="Binding",
        count=3,
        event_time="2026-01-02T11:00:00.000000Z",
        first_timestamp="2026-01-02T11:00:00Z",
        last_timestamp="2026-01-02T11:01:00Z",
        message="done",
        reason="Scheduled",
        related=ObjectReference(kind="Node", name="n"),
        reporting_component="scheduler",
        reporting_instance="s-1",
        series=core.EventSeries(count=2, last_observed_time="2026-01-02T11:00:00.000000Z"),
        source=core.EventSource(component="scheduler", host="h"),
        type="Normal",
    )


def test_every_field_survives_conversion() -> None:
    event = full()
    assert all(getattr(event, name) for name in core.Event.__struct_fields__)
    newer = convert.from_core(event)
    assert (newer.api_version, newer.note, newer.deprecated_count) == ("events.k8s.io/v1", "done", 3)
    assert all(getattr(newer, name) for name in Event.__struct_fields__)
    assert convert.to_core(newer) == event


def test_empty_events() -> None:
    empty = convert.to_core(Event())
    assert empty.involved_object == ObjectReference()
    assert b"deprecatedCount" not in msgspec.json.encode(convert.from_core(empty))
