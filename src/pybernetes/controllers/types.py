"""The vocabulary of this package: what a controller gets, and the contracts of its collaborators."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal, Protocol

from pybernetes.api.core.reference import ObjectReference
from pybernetes.api.core.secret import Secret
from pybernetes.api.core.service_account import ServiceAccount
from pybernetes.api.meta import Object
from pybernetes.client.client import Client
from pybernetes.client.discovery import Discovery
from pybernetes.client.informer import Informers
from pybernetes.controllers.config import Config

EventKind = Literal["Normal", "Warning"]
Outcome = Literal["success", "conflict", "error"]
Observe = Callable[[str, Outcome, float], None]
"""(controller, outcome, seconds), called after each reconcile, for metrics"""
Mint = Callable[[ServiceAccount, Secret], str]
"""(account, secret) -> a signed token (JWT) that is valid as long as both exist"""


class Clock(Protocol):
    """Time of day and timers; tests pass their own and never sleep."""

    def now(self) -> datetime:
        """The current time in UTC."""

    def call_later(self, delay: float, callback: Callable[..., object], *args: object) -> asyncio.TimerHandle:
        """Run the callback after `delay` seconds."""


class Recorder(Protocol):
    """Records what was done to objects."""

    def event(self, obj: Object | ObjectReference, type: EventKind, reason: str, message: str, /) -> None:
        """Record an event about `obj`; never blocks and never fails."""


class LoopClock:
    """The time of the machine and timers of the running event loop."""

    def now(self) -> datetime:
        """The current time in UTC."""
        return datetime.now(UTC)

    def call_later(self, delay: float, callback: Callable[..., object], *args: object) -> asyncio.TimerHandle:
        """Run the callback after `delay` seconds."""
        return asyncio.get_running_loop().call_later(delay, callback, *args)


def unobserved(controller: str, outcome: Outcome, seconds: float) -> None:
    """The default of `Context.observe`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """What every controller works with. The client acts as the controller's own user."""

    client: Client
    informers: Informers
    discovery: Discovery
    recorder: Recorder
    clock: Clock
    config: Config
    observe: Observe = unobserved
    mint_token: Mint | None = None
