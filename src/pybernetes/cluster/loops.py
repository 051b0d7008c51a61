"""Run controllers and scheduler with their clients and event recorders, in one process or each alone."""

import asyncio
import random
from collections.abc import Callable

from pybernetes.client.client import Client
from pybernetes.client.events import EventRecorder
from pybernetes.client.informer import Informers
from pybernetes.controllers.base import Controller
from pybernetes.controllers.config import Config
from pybernetes.controllers.manager import CONTROLLERS, ControllerManager
from pybernetes.controllers.types import Mint
from pybernetes.scheduler.config import Config as SchedulerConfig
from pybernetes.scheduler.scheduler import Scheduler


async def run_controllers(
    client_for: Callable[[str], Client],
    informers: Informers,
    config: Config,
    *,
    mint: Mint | None = None,
    controllers: tuple[type[Controller], ...] = CONTROLLERS,
) -> None:
    """Run the controllers until cancelled. `client_for` is called once per component. The caller runs the informers."""
    clients: dict[str, Client] = {}
    recorders: dict[str, EventRecorder] = {}

    def client_of(component: str) -> Client:
        if component not in clients:
            clients[component] = client_for(component)
        return clients[component]

    def recorder_for(component: str) -> EventRecorder:
        if component not in recorders:
            recorders[component] = EventRecorder(client_of(component), component)
        return recorders[component]

    manager = ControllerManager(
        client_of, informers, config, recorder_for=recorder_for, mint_token=mint, controllers=controllers
    )
    async with asyncio.TaskGroup() as group:
        group.create_task(manager.run(), name="controllers")
        for component, recorder in recorders.items():
            group.create_task(recorder.run(), name=f"events of {component}")


async def run_scheduler(client: Client, informers: Informers, config: SchedulerConfig | None = None) -> None:
    """Run the scheduler until cancelled. The caller runs the informers."""
    config = config or SchedulerConfig()
    recorders = {p.scheduler_name: EventRecorder(client, p.scheduler_name) for p in config.profiles}
    scheduler = Scheduler(client, informers, recorders, config, rng=random.Random())
    async with asyncio.TaskGroup() as group:
        group.create_task(scheduler.run(), name="scheduler")
        for name, recorder in recorders.items():
            group.create_task(recorder.run(), name=f"events of {name}")
