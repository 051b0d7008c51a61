"""Renews one etcd lease, `margin` before it expires."""

import asyncio
import logging
import time
from collections.abc import Callable

from pybernetes.etcd import EtcdClient, EtcdError, LeaseGone

log = logging.getLogger(__name__)

_RETRY_SECONDS = 60.0
#: The clock is read at least this often, because timers do not advance while the machine sleeps.
_LOOK_SECONDS = 60.0


def since_boot() -> float:
    """Seconds on a clock that is never set, and that advances while the machine sleeps, as etcd's does."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


class Renewal:
    """Asks for the lease's number each time: an administrator may attach our key to another lease, or to none."""

    def __init__(
        self,
        client: EtcdClient,
        number: Callable[[], int],
        *,
        margin_seconds: float,
        clock: Callable[[], float],
        look_seconds: float = _LOOK_SECONDS,
    ) -> None:
        self._client = client
        self._number = number
        self._margin = margin_seconds
        self._clock = clock
        self._look = look_seconds
        self._due: float | None = None
        """When to renew, on the clock; None: there is nothing to renew."""
        self._seconds = 0
        self._end: float | None = None
        """When the lease expires unless it is renewed, on the clock; None: it has expired, and that was logged."""
        self._moved = asyncio.Event()

    async def start(self, number: int) -> None:
        """Renew this lease now, and from now on in time; 0 is a reservation, which needs none. Raises EtcdError."""
        self._due = None
        if number:
            await self._keep(number)
        self._moved.set()

    async def run(self, changed: Callable[[], None]) -> None:
        """Until cancelled; calls `changed` when the lease turns out to be lost."""
        while True:
            self._moved.clear()
            try:
                wait = None if self._due is None else min(self._look, max(0.0, self._due - self._clock()))
                async with asyncio.timeout(wait):
                    await self._moved.wait()
            except TimeoutError:
                if self._due is not None and self._due <= self._clock():
                    await self._renew(changed)

    async def _renew(self, changed: Callable[[], None]) -> None:
        number = self._number()
        self._due = None
        if not number:
            return
        try:
            await self._keep(number)
            expiration = time.strftime("%Y-%m-%d %H:%M:%S %Z", time.localtime(time.time() + self._seconds))
            log.info("Lease renewed, new expiration: %s", expiration)
        except LeaseGone as error:
            log.error("Lease has been revoked: %s", error)
            changed()
        except EtcdError as error:
            again = min(_RETRY_SECONDS, max(0.1, self._seconds / 20))
            log.error("Error renewing lease (trying again in %s): %s", duration(again), error)
            self._due = self._clock() + again
            self._report_expiry()

    def _report_expiry(self) -> None:
        """Log once when the lease has expired because etcd did not answer."""
        if self._end is not None and self._clock() > self._end:
            self._end = None
            log.error(
                "the lease has expired: peers drop their routes to the pods of this node, and its subnet may be leased"
                " to another node; pods go on running, and the lease is acquired again once etcd answers"
            )

    async def _keep(self, number: int) -> None:
        asked = self._clock()
        self._seconds = await self._client.keep_alive(number)
        # A margin as long as the lease, or longer, would mean renewing without a pause.
        wait = max(self._seconds - self._margin, self._seconds / 3)
        self._due, self._end = asked + wait, asked + self._seconds
        log.info("Waiting for %s to renew lease", duration(wait))


def duration(seconds: float) -> str:
    """As Go writes it: 22h59m59s"""
    whole = int(seconds)
    if whole < 1:
        return f"{seconds * 1000:.0f}ms"
    hours, rest = divmod(whole, 3600)
    minutes, rest = divmod(rest, 60)
    return (f"{hours}h" if hours else "") + (f"{minutes}m" if hours or minutes else "") + f"{rest}s"
