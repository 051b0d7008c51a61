# ruff: noqa: RUF009 - `flag` gives a dataclass field
"""pybernetes scheduler: the scheduler alone, with the flags of kube-scheduler."""

import asyncio
from dataclasses import dataclass
from pathlib import Path

from pybernetes.cli.component import health_context, secured
from pybernetes.cli.flags import component, flag, ignored
from pybernetes.cli.leader_flags import lead
from pybernetes.cli.run import run_until_signal
from pybernetes.cli.scheduler_config import load, with_file
from pybernetes.cli.values import ADDRESS, BOOL, DURATION, FILE, PORT
from pybernetes.client.client import Client
from pybernetes.client.informer import Informers
from pybernetes.cluster.connection import connect, endpoint
from pybernetes.cluster.loops import run_scheduler
from pybernetes.scheduler.config import Config, from_configuration


@dataclass(frozen=True, slots=True, kw_only=True)
class Flags:
    """The flags of kube-scheduler that mean something here, and those that its usual manifests carry."""

    config: Path | None = flag(
        None, "A KubeSchedulerConfiguration: profiles, back-off, leader election. Flags go before it.", type=FILE
    )
    kubeconfig: Path | None = flag(None, "How to reach the API server.", type=FILE, shown="the pod's own account")
    master: str = flag("", "URL of the API server, in place of the kubeconfig's.")
    bind_address: str = flag("0.0.0.0", "Address for /healthz and /metrics.", type=ADDRESS)
    secure_port: int = flag(10259, "Port for /healthz and /metrics over HTTPS; 0: none.", type=PORT)
    tls_cert_file: Path | None = flag(None, "Certificate for it.", type=FILE, shown="a self-signed one")
    tls_private_key_file: Path | None = flag(None, "Its key.", type=FILE)
    leader_elect: bool = flag("true", "Work only while holding the Lease, so that several can run.", type=BOOL)
    leader_elect_lease_duration: float = flag("15s", "After so long without a renewal others take over.", type=DURATION)
    leader_elect_renew_deadline: float = flag("10s", "A leader that cannot renew for so long stops.", type=DURATION)
    leader_elect_retry_period: float = flag("2s", "Time between attempts.", type=DURATION)
    leader_elect_resource_name: str = flag("kube-scheduler", "Name of the Lease.")
    leader_elect_resource_namespace: str = flag("kube-system", "Its namespace.")
    authentication_kubeconfig: str | None = ignored("/healthz and /metrics are open to all who reach them.")
    authorization_kubeconfig: str | None = ignored("/healthz and /metrics are open to all who reach them.")


def run(flags: Flags, level: str) -> None:
    """Run the scheduler alone, against this or a stock API server.

    Flags are those of kube-scheduler.
    """
    run_until_signal(_work(flags), level)


async def _work(flags: Flags) -> None:
    config = Config()
    if flags.config is not None:
        found = load(flags.config)
        flags, config = with_file(flags, found), from_configuration(found)
    client = connect(endpoint(flags.kubeconfig, flags.master), "pybernetes-scheduler")
    try:
        async with health_context(flags.bind_address, flags.secure_port, secured(flags), lambda: ""):
            await lead(flags, client, lambda: _schedule(client, config))
    finally:
        await client.close()


async def _schedule(client: Client, config: Config) -> None:
    informers = Informers(client)
    async with asyncio.TaskGroup() as group:
        group.create_task(informers.run(), name="informers")
        group.create_task(run_scheduler(client, informers, config), name="scheduler")


command = component("scheduler", Flags, run)
