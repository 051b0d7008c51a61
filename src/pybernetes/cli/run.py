"""Running a component as a process: logging, signals, and an orderly end."""

import asyncio
import contextlib
import gc
import signal
import sys
from collections.abc import Coroutine
from typing import Any

import click

from pybernetes.cli.klog import set_up_logging

#: Objects are trees, freed by counting references; cycles are few. Python's own thresholds would look through all
#: cached objects again and again, for more than half of the time at 5,000 pods, and stop the event loop meanwhile.
_COLLECTOR = (5_000, 5, 1000)
#: Seconds that the event loop waits for the interpreter at most, when another thread (the store's) computes.
_SWITCH = 0.001

LEVELS = ("debug", "info", "warning", "error")

log_level = click.option(
    "--log-level", type=click.Choice(LEVELS), default="info", show_default=True, help="Least level to log."
)


def run_until_signal(work: Coroutine[Any, Any, None], level: str, *, fast_loop: bool = False) -> None:
    """Run `work` until it ends, or until SIGTERM or SIGINT cancels it. An unexpected end is an error."""
    set_up_logging(level)
    gc.set_threshold(*_COLLECTOR)
    sys.setswitchinterval(_SWITCH)
    gc.freeze()  # what was imported stays: the collector need not look at it
    factory = None
    if fast_loop:
        import uvloop

        factory = uvloop.new_event_loop
    with asyncio.Runner(loop_factory=factory) as runner:
        runner.run(_supervised(work))


async def _supervised(work: Coroutine[Any, Any, None]) -> None:
    loop = asyncio.get_running_loop()
    task = loop.create_task(work, name="main")
    asked = False

    def stop() -> None:
        nonlocal asked
        asked = True
        task.cancel()

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop)
    with contextlib.suppress(asyncio.CancelledError):
        await task
    if not asked and task.cancelled():
        raise SystemExit(1)
