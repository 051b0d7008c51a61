"""alloc: subnets only. Nothing is put into the kernel; something else carries the packets."""

from collections.abc import Mapping
from typing import Any

from pybernetes.flannel.config import FamilyConfig
from pybernetes.flannel.kernel.desired import Desired
from pybernetes.flannel.leases.lease import Lease, Underlay


class Alloc:
    """Leases a subnet and stops there."""

    def __init__(self, options: Mapping[str, Any]) -> None:
        del options

    def announce(self, version: int, facts: Mapping[str, str]) -> dict[str, Any]:
        """Nothing."""
        return {}

    def overhead(self, version: int) -> int:
        """Nothing is wrapped."""
        return 0

    def local(self, family: FamilyConfig, own: Lease, underlay: Underlay) -> Desired:
        """Nothing."""
        return Desired()

    def peer(self, family: FamilyConfig, own: Lease, peer: Lease, underlay: Underlay) -> Desired:
        """Nothing."""
        return Desired()
