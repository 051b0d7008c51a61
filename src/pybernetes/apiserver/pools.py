"""The pools from which objects get what must be unique in the cluster, such as a Service's addresses and node ports.

A kind names its pool in `Kind.pool`. A write to such a kind is finished even if its client goes away: what it has
reserved must end up either stored or released.
"""

from collections.abc import Mapping
from typing import Any, Protocol

from pybernetes.apiserver.allocate import Changes
from pybernetes.apiserver.context import ServerContext
from pybernetes.apiserver.service_reserve import ServiceReserve


class Allocator(Protocol):
    """Reserves what an object needs, and writes it into the object."""

    def reserve(self, new: Any, old: Any | None) -> Changes:
        """Reserve; on an update also note what is given up. Raises ApiError."""

    def release(self, gone: Any) -> None:
        """Release what a deleted object had."""


def pools(context: ServerContext) -> Mapping[str, Allocator]:
    """Every pool by the name that kinds use."""
    return {"service-addresses": ServiceReserve(context)}
