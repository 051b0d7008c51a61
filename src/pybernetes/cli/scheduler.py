# ruff: noqa: RUF009 - `flag` gives a dataclass field
"""pybernetes scheduler: the scheduler in a separate process, with the flags of kube-scheduler."""

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
    """The flags of kube-scheduler that have an effect here, and those that its usual manifests contain."""

    config: Path | None = flag(
        None, "A KubeSchedulerConfiguration: profiles, back-off, leader election. Flags go before it.", type=FILE
    )
    kubeconfig: Path | None = flag(None, "Kubeconfig of the API server.", type=FILE, shown="the pod's own account")
    master: str = flag("", "URL of the API server, in place of the kubeconfig's.")
    bind_address: str = flag("0.0.0.0", "Address of /healthz and /metrics.", type=ADDRESS)
    secure_port: int = flag(10259, "HTTPS port of /healthz and /metrics; 0 disables it.", type=PORT)
    tls_cert_file: Path | None = flag(None, "Certificate of that port.", type=FILE, shown="a self-signed one")
    tls_private_key_file: Path | None = flag(None, "Private key of that certificate.", type=FILE)
    leader_elect: bool = flag(
        "true", "Schedule only while holding the Lease, so that several schedulers can run.", type=BOOL
    )
    leader_elect_lease_duration: float = flag(
        "15s", "Time without a renewal after which another scheduler takes over.", type=DURATION
    )
    leader_elect_renew_deadline: float = flag(
        "10s", "Time without a successful renewal after which the leader stops.", type=DURATION
    )
    leader_elect_retry_period: float = flag("2s", "Time between attempts to acquire or renew the Lease.", type=DURATION)
    leader_elect_resource_name: str = flag("kube-scheduler", "Name of the Lease.")
    leader_elect_resource_namespace: str = flag("kube-system", "Namespace of the Lease.")
    authentication_kubeconfig: str | None = ignored("/healthz and /metrics need no authentication.")
    authorization_kubeconfig: str | None = ignored("/healthz and /metrics need no authentication.")


def run(flags: Flags, level: str) -> None:
    """Run the scheduler, against this or a stock API server.

    The flags are those of kube-scheduler.
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
