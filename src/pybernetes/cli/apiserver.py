"""pybernetes apiserver: an API server alone, with the flags of kube-apiserver."""

import asyncio

from pybernetes.cli.apiserver_flags import Flags
from pybernetes.cli.apiserver_setup import setup
from pybernetes.cli.flags import component
from pybernetes.cli.run import run_until_signal
from pybernetes.cluster.api_server import Serving, serving


def run(flags: Flags, level: str) -> None:
    """Run an API server alone: the Kubernetes API over HTTPS, stored in SQLite or etcd.

    Flags are those of kube-apiserver.
    """
    run_until_signal(_serve(setup(flags)), level, fast_loop=True)


async def _serve(wanted: Serving) -> None:
    async with serving(wanted):
        await asyncio.Event().wait()


command = component("apiserver", Flags, run)
