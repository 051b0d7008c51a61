"""What plugins may use when they act: kube-scheduler's framework.Handle."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from pybernetes.client.client import Client
from pybernetes.scheduler.nominations import Nominations
from pybernetes.scheduler.points import Filter
from pybernetes.scheduler.snapshot import Snapshot
from pybernetes.scheduler.types import Clock, Recorder, Rng

Write = Callable[[], Awaitable[None]]
"""A job that writes to the API server and handles its own failures."""


@dataclass(frozen=True, slots=True)
class NamedFilter:
    """A filter and the name of its plugin."""

    name: str
    filter: Filter


@dataclass(frozen=True, slots=True, kw_only=True)
class Handle:
    """One per profile, passed to the extension points that may do I/O."""

    scheduler_name: str
    filters: tuple[NamedFilter, ...]
    """The profile's filters, in order."""
    client: Client
    snapshot: Snapshot
    nominations: Nominations
    recorder: Recorder
    clock: Clock
    rng: Rng
    submit: Callable[[Write], None]
    """Run a write when a worker is free. Extension points that are not async write this way."""
    slice_seconds: float
    """How long a call that is not async may hold the event loop."""
