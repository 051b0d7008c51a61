"""What a backend needs beside the kernel's objects: a process that moves packets, commands to be run.

Like the kernel it is given the whole desired state at each pass, and sees to the difference by itself.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from pybernetes.flannel.config import NetworkConfig
from pybernetes.flannel.kernel.desired import Desired
from pybernetes.flannel.network import Node


class Actor(Protocol):
    """One of them."""

    def start(self, changed: Callable[[], None]) -> None:
        """The daemon runs; `changed` asks it for a pass."""

    async def prepare(self, config: NetworkConfig) -> Mapping[str, str]:
        """Facts that the backend announces to peers, by name; asked before there is a lease. Raises LeaseError."""

    async def apply(self, config: NetworkConfig, me: Node, want: Desired) -> Sequence[str]:
        """Make it so, before the kernel's objects are changed; returns sentences about what could not be done."""

    async def close(self) -> None:
        """The daemon ends."""
