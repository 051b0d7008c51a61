"""Lists of `Condition`: lookup, update and validation."""

from pybernetes.api import names, rules
from pybernetes.api.field import Errors, Path
from pybernetes.api.meta import Condition, Time

STATUSES = ("False", "True", "Unknown")
_MAX_REASON = 1024
_MAX_MESSAGE = 32 * 1024


def find(conditions: list[Condition], type: str) -> Condition | None:
    """The condition of the given type, or None."""
    return next((item for item in conditions if item.type == type), None)


def with_condition(conditions: list[Condition], new: Condition, now: Time) -> list[Condition]:
    """The list with one condition set at its position. `last_transition_time` changes only when the status does."""
    old = find(conditions, new.type)
    new.last_transition_time = old.last_transition_time if old is not None and old.status == new.status else now
    return [*conditions, new] if old is None else [new if item is old else item for item in conditions]


def validate_conditions(conditions: list[Condition], path: Path, errors: Errors) -> None:
    """Types are unique, and every field is valid."""
    seen: set[str] = set()
    for index, item in enumerate(conditions):
        if item.type in seen:
            errors.duplicate(path @ index, item.type)
        seen.add(item.type)
        _validate(item, path @ index, errors)


def _validate(item: Condition, path: Path, errors: Errors) -> None:
    if not item.type:
        errors.required(path / "type", "is required")
    else:
        rules.follows(item.type, names.qualified_name, path / "type", errors)
    rules.one_of(item.status, STATUSES, path / "status", errors)
    if item.observed_generation < 0:
        errors.invalid(path / "observedGeneration", item.observed_generation, "must be greater than or equal to zero")
    if not item.last_transition_time:
        errors.required(path / "lastTransitionTime")
    if not item.reason:
        errors.required(path / "reason")
    else:
        rules.follows(item.reason, names.condition_reason, path / "reason", errors)
        if len(item.reason) > _MAX_REASON:
            errors.too_long(path / "reason", _MAX_REASON)
    if len(item.message) > _MAX_MESSAGE:
        errors.too_long(path / "message", _MAX_MESSAGE)
