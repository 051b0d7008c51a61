"""Who gives this node its subnet, knows everybody's lease, and holds the network config.

Two do: Kubernetes' Node objects (`kube/`) and etcd without any Kubernetes (`etcd/`). Both keep what
they know in memory, so that a pass works while the far side is away.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from pybernetes.flannel.config import IPAddress, IPNetwork, NetworkConfig
from pybernetes.flannel.leases.lease import Lease

__all__ = ["ManagerUnavailable", "Offer", "OwnSubnets", "SubnetManager"]


class ManagerUnavailable(Exception):
    """Nobody answered. What was to be told or asked has to wait; the data path does not."""


@dataclass(frozen=True, slots=True)
class Offer:
    """What this node has to tell its peers, but for the subnet."""

    backend: str
    public: Mapping[int, IPAddress]
    """By family, 4 and 6."""
    data: Mapping[int, Mapping[str, Any]]
    """The backend's own facts by family."""


@dataclass(frozen=True, slots=True)
class OwnSubnets:
    """This node's own subnets, by family, and the name under which peers know it."""

    name: str
    subnets: Mapping[int, IPNetwork]
    public: Mapping[int, IPAddress] = field(default_factory=dict)
    """Addresses by which peers are to reach this node whatever it says itself; an administrator's word."""


class SubnetManager(Protocol):
    """See above. None of the plain calls waits."""

    def describe(self) -> str:
        """For the log, such as `Kube Subnet Manager - node-1`."""

    async def run(self, changed: Callable[[], None]) -> None:
        """Follow config and leases, keep our own lease alive; call `changed` for everything that may matter."""

    async def synced(self) -> None:
        """Wait until the config and all leases were read once."""

    def config(self) -> str:
        """The network config's text. Raises ConfigError when there is none."""

    def versions(self, config: NetworkConfig) -> Sequence[int]:
        """The families that this node is to have. Raises LeaseError."""

    def announced_data(self, config: NetworkConfig, public: Mapping[int, IPAddress]) -> Mapping[int, Mapping[str, Any]]:
        """The backend data that this node told its peers before, perhaps in an earlier life, by family."""

    async def acquire(self, config: NetworkConfig, offer: Offer) -> OwnSubnets:
        """Our subnets: those that we hold, if they are still ours and fit the config; else new ones. Raises
        LeaseError, ManagerUnavailable.
        """

    async def announce(self, lease: Lease) -> None:
        """Tell the peers, if what they know differs. Raises LeaseError, ManagerUnavailable."""

    def leases(self, config: NetworkConfig) -> tuple[list[Lease], list[str]]:
        """Everybody's leases, ours too, and a sentence for each one that makes none.

        One that has not changed is the very same object as the time before.
        """
