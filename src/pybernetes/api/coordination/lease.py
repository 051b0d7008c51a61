"""TODOC coordination/lease.py"""

from pybernetes.api.kind import Kind
from pybernetes.api.meta import MicroTime, Object, Struct, always


class LeaseSpec(Struct, kw_only=True):
    """TODOC LeaseSpec"""

    acquire_time: MicroTime = ""
    holder_identity: str | None = None
    lease_duration_seconds: int | None = None
    lease_transitions: int | None = None
    preferred_holder: str | None = None
    renew_time: MicroTime = ""
    strategy: str | None = None


class Lease(Object, kw_only=True):
    """TODOC Lease"""

    spec: LeaseSpec = always(LeaseSpec)


KIND = Kind(
    group="coordination.k8s.io",
    version="v1",
    name="Lease",
    plural="leases",
    singular="lease",
    struct=Lease,
    create_on_update=True,
)
