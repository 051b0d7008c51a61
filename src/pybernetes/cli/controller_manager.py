# ruff: noqa: RUF009 - `flag` gives a dataclass field
"""pybernetes controller-manager: the controllers alone, with the flags of kube-controller-manager."""

import asyncio
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from time import time

import click

from pybernetes.api.core.secret import Secret
from pybernetes.api.core.service_account import ServiceAccount
from pybernetes.api.meta import ObjectMeta
from pybernetes.apiserver.auth.signing import signing_key
from pybernetes.apiserver.auth.tokens import Ref, ServiceAccountTokens
from pybernetes.cli.component import health_context, secured
from pybernetes.cli.flags import component, flag, ignored, listed
from pybernetes.cli.leader_flags import lead
from pybernetes.cli.run import run_until_signal
from pybernetes.cli.values import ADDRESS, BOOL, CIDR, COUNT, DURATION, FILE, PORT
from pybernetes.client.client import Client
from pybernetes.client.endpoint import Endpoint
from pybernetes.client.informer import Informers
from pybernetes.cluster.connection import AccountTransport, connect, endpoint
from pybernetes.cluster.errors import ConfigError
from pybernetes.cluster.loops import run_controllers
from pybernetes.controllers.base import MANAGER, Controller
from pybernetes.controllers.config import Config
from pybernetes.controllers.manager import CONTROLLERS
from pybernetes.controllers.types import Mint

PREFIX = click.IntRange(0, 128)
NAMES = tuple(controller.name for controller in CONTROLLERS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Flags:
    """The flags of kube-controller-manager that mean something here, and those that its usual manifests carry."""

    kubeconfig: Path | None = flag(None, "How to reach the API server.", type=FILE, shown="the pod's own account")
    master: str = flag("", "URL of the API server, in place of the kubeconfig's.")
    controllers: tuple[str, ...] = listed(
        ("*",), f"Which to run: '*' for all, a name, or '-' and a name for not that one. {', '.join(NAMES)}."
    )
    cluster_cidr: tuple[str, ...] = listed((), "Networks of pods, one per address family.", type=CIDR)
    allocate_node_cidrs: bool = flag("false", "Give each node a subnet of --cluster-cidr.", type=BOOL)
    node_cidr_mask_size: int = flag(
        0, "Prefix length of a node's subnet, with one family.", type=click.IntRange(0, 128)
    )
    node_cidr_mask_size_ipv4: int = flag(24, "The same for IPv4, with two.", type=click.IntRange(1, 32))
    node_cidr_mask_size_ipv6: int = flag(64, "The same for IPv6.", type=click.IntRange(1, 128))
    node_monitor_period: float = flag("5s", "How often the health of nodes is looked at.", type=DURATION)
    node_monitor_grace_period: float = flag("50s", "Silence after which a node is unreachable.", type=DURATION)
    node_startup_grace_period: float = flag("1m0s", "The same for a node that has never reported.", type=DURATION)
    node_eviction_rate: float = flag(0.1, "Nodes emptied per second in a healthy zone.", type=click.FloatRange(min=0))
    secondary_node_eviction_rate: float = flag(
        0.01, "The same where many nodes are down.", type=click.FloatRange(min=0)
    )
    unhealthy_zone_threshold: float = flag(
        0.55, "Part of nodes down that makes a zone unhealthy.", type=click.FloatRange(0, 1)
    )
    large_cluster_size_threshold: int = flag(50, "Smaller unhealthy zones are not emptied.", type=COUNT)
    terminated_pod_gc_threshold: int = flag(12500, "Ended pods kept at most.", type=COUNT)
    root_ca_file: Path | None = flag(None, "CA that is published to every namespace.", type=FILE)
    service_account_private_key_file: Path | None = flag(
        None, "Key that signs tokens in Secrets; without it such Secrets stay empty.", type=FILE
    )
    use_service_account_credentials: bool = flag(
        "false", "Give each controller its own service account and rights.", type=BOOL
    )
    bind_address: str = flag("0.0.0.0", "Address for /healthz and /metrics.", type=ADDRESS)
    secure_port: int = flag(10257, "Port for /healthz and /metrics over HTTPS; 0: none.", type=PORT)
    tls_cert_file: Path | None = flag(None, "Certificate for it.", type=FILE, shown="a self-signed one")
    tls_private_key_file: Path | None = flag(None, "Its key.", type=FILE)
    leader_elect: bool = flag("true", "Work only while holding the Lease, so that several can run.", type=BOOL)
    leader_elect_lease_duration: float = flag("15s", "After so long without a renewal others take over.", type=DURATION)
    leader_elect_renew_deadline: float = flag("10s", "A leader that cannot renew for so long stops.", type=DURATION)
    leader_elect_retry_period: float = flag("2s", "Time between attempts.", type=DURATION)
    leader_elect_resource_name: str = flag("kube-controller-manager", "Name of the Lease.")
    leader_elect_resource_namespace: str = flag("kube-system", "Its namespace.")
    cluster_name: str | None = ignored("there is no cloud provider.")
    service_cluster_ip_range: str | None = ignored("keep it apart from --cluster-cidr.")
    authentication_kubeconfig: str | None = ignored("/healthz and /metrics are open to all who reach them.")
    authorization_kubeconfig: str | None = ignored("/healthz and /metrics are open to all who reach them.")
    client_ca_file: str | None = ignored("/healthz and /metrics are open to all who reach them.")
    requestheader_client_ca_file: str | None = ignored("/healthz and /metrics are open to all who reach them.")
    cluster_signing_cert_file: str | None = ignored("certificate requests are not signed.")
    cluster_signing_key_file: str | None = ignored("certificate requests are not signed.")


def run(flags: Flags, level: str) -> None:
    """Run the controllers alone, against this or a stock API server.

    Flags are those of kube-controller-manager. Without --use-service-account-credentials all controllers act as the
    user of the kubeconfig, which then needs the rights of all of them.
    """
    config, chosen, mint = settings(flags), choose(flags.controllers), minter(flags)
    run_until_signal(_work(flags, config, chosen, mint), level)


def settings(flags: Flags) -> Config:
    """The controllers' settings. Raises ConfigError."""
    if flags.allocate_node_cidrs and not flags.cluster_cidr:
        raise ConfigError("--allocate-node-cidrs needs --cluster-cidr, the network to take the nodes' subnets from")
    common = flags.node_cidr_mask_size
    if common and len(flags.cluster_cidr) > 1:
        raise ConfigError(
            "--node-cidr-mask-size goes with one family; with two use --node-cidr-mask-size-ipv4 and -ipv6"
        )
    single_v6 = common and flags.cluster_cidr and ":" in flags.cluster_cidr[0]
    try:
        return Config(
            cluster_cidrs=flags.cluster_cidr if flags.allocate_node_cidrs else (),
            allocate_node_cidrs=flags.allocate_node_cidrs,
            node_cidr_mask_size_ipv4=common if common and not single_v6 else flags.node_cidr_mask_size_ipv4,
            node_cidr_mask_size_ipv6=common if single_v6 else flags.node_cidr_mask_size_ipv6,
            node_monitor_period=flags.node_monitor_period,
            node_monitor_grace_period=flags.node_monitor_grace_period,
            node_startup_grace_period=flags.node_startup_grace_period,
            node_eviction_rate=flags.node_eviction_rate,
            secondary_node_eviction_rate=flags.secondary_node_eviction_rate,
            unhealthy_zone_threshold=flags.unhealthy_zone_threshold,
            large_cluster_size_threshold=flags.large_cluster_size_threshold,
            terminated_pod_gc_threshold=flags.terminated_pod_gc_threshold,
            root_ca=flags.root_ca_file.read_text() if flags.root_ca_file else "",
        )
    except ValueError as error:
        raise ConfigError(f"--{error}") from error


def choose(wanted: tuple[str, ...]) -> tuple[type[Controller], ...]:
    """The controllers that `--controllers` names, in their usual order. Raises ConfigError."""
    unknown = [name for name in wanted if name != "*" and name.removeprefix("-") not in NAMES]
    if unknown:
        raise ConfigError(f"--controllers: there is no {', '.join(unknown)}; there are {', '.join(NAMES)}")
    everything = "*" in wanted
    return tuple(
        controller
        for controller in CONTROLLERS
        if f"-{controller.name}" not in wanted and (everything or controller.name in wanted)
    )


def minter(flags: Flags) -> Mint | None:
    """Signs tokens that live in Secrets; None without a key."""
    path = flags.service_account_private_key_file
    if path is None:
        return None
    try:
        key = signing_key(path.read_bytes())
    except ValueError as error:
        raise ConfigError(f"--service-account-private-key-file {path}: {error}") from error

    async def nobody(kind: str, namespace: str, name: str) -> ObjectMeta | None:
        return None

    tokens = ServiceAccountTokens(issuer="", key=key, lookup=nobody, clock=time, new_id=lambda: str(uuid.uuid4()))

    def mint(account: ServiceAccount, secret: Secret) -> str:
        meta = account.metadata
        return tokens.mint_secret(meta.namespace, Ref(meta.name, meta.uid), secret.metadata.name)

    return mint


async def _work(flags: Flags, config: Config, chosen: tuple[type[Controller], ...], mint: Mint | None) -> None:
    at = endpoint(flags.kubeconfig, flags.master)
    client = connect(at, "pybernetes-controller-manager")
    accounts: list[Client] = []

    async def control() -> None:
        informers = Informers(client)
        loops = run_controllers(_clients(flags, client, at, accounts), informers, config, mint=mint, controllers=chosen)
        async with asyncio.TaskGroup() as group:
            group.create_task(informers.run(), name="informers")
            group.create_task(loops, name="controllers")

    try:
        async with health_context(flags.bind_address, flags.secure_port, secured(flags), lambda: ""):
            await lead(flags, client, control)
    finally:
        for one in (*accounts, client):
            await one.close()


def _clients(flags: Flags, client: Client, at: Endpoint, made: list[Client]) -> Callable[[str], Client]:
    """Which client a component speaks through; those made here are put into `made`."""

    def client_for(component: str) -> Client:
        if not flags.use_service_account_credentials or component == MANAGER:
            return client
        made.append(Client(AccountTransport(client, at, component)))
        return made[-1]

    return client_for


command = component("controller-manager", Flags, run)
