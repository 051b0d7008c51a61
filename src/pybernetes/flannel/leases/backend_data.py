"""The backend data of a lease: usually a JSON object; the extension backend's is a string."""

from collections.abc import Mapping
from typing import Any

from pybernetes.flannel.leases.lease import LeaseError

TEXT = "text"
"""The key for data that is a string."""


def to_json(data: Mapping[str, Any]) -> Any:
    """As it is written in a lease; None: no data."""
    if set(data) == {TEXT}:
        return data[TEXT]
    return dict(data) if data else None


def from_json(value: object, where: str) -> Mapping[str, Any]:
    """As read from a lease. Raises LeaseError, whose message begins with `where`."""
    if value is None:
        return {}
    if isinstance(value, str):
        return {TEXT: value}
    if not isinstance(value, dict):
        raise LeaseError(f"{where} must be a JSON object, found {str(value)[:60]!r}")
    return value
