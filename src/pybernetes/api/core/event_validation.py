"""Validation of events. Those of events.k8s.io follow stricter rules and do not change, except for their series."""

from pybernetes.api import names, rules
from pybernetes.api.core.event_object import Event, EventSource
from pybernetes.api.core.reference import ObjectReference
from pybernetes.api.field import Errors, Path
from pybernetes.api.meta_validation import IMMUTABLE

MAX_NAME, MAX_MESSAGE = 128, 1024
TYPES = ("Normal", "Warning")


def validate(obj: Event, errors: Errors, *, reporter: str) -> None:
    """The rules for events of both forms. `reporter` is the name of the field of the reporting controller."""
    about, namespace = obj.involved_object.namespace, obj.metadata.namespace
    if not obj.event_time:
        if about != namespace and (about or namespace != "default"):
            _other_namespace(about, errors)
        return
    if not about and namespace not in ("default", "kube-system"):
        _other_namespace(about, errors)
    if not obj.reporting_component:
        errors.required(reporter)
    rules.follows(obj.reporting_component, names.qualified_name, Path(reporter), errors)
    for name, value in (
        ("reportingInstance", obj.reporting_instance),
        ("action", obj.action),
        ("reason", obj.reason),
    ):
        if not value:
            errors.required(name)
        _limit(name, value, MAX_NAME, errors)
    _limit("message", obj.message, MAX_MESSAGE, errors)


def _other_namespace(about: str, errors: Errors) -> None:
    errors.invalid("involvedObject.namespace", about, "does not match event.namespace")


def _limit(name: str, value: str, limit: int, errors: Errors) -> None:
    if len(value.encode()) > limit:
        errors.invalid(name, "", f"can have at most {limit} characters")


def validate_new_form(obj: Event, errors: Errors) -> None:
    """The further rules for creating an event of events.k8s.io: it has no fields of the old form."""
    _series(obj, errors)
    if not obj.event_time:
        errors.required("eventTime")
    if obj.type not in TYPES:
        errors.invalid("type", "", f"has invalid value: {obj.type}")
    for name, value in (
        ("firstTimestamp", obj.first_timestamp),
        ("lastTimestamp", obj.last_timestamp),
        ("count", obj.count),
        ("source", obj.source.component or obj.source.host),
    ):
        if value:
            errors.invalid(name, "", "needs to be unset")


def _series(obj: Event, errors: Errors) -> None:
    if obj.series is None:
        return
    if obj.series.count < 2:
        errors.invalid("series.count", "", "should be at least 2")
    if not obj.series.last_observed_time:
        errors.required("series.lastObservedTime")


_IMMUTABLE = (
    ("involvedObject", "involved_object"),
    ("reason", "reason"),
    ("message", "message"),
    ("source", "source"),
    ("firstTimestamp", "first_timestamp"),
    ("lastTimestamp", "last_timestamp"),
    ("count", "count"),
    ("reason", "reason"),
    ("type", "type"),
    ("eventTime", "event_time"),
    ("action", "action"),
    ("related", "related"),
    ("reportingController", "reporting_component"),
    ("reportingInstance", "reporting_instance"),
)
"""(field, attribute) in the order of kube-apiserver, which checks the reason twice."""


def validate_new_form_update(new: Event, old: Event, errors: Errors) -> None:
    """The further rules for changing an event of events.k8s.io: only its series and metadata may change."""
    if new.series != old.series:
        _series(new, errors)
    for name, attribute in _IMMUTABLE:
        value = getattr(new, attribute)
        if value != getattr(old, attribute):
            errors.invalid(name, _shown(value), IMMUTABLE)


def _shown(value: object) -> object:
    """A value as errors show it: structs with Go's names."""
    if isinstance(value, ObjectReference):
        return {
            "Kind": value.kind,
            "Namespace": value.namespace,
            "Name": value.name,
            "UID": value.uid,
            "APIVersion": value.api_version,
            "ResourceVersion": value.resource_version,
            "FieldPath": value.field_path,
        }
    if isinstance(value, EventSource):
        return {"Component": value.component, "Host": value.host}
    return value
