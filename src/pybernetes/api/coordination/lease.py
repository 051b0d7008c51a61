"""Lease: a lock with a holder and an expiry, for leader election and node heartbeats."""

from datetime import datetime
from typing import Annotated

from pybernetes.api import names, rules
from pybernetes.api.duration import age
from pybernetes.api.facts import GoType
from pybernetes.api.field import Errors, Path
from pybernetes.api.kind import Cell, Column, Kind
from pybernetes.api.meta import Int32, MicroTime, Object, Struct, always
from pybernetes.api.schema import StructSchema
from pybernetes.api.tables import AGE, NAME


class LeaseSpec(Struct, kw_only=True):
    """The holder of the lease, since when and for how long."""

    acquire_time: MicroTime = ""
    """When the current holder acquired it."""
    holder_identity: str | None = None
    """The identity of the holder."""
    lease_duration_seconds: Int32 | None = None
    """After how many seconds without renewal others may acquire it."""
    lease_transitions: Int32 | None = None
    """How often the holder has changed."""
    preferred_holder: str | None = None
    renew_time: MicroTime = ""
    """When the holder last renewed it."""
    strategy: Annotated[str | None, GoType("v1.CoordinatedLeaseStrategy")] = None


class Lease(Object, kw_only=True):
    """A lock that its holder renews periodically."""

    spec: LeaseSpec = always(LeaseSpec)
    """The holder and the duration."""


def drop_coordination(new: Lease, old: Lease | None = None) -> None:
    """The fields of coordinated leader election cannot be set: it is an alpha feature, which is off."""
    if old is None or old.spec.strategy is None:
        new.spec.strategy = None
    if old is None or old.spec.preferred_holder is None:
        new.spec.preferred_holder = None


def validate(obj: Lease, errors: Errors) -> None:
    """The duration is positive, the number of transitions not negative."""
    path, spec = Path("spec"), obj.spec
    if spec.lease_duration_seconds is not None and spec.lease_duration_seconds <= 0:
        errors.invalid(path / "leaseDurationSeconds", spec.lease_duration_seconds, "must be greater than 0")
    rules.not_negative(spec.lease_transitions, path / "leaseTransitions", errors)
    if spec.strategy is not None and spec.strategy:
        rules.follows(spec.strategy, names.qualified_name, path / "strategy", errors)
    if spec.preferred_holder and not spec.strategy:
        errors.forbidden(path / "preferredHolder", "may only be specified if `strategy` is defined")


COLUMNS = (NAME, Column("Holder", description="Who holds the lease."), AGE)


def row(obj: Lease, now: datetime) -> list[Cell]:
    return [obj.metadata.name, obj.spec.holder_identity or "", age(obj.metadata.creation_timestamp, now)]


KIND = Kind(
    group="coordination.k8s.io",
    version="v1",
    name="Lease",
    plural="leases",
    singular="lease",
    schema=StructSchema(Lease, validate=validate),
    create_on_update=True,
    unconditional_update=False,
    prepare_create=drop_coordination,
    prepare_update=drop_coordination,
    columns=COLUMNS,
    row=row,
)
