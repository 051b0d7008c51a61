"""The contract of subnet managers: they give this node its subnet, and know all leases and the network config.

There are two: one keeps leases in Kubernetes' Node objects (`kube/`), one in etcd without any Kubernetes (`etcd/`).
Both keep a copy in memory, so a pass works while the API server or etcd is unavailable.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from pybernetes.flannel.config import IPAddress, IPNetwork, NetworkConfig
from pybernetes.flannel.leases.lease import Lease

__all__ = ["ManagerUnavailable", "Offer", "OwnSubnets", "SubnetManager"]


class ManagerUnavailable(Exception):
    """The API server or etcd does not answer: announcing and acquiring have to wait; the data path does not."""


@dataclass(frozen=True, slots=True)
class Offer:
    """What this node announces to its peers, except the subnet."""

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
    """Public addresses that an administrator set in place of those that the node found."""


class SubnetManager(Protocol):
    """See above. The calls that are not `async` never block."""

    def describe(self) -> str:
        """For the log, such as `Kube Subnet Manager - node-1`."""

    async def run(self, changed: Callable[[], None]) -> None:
        """Follow config and leases, and renew our own lease; call `changed` at each change."""

    async def synced(self) -> None:
        """Wait until the config and all leases were read once."""

    def config(self) -> str:
        """The network config's text. Raises ConfigError when there is none."""

    def versions(self, config: NetworkConfig) -> Sequence[int]:
        """The families that this node is to have. Raises LeaseError."""

    def announced_data(self, config: NetworkConfig, public: Mapping[int, IPAddress]) -> Mapping[int, Mapping[str, Any]]:
        """The backend data that this node announced before, perhaps in a previous run, by family."""

    async def acquire(self, config: NetworkConfig, offer: Offer) -> OwnSubnets:
        """Our subnets: the present ones, if they are still ours and fit the config; otherwise new ones. Raises
        LeaseError, ManagerUnavailable.
        """

    async def announce(self, lease: Lease) -> None:
        """Write our lease, if it differs from what is stored. Raises LeaseError, ManagerUnavailable."""

    def leases(self, config: NetworkConfig) -> tuple[list[Lease], list[str]]:
        """All leases, including ours, and a sentence for each one that is malformed.

        A lease that has not changed is the same object as in the previous call.
        """
