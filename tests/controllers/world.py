"""A test environment for controllers: a fake API server, a clock that the test moves, and a way to wait until nothing
more happens."""

import asyncio
import heapq
from collections.abc import Callable, Iterable
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

import msgspec

from pybernetes.api.core.pod import Pod
from pybernetes.api.core.reference import ObjectReference
from pybernetes.api.meta import Object
from pybernetes.client.client import Client
from pybernetes.client.discovery import Discovery
from pybernetes.client.informer import Informers
from pybernetes.controllers.base import Controller
from pybernetes.controllers.config import Config
from pybernetes.controllers.times import stamp
from pybernetes.controllers.types import Context, EventKind, Mint

from .fake_api import FakeApi

K = TypeVar("K", bound=Object)
START = datetime(2026, 1, 1, 12, 0, 0, tzinfo=UTC)


class FakeClock:
    """A clock that stands still until `World.advance`."""

    def __init__(self) -> None:
        self.time = START
        self._timers: list[tuple[datetime, int, asyncio.TimerHandle]] = []
        self._serial = 0

    def now(self) -> datetime:
        return self.time

    def call_later(self, delay: float, callback: Callable[..., object], *args: object) -> asyncio.TimerHandle:
        when = (self.time - START).total_seconds() + delay
        handle = asyncio.TimerHandle(when, callback, args, asyncio.get_running_loop())
        self._serial += 1
        heapq.heappush(self._timers, (self.time + timedelta(seconds=delay), self._serial, handle))
        return handle

    def fire(self, until: datetime) -> bool:
        """Run the next timer due by `until`, setting the clock to its time."""
        while self._timers and self._timers[0][0] <= until:
            due, _, handle = heapq.heappop(self._timers)
            if not handle.cancelled():
                self.time = max(self.time, due)
                handle._run()
                return True
        return False


class Recorded:
    """A recorder that keeps the events."""

    def __init__(self) -> None:
        self.events: list[tuple[str, str, str, str]] = []

    def event(self, obj: Object | ObjectReference, type: EventKind, reason: str, message: str) -> None:
        name = obj.name if isinstance(obj, ObjectReference) else obj.metadata.name
        self.events.append((f"{obj.kind}/{name}", type, reason, message))

    def reasons(self) -> list[str]:
        return [reason for _, _, reason, _ in self.events]

    def messages(self, reason: str) -> list[str]:
        return [message for _, _, r, message in self.events if r == reason]


class World:
    """`async with World(ReplicaSetController) as world: ...`"""

    def __init__(
        self,
        *controllers: Callable[[Context], Controller],
        config: Config | None = None,
        mint_token: Mint | None = None,
    ) -> None:
        self.clock = FakeClock()
        self.api = FakeApi(lambda: stamp(self.clock.now()))
        self.client = Client(self.api)
        self.informers = Informers(self.client)
        self.discovery = Discovery(self.client, clock=self.clock)
        self.recorder = Recorded()
        self.reconciles = 0
        context = Context(
            client=self.client,
            informers=self.informers,
            discovery=self.discovery,
            recorder=self.recorder,
            clock=self.clock,
            config=config or Config(),
            observe=self._observe,
            mint_token=mint_token,
        )
        self.controllers = [make(context) for make in controllers]
        self._stack = AsyncExitStack()
        self._tasks: list[asyncio.Task[None]] = []

    def _observe(self, *_: object) -> None:
        self.reconciles += 1

    async def __aenter__(self) -> "World":
        return self

    async def start(self) -> "World":
        """Start the informers and the controllers."""
        self._tasks = [
            asyncio.create_task(self.informers.run(), name="informers"),
            asyncio.create_task(self.discovery.run(), name="discovery"),
        ]
        for controller in self.controllers:
            self._tasks.append(asyncio.create_task(controller.run(), name=controller.name))
        await self.settle()
        return self

    async def __aexit__(self, *_: object) -> None:
        for task in self._tasks:
            task.cancel()
        results = await asyncio.gather(*self._tasks, return_exceptions=True)
        for result in results:
            if isinstance(result, Exception):
                raise result

    async def settle(self) -> None:
        """Wait until nothing more happens, including work that is coalesced for up to a second."""
        await self._quiet()
        await self.advance(1.5)

    async def _quiet(self) -> None:
        calm, before = 0, (-1, -1)
        while calm < 30:
            await asyncio.sleep(0)
            now = (self.api.revision, self.reconciles)
            busy = any(len(c.queue) or c.queue._working for c in self.controllers)
            calm = 0 if busy or now != before else calm + 1
            before = now

    async def advance(self, seconds: float) -> None:
        """Let time pass, running timers in order."""
        until = self.clock.time + timedelta(seconds=seconds)
        await self._quiet()
        while self.clock.fire(until):
            await self._quiet()
        self.clock.time = until
        await self._quiet()

    async def create(self, obj: K) -> K:
        return await self.client.of(type(obj)).create(obj)

    async def all(self, struct: type[K], namespace: str = "") -> list[K]:
        return (await self.client.of(struct).list(namespace=namespace)).items

    async def get(self, struct: type[K], name: str, namespace: str = "default") -> K:
        return await self.client.of(struct).get(name, namespace=namespace)

    async def pods(self) -> list[Pod]:
        return [pod for pod in await self.all(Pod) if not pod.metadata.deletion_timestamp]

    async def set_pods(self, ready: bool = True, pods: Iterable[Pod] | None = None, phase: str = "Running") -> None:
        """Act as the kubelet: set the phase and the Ready condition of pods."""
        for pod in pods if pods is not None else await self.pods():
            condition = {
                "type": "Ready",
                "status": "True" if ready else "False",
                "lastTransitionTime": stamp(self.clock.now()),
            }
            status = {"phase": phase, "conditions": [condition]}
            await self.client.of(Pod).patch(
                pod.metadata.name, {"status": status}, namespace=pod.metadata.namespace, subresource="status"
            )
        await self.settle()


def load(struct: type[K], **fields: Any) -> K:
    """An object from JSON-like fields, in namespace default unless it says otherwise."""
    return msgspec.convert(fields, struct)
