"""Leader election through a Lease: of several processes that could do some work, one does it.

The rules are client-go's: the holder renews the lease; others take it over when they have seen no renewal for
`lease_duration` by their own clock, so clocks need not agree. A holder that can't renew within `renew_deadline`
stops, before another process can start.
"""

import asyncio
import logging
import math
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime

import msgspec

from pybernetes.api.coordination.lease import Lease, LeaseSpec
from pybernetes.api.meta import ObjectMeta
from pybernetes.client.client import Client
from pybernetes.client.errors import AlreadyExists, ApiError, Conflict, NotFound, Unreachable

log = logging.getLogger(__name__)


class LeadershipLost(Exception):
    """The lease could not be renewed in time: the work was stopped."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LeaderConfig:
    """Durations in seconds, with the defaults of the Kubernetes components. Raises ValueError if they contradict."""

    name: str
    identity: str
    namespace: str = "kube-system"
    lease_duration: float = 15.0
    renew_deadline: float = 10.0
    retry_period: float = 2.0

    def __post_init__(self) -> None:
        if not self.lease_duration > self.renew_deadline > self.retry_period > 0:
            raise ValueError(
                f"leader election of {self.name}: lease_duration ({self.lease_duration:g} s) must be longer "
                f"than renew_deadline ({self.renew_deadline:g} s), and that than retry_period "
                f"({self.retry_period:g} s)"
            )
        if not self.identity:
            raise ValueError(f"leader election of {self.name}: the identity is empty, but names the holder")


def _utc_now() -> datetime:
    return datetime.now(UTC)


class LeaderElector:
    """Waits for the lease, then runs the work for as long as the lease is held."""

    def __init__(self, client: Client, config: LeaderConfig, *, now: Callable[[], datetime] = _utc_now) -> None:
        self._leases = client.of(Lease)
        self._config = config
        self._now = now
        self._seen: tuple[str, str] = ("", "")
        self._seen_at = 0.0
        self._last_problem = ""

    async def run(self, work: Callable[[], Awaitable[None]]) -> None:
        """Run `work` while leading. Raises LeadershipLost when the lease is lost; releases it when cancelled."""
        while not await self._try():
            await asyncio.sleep(self._config.retry_period)
        log.info("%s: %s is the leader", self._config.name, self._config.identity)
        task = asyncio.ensure_future(work())
        try:
            renewal = asyncio.create_task(self._renew(), name=f"renew lease {self._config.name}")
            try:
                await asyncio.wait({task, renewal}, return_when=asyncio.FIRST_COMPLETED)
            finally:
                renewal.cancel()
            if task.done():
                task.result()
            elif renewal.done() and not renewal.cancelled():
                renewal.result()
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            await self._release()

    async def _renew(self) -> None:
        loop = asyncio.get_running_loop()
        renewed = loop.time()
        while True:
            await asyncio.sleep(self._config.retry_period)
            # Other processes count from the renewal that they see, which is later than the moment at which it was sent.
            sent = loop.time()
            if await self._try(renewed + self._config.renew_deadline):
                renewed = sent
            elif self._seen[0] not in ("", self._config.identity):
                raise LeadershipLost(f"{self._config.name}: taken over by {self._seen[0]}")
            elif loop.time() - renewed >= self._config.renew_deadline:
                raise LeadershipLost(f"{self._config.name}: not renewed for {self._config.renew_deadline:g} s")

    async def _try(self, deadline: float = 0.0) -> bool:
        """Take or renew the lease; False when another process holds it or the server can't be reached in time."""
        deadline = deadline or asyncio.get_running_loop().time() + self._config.renew_deadline
        try:
            async with asyncio.timeout_at(deadline):
                taken = await self._acquire()
        except (ApiError, Unreachable, TimeoutError) as error:
            problem = str(error) or f"no answer within {self._config.renew_deadline:g} s"
            if problem != self._last_problem:
                log.warning("lease %s/%s: %s", self._config.namespace, self._config.name, problem)
            self._last_problem = problem
            return False
        self._last_problem = ""
        return taken

    async def _acquire(self) -> bool:
        cfg = self._config
        stamp = self._now().astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        try:
            lease = await self._leases.get(cfg.name, namespace=cfg.namespace)
        except NotFound:
            spec = LeaseSpec(
                holder_identity=cfg.identity,
                lease_duration_seconds=math.ceil(cfg.lease_duration),
                acquire_time=stamp,
                renew_time=stamp,
                lease_transitions=0,
            )
            new = Lease(metadata=ObjectMeta(name=cfg.name, namespace=cfg.namespace), spec=spec)
            try:
                await self._leases.create(new)
            except AlreadyExists:
                return False
            self._seen = (cfg.identity, stamp)
            return True
        if not self._may_take(lease):
            return False
        mine = lease.spec.holder_identity == cfg.identity
        spec = msgspec.structs.replace(
            lease.spec,
            holder_identity=cfg.identity,
            lease_duration_seconds=math.ceil(cfg.lease_duration),
            renew_time=stamp,
            acquire_time=lease.spec.acquire_time if mine else stamp,
            lease_transitions=(lease.spec.lease_transitions or 0) + (0 if mine else 1),
        )
        try:
            await self._leases.update(msgspec.structs.replace(lease, spec=spec))
        except Conflict:
            return False
        self._seen = (cfg.identity, stamp)
        return True

    def _may_take(self, lease: Lease) -> bool:
        holder = lease.spec.holder_identity or ""
        clock = asyncio.get_running_loop().time()
        state = (holder, lease.spec.renew_time)
        if state != self._seen:
            self._seen, self._seen_at = state, clock
        if holder in ("", self._config.identity):
            return True
        duration = lease.spec.lease_duration_seconds or self._config.lease_duration
        return clock - self._seen_at > duration

    async def _release(self) -> None:
        """Give the lease back, so that the next leader need not wait until it expires. A failure does no harm."""
        cfg = self._config
        try:
            async with asyncio.timeout(2):
                lease = await self._leases.get(cfg.name, namespace=cfg.namespace)
                if lease.spec.holder_identity != cfg.identity:
                    return
                spec = msgspec.structs.replace(lease.spec, holder_identity="", lease_duration_seconds=1)
                await self._leases.update(msgspec.structs.replace(lease, spec=spec))
        except (ApiError, Unreachable, TimeoutError) as error:
            log.debug("lease %s not released: %s", cfg.name, error)
