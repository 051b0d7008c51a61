"""Rules that ConfigMaps and Secrets share: the size limit and the flag `immutable`."""

from pybernetes.api.field import Errors, Path

MAX_DATA = 1024 * 1024
FROZEN = "field is immutable when `immutable` is set"


def validate_immutable_data(new: bool | None, old: bool | None, changed: dict[str, bool], errors: Errors) -> None:
    """Neither the flag nor the data of an immutable object changes. `changed`: field -> whether it differs."""
    if not old:
        return
    if not new:
        errors.forbidden(Path("immutable"), FROZEN)
    for name, is_changed in changed.items():
        if is_changed:
            errors.forbidden(Path(name), FROZEN)
