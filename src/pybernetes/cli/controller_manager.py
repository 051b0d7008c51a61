# ruff: noqa: RUF009 - `flag` gives a dataclass field
"""pybernetes controller-manager: the controllers alone, with the flags of kube-controller-manager."""

import asyncio
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, make_dataclass
from pathlib import Path
from time import time
from typing import Any

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
from pybernetes.controllers.config import Config, Form, RootCAConfig, Section, Setting, flags_of
from pybernetes.controllers.manager import CONTROLLERS
from pybernetes.controllers.types import Mint

NAMES = tuple(controller.name for controller in CONTROLLERS)

_TYPES: dict[Form, click.ParamType[Any]] = {
    "bool": BOOL,
    "count": COUNT,
    "duration": DURATION,
    "rate": click.FloatRange(min=0),
    "share": click.FloatRange(0, 1),
    "prefix": click.IntRange(0, 128),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ManagerFlags:
    """The flags of kube-controller-manager that concern no single controller, and those of its usual manifests that
    mean nothing here."""

    kubeconfig: Path | None = flag(None, "How to reach the API server.", type=FILE, shown="the pod's own account")
    master: str = flag("", "URL of the API server, in place of the kubeconfig's.")
    controllers: tuple[str, ...] = listed(
        ("*",), f"Which to run: '*' for all, a name, or '-' and a name to leave one out. {', '.join(NAMES)}."
    )
    root_ca_file: Path | None = flag(None, "CA certificate that is published in every namespace.", type=FILE)
    service_account_private_key_file: Path | None = flag(
        None, "Key that signs tokens in Secrets. Without it no such token is made.", type=FILE
    )
    use_service_account_credentials: bool = flag(
        "false", "Give each controller its own service account and rights.", type=BOOL
    )
    bind_address: str = flag("0.0.0.0", "Address for /healthz and /metrics.", type=ADDRESS)
    secure_port: int = flag(10257, "Port for /healthz and /metrics over HTTPS; 0: none.", type=PORT)
    tls_cert_file: Path | None = flag(None, "Certificate for it.", type=FILE, shown="a self-signed one")
    tls_private_key_file: Path | None = flag(None, "Its key.", type=FILE)
    leader_elect: bool = flag("true", "Work only while holding a Lease, so that several processes can run.", type=BOOL)
    leader_elect_lease_duration: float = flag("15s", "Time without a renewal until another takes over.", type=DURATION)
    leader_elect_renew_deadline: float = flag("10s", "Time until a leader that cannot renew stops.", type=DURATION)
    leader_elect_retry_period: float = flag("2s", "Time between two attempts.", type=DURATION)
    leader_elect_resource_name: str = flag("kube-controller-manager", "Name of the Lease.")
    leader_elect_resource_namespace: str = flag("kube-system", "Its namespace.")
    cluster_name: str | None = ignored("there is no cloud provider.")
    service_cluster_ip_range: str | None = ignored("keep it apart from --cluster-cidr.")
    authentication_kubeconfig: str | None = ignored("/healthz and /metrics need no authentication.")
    authorization_kubeconfig: str | None = ignored("/healthz and /metrics need no authentication.")
    client_ca_file: str | None = ignored("/healthz and /metrics need no authentication.")
    requestheader_client_ca_file: str | None = ignored("/healthz and /metrics need no authentication.")
    cluster_signing_cert_file: str | None = ignored("certificate requests are not signed.")
    cluster_signing_key_file: str | None = ignored("certificate requests are not signed.")


def _flag(setting: Setting) -> Any:
    """The flag of a controller's setting."""
    if setting.form == "cidrs":
        return listed(setting.default, setting.help, type=CIDR)
    default = setting.default
    if setting.form == "duration":
        minutes, seconds = divmod(default, 60)
        default = f"{minutes:.0f}m{seconds:g}s" if minutes else f"{seconds:g}s"
    elif setting.form == "bool":
        default = "true" if default else "false"
    return flag(default, setting.help, type=_TYPES[setting.form])


def _field(setting: Setting) -> str:
    return setting.flag.replace("-", "_")


def sections(controllers: Sequence[type[Controller]]) -> list[type[Section]]:
    """The settings of these controllers, in their order."""
    return list(dict.fromkeys(controller.settings for controller in controllers))


def flags_class(controllers: Sequence[type[Controller]]) -> type[ManagerFlags]:
    """All flags: those of the manager and those of its controllers' settings."""
    settings = [setting for section in sections(controllers) for _, setting in flags_of(section)]
    made = [(_field(setting), object, _flag(setting)) for setting in settings]
    return make_dataclass("Flags", made, bases=(ManagerFlags,), frozen=True, kw_only=True)


Flags = flags_class(CONTROLLERS)


def run(flags: ManagerFlags, level: str) -> None:
    """Run the controllers alone, against this or a stock API server.

    Flags are those of kube-controller-manager. Without --use-service-account-credentials all controllers act as the
    user of the kubeconfig, which then needs the rights of all of them.
    """
    config, chosen, mint = settings(flags), choose(flags.controllers), minter(flags)
    run_until_signal(_work(flags, config, chosen, mint), level)


def settings(flags: ManagerFlags, controllers: Sequence[type[Controller]] = CONTROLLERS) -> Config:
    """The controllers' settings. Raises ConfigError."""
    values = asdict(flags)
    root_ca = flags.root_ca_file.read_text() if flags.root_ca_file else ""
    try:
        made = [_section(section, values) for section in sections(controllers) if section is not RootCAConfig]
        return Config(RootCAConfig(root_ca=root_ca), *made)
    except ValueError as error:
        raise ConfigError(f"--{error}") from error


def _section(section: type[Section], values: Mapping[str, Any]) -> Section:
    return section(**{name: values[_field(setting)] for name, setting in flags_of(section)})


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


def minter(flags: ManagerFlags) -> Mint | None:
    """Signs tokens that live in Secrets; None without a key."""
    path = flags.service_account_private_key_file
    if path is None:
        return None
    try:
        key = signing_key(path.read_bytes())
    except ValueError as error:
        raise ConfigError(f"--service-account-private-key-file {path}: {error}") from error

    async def no_object(kind: str, namespace: str, name: str) -> ObjectMeta | None:
        return None

    tokens = ServiceAccountTokens(issuer="", key=key, lookup=no_object, clock=time, new_id=lambda: str(uuid.uuid4()))

    def mint(account: ServiceAccount, secret: Secret) -> str:
        meta = account.metadata
        return tokens.mint_secret(meta.namespace, Ref(meta.name, meta.uid), secret.metadata.name)

    return mint


async def _work(flags: ManagerFlags, config: Config, chosen: tuple[type[Controller], ...], mint: Mint | None) -> None:
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


def _clients(flags: ManagerFlags, client: Client, at: Endpoint, made: list[Client]) -> Callable[[str], Client]:
    """The function that returns the client of a component; clients created here are added to `made`."""

    def client_for(component: str) -> Client:
        if not flags.use_service_account_credentials or component == MANAGER:
            return client
        made.append(Client(AccountTransport(client, at, component)))
        return made[-1]

    return client_for


command = component("controller-manager", Flags, run)
