"""What ConfigMaps and Secrets share: a limit, and immutability that is chosen once."""

from pybernetes.api.field import Errors, Path

MAX_DATA = 1024 * 1024
FROZEN = "field is immutable when `immutable` is set"


def validate_immutable_data(new: bool | None, old: bool | None, changed: dict[str, bool], errors: Errors) -> None:
    """Of an immutable object neither the flag nor any part of the data changes; `changed` names those that did."""
    if not old:
        return
    if not new:
        errors.forbidden(Path("immutable"), FROZEN)
    for name, is_changed in changed.items():
        if is_changed:
            errors.forbidden(Path(name), FROZEN)
