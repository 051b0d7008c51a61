"""Run the network commands inside a test, and stop a node's agent so that nothing is repaired."""

import asyncio
import json
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from click.testing import CliRunner

from e2e.conftest import Cluster
from pybernetes.cli.failures import expected
from pybernetes.cli.main import command
from pybernetes.cluster.supervise import process
from pybernetes.insight.check import Checked, look
from pybernetes.insight.gather import open_client


def query(net: Cluster, *args: str) -> tuple[int, Any]:
    """Exit code and JSON of a command, without starting a process."""
    done = CliRunner().invoke(command, [*args, "--name", net.name, "-o", "json"], catch_exceptions=False)
    return done.exit_code, json.loads(done.stdout)


def refusal(net: Cluster, *args: str) -> str:
    """The message with which a command refuses."""
    done = CliRunner().invoke(command, [*args, "--name", net.name])
    assert done.exit_code == 1 and done.exception is not None, done.output
    return expected(done.exception) or repr(done.exception)  # type: ignore[arg-type]


def check_once(net: Cluster) -> Checked:
    """One pass of `network check`, for states that nothing repairs meanwhile."""

    async def work() -> Checked:
        client = open_client(net.layout)
        try:
            return await look(net.layout, client)
        finally:
            await client.close()

    return asyncio.run(work())


@contextmanager
def agent_stopped(net: Cluster, node: str) -> Iterator[None]:
    """Stop the node's agent (SIGSTOP), so that it repairs nothing."""
    agent = process(net.layout, f"node-{node}")
    assert agent is not None
    os.kill(agent.pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(agent.pid, signal.SIGCONT)
