"""Leader election of controller manager and scheduler, configured by their flags."""

import platform
import uuid
from collections.abc import Awaitable, Callable
from typing import Protocol

from pybernetes.client.client import Client
from pybernetes.client.leader import LeaderConfig, LeaderElector


class LeaderFlags(Protocol):
    """The flags that are read here."""

    @property
    def leader_elect(self) -> bool: ...
    @property
    def leader_elect_lease_duration(self) -> float: ...
    @property
    def leader_elect_renew_deadline(self) -> float: ...
    @property
    def leader_elect_retry_period(self) -> float: ...
    @property
    def leader_elect_resource_name(self) -> str: ...
    @property
    def leader_elect_resource_namespace(self) -> str: ...


async def lead(flags: LeaderFlags, client: Client, work: Callable[[], Awaitable[None]]) -> None:
    """Run `work` at once, or after acquiring the Lease. Raises LeadershipLost: then the process must exit."""
    if not flags.leader_elect:
        await work()
        return
    config = LeaderConfig(
        name=flags.leader_elect_resource_name,
        # The format of Kubernetes: host name first.
        identity=f"{platform.node()}_{uuid.uuid4()}",
        namespace=flags.leader_elect_resource_namespace,
        lease_duration=flags.leader_elect_lease_duration,
        renew_deadline=flags.leader_elect_renew_deadline,
        retry_period=flags.leader_elect_retry_period,
    )
    await LeaderElector(client, config).run(work)
