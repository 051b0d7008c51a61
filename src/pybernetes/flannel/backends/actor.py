"""What a backend needs besides kernel objects: a process that moves packets, a routing daemon, commands to run.

Like the reconciler it gets the complete desired state at each pass, and finds the difference by itself.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from pybernetes.flannel.config import NetworkConfig
from pybernetes.flannel.kernel.desired import Desired
from pybernetes.flannel.leases.lease import Node
from pybernetes.flannel.metrics import FlannelMetrics


class Actor(Protocol):
    """One of them. Subclass it: only `apply` has no default."""

    def start(self, changed: Callable[[], None]) -> None:
        """The daemon runs; call `changed` to ask for a pass."""
        return

    def measure(self, metrics: FlannelMetrics) -> None:
        """Add figures of this actor."""
        return

    async def prepare(self, config: NetworkConfig) -> Mapping[str, str]:
        """Facts that the backend announces to peers, by name; asked before there is a lease. Raises LeaseError."""
        return {}

    async def apply(self, config: NetworkConfig, me: Node, want: Desired) -> Sequence[str]:
        """Do what is desired, before kernel objects change; returns sentences about what could not be done."""
        ...

    async def close(self) -> None:
        """The daemon ends."""
        return
