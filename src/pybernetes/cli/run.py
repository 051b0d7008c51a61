"""Run a component as a process: logging, signals, and an orderly shutdown."""

import asyncio
import contextlib
import gc
import signal
import sys
from collections.abc import Coroutine
from typing import Any

import click

from pybernetes.cli.klog import set_up_logging

#: API objects are trees, freed by reference counting; cycles are rare. With Python's default thresholds, the collector
#: scans all cached objects repeatedly: at 5,000 pods, more than half of the time, and it blocks the event loop.
_COLLECTOR = (5_000, 5, 1000)
#: Maximum seconds that the event loop waits for the GIL while another thread (the store's) computes.
_SWITCH = 0.001

LEVELS = ("debug", "info", "warning", "error")

log_level = click.option(
    "--log-level", type=click.Choice(LEVELS), default="info", show_default=True, help="Minimum level of log lines."
)


def run_until_signal(work: Coroutine[Any, Any, None], level: str, *, fast_loop: bool = False) -> None:
    """Run `work` until it returns, or until SIGTERM or SIGINT cancels it. An unexpected end is an error."""
    set_up_logging(level)
    gc.set_threshold(*_COLLECTOR)
    sys.setswitchinterval(_SWITCH)
    gc.freeze()  # exclude imported modules from collection
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
