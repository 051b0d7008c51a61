"""alloc: subnets only. Nothing is put into the kernel; another program carries the packets."""

from collections.abc import Mapping
from typing import Any

from pybernetes.flannel.backends.contract import Backend, BackendType
from pybernetes.flannel.config import FamilyConfig
from pybernetes.flannel.kernel.desired import Desired
from pybernetes.flannel.leases.lease import Lease, Underlay


class Alloc(Backend):
    """Leases a subnet and stops there."""

    def __init__(self, options: Mapping[str, Any]) -> None:
        del options

    def local(self, family: FamilyConfig, own: Lease, underlay: Underlay) -> Desired:
        return Desired()

    def peer(self, family: FamilyConfig, own: Lease, peer: Lease, underlay: Underlay) -> Desired:
        return Desired()


ALLOC = BackendType(name="alloc", make=Alloc)
