"""What all controllers share: a queue of keys, workers that reconcile them, retries, logging and metrics.

A controller is a subclass that declares in its constructor what it watches and which keys a change concerns, and
implements `reconcile(key)`. Reconciling reads caches and the clock, decides in pure functions, and writes through the
client. It may be called at any time and any number of times, but never twice at once for the same key.
"""

import asyncio
import logging
from abc import ABC, abstractmethod
from collections.abc import Callable, Coroutine, Iterable
from typing import Any, ClassVar, TypeVar

from pybernetes.api.meta import Object
from pybernetes.client.errors import ApiError, Conflict, Unreachable
from pybernetes.client.informer import Cache, Informer
from pybernetes.client.workqueue import QueueClosed, WorkQueue
from pybernetes.controllers.config import Section
from pybernetes.controllers.types import Context, Outcome

log = logging.getLogger(__name__)

K = TypeVar("K", bound=Object)
Keys = Callable[[K | None, K | None], Iterable[str]]
"""(old, new) of a change -> the keys to reconcile because of it."""

MANAGER = "kube-controller-manager"
"""The component of controllers that act as the manager itself, the user `system:kube-controller-manager`: tokens of
service accounts can't be made by a service account."""

_MAX_DELAY = 30.0
_CONFLICT_FIRST = 0.01
_CONFLICT_MAX = 0.32


class ReconcileError(Exception):
    """A pass could not finish. The text gives the reason and is logged; the key is retried with back-off."""


class Controller(ABC):
    """One control loop."""

    name: ClassVar[str]
    """The name in the --controllers flag of kube-controller-manager."""
    component: ClassVar[str]
    """The service account (in kube-system) that it acts as, or `MANAGER`."""
    settings: ClassVar[type[Section]] = Section
    """Its section of the configuration."""

    def __init__(self, context: Context) -> None:
        self.context = context
        self.queue: WorkQueue[str] = WorkQueue(max_delay=_MAX_DELAY, clock=context.clock)
        self._informers: list[Informer[Any]] = []
        self._conflicts: dict[str, int] = {}

    @abstractmethod
    async def reconcile(self, key: str) -> float | None:
        """Bring the object of `key` a step towards its desired state. Returns the seconds until the next pass that is
        due by time alone, if there is one."""

    async def start(self) -> None:
        """Called once, after all caches have synced and before the first reconcile, to rebuild state from them."""
        return

    def loops(self) -> Iterable[tuple[str, Coroutine[Any, Any, None]]]:
        """Further tasks to run with the workers: (name, coroutine)."""
        return ()

    def watch(self, struct: type[K], keys: Keys[K]) -> Cache[K]:
        """Reconcile `keys(old, new)` on each change of a kind; returns its shared cache."""

        def enqueue(old: K | None, new: K | None) -> None:
            for key in keys(old, new):
                self.queue.add(key)

        return self.observe(struct, enqueue)

    def observe(self, struct: type[K], handler: Callable[[K | None, K | None], None]) -> Cache[K]:
        """Call `handler` on each change of a kind; returns its shared cache."""
        informer = self.informer(struct)
        informer.add_handler(handler)
        return informer.cache

    def informer(self, struct: type[K]) -> Informer[K]:
        """The shared informer of a kind; this controller starts after it has synced."""
        informer = self.context.informers.of(struct)
        if informer not in self._informers:
            self._informers.append(informer)
        return informer

    async def run(self) -> None:
        """Reconcile until cancelled."""
        for informer in self._informers:
            await informer.synced()
        await self.start()
        async with asyncio.TaskGroup() as group:
            for number in range(self.context.config.of(self.settings).workers):
                group.create_task(self._work(), name=f"{self.name} worker {number}")
            for name, loop in self.loops():
                group.create_task(loop, name=f"{self.name} {name}")

    async def _work(self) -> None:
        while True:
            try:
                key = await self.queue.get()
            except QueueClosed:
                return
            try:
                await self._attempt(key)
            finally:
                self.queue.done(key)

    async def _attempt(self, key: str) -> None:
        loop = asyncio.get_running_loop()
        started = loop.time()
        outcome: Outcome = "success"
        try:
            again = await self.reconcile(key)
        except Conflict as error:
            outcome = "conflict"
            log.debug("%s: %s has changed since it was read: %s", self.name, key, error)
            self._retry_soon(key)
        except (ApiError, Unreachable, ReconcileError) as error:
            outcome = "error"
            log.warning("%s: %s failed and will be retried: %s", self.name, key, error)
            self.queue.retry(key)
        except Exception:
            outcome = "error"
            log.exception("%s: unexpected error in %s; it will be retried", self.name, key)
            self.queue.retry(key)
        else:
            self.queue.forget(key)
            self._conflicts.pop(key, None)
            if again is not None:
                self.queue.add_after(key, again)
        self.context.observe(self.name, outcome, loop.time() - started)

    def _retry_soon(self, key: str) -> None:
        """Retry after a conflict with a short delay: it only means that the cache lags."""
        count = self._conflicts.get(key, 0)
        self._conflicts[key] = count + 1
        self.queue.add_after(key, min(_CONFLICT_FIRST * 2.0 ** min(count, 10), _CONFLICT_MAX))
