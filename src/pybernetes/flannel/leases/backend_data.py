"""A backend's own facts in a lease: mostly a JSON object, but the extension backend's are one piece of text."""

from collections.abc import Mapping
from typing import Any

from pybernetes.flannel.leases.lease import LeaseError

TEXT = "text"
"""Under this name the text, where the data is nothing else."""


def to_json(data: Mapping[str, Any]) -> Any:
    """As a lease has it; None where there is nothing to say."""
    if set(data) == {TEXT}:
        return data[TEXT]
    return dict(data) if data else None


def from_json(value: object, where: str) -> Mapping[str, Any]:
    """From a lease. Raises LeaseError, which names `where`."""
    if value is None:
        return {}
    if isinstance(value, str):
        return {TEXT: value}
    if not isinstance(value, dict):
        raise LeaseError(f"{where} must be a JSON object, found {str(value)[:60]!r}")
    return value
