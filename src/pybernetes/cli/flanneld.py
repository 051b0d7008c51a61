# ruff: noqa: RUF009 - `flag` gives a dataclass field
"""pybernetes flanneld: the pod network alone, with the flags and variables of flanneld."""

import asyncio
import logging
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import click

from pybernetes.api.core.pod import Pod
from pybernetes.cli.component import health_context
from pybernetes.cli.flags import component, flag, ignored, listed, repeated
from pybernetes.cli.run import run_until_signal
from pybernetes.cli.values import ADDRESS, BOOL, FILE, PATH, PORT
from pybernetes.cli.version import VERSION
from pybernetes.client.client import Client
from pybernetes.client.informer import Informers
from pybernetes.cluster.connection import connect, endpoint
from pybernetes.cluster.errors import ConfigError
from pybernetes.cluster.node_parts import flannel_with, make_flannel
from pybernetes.etcd import BadEndpoint, Credentials, EtcdClient, EtcdTls
from pybernetes.flannel.daemon import Flanneld
from pybernetes.flannel.etcd.manager import DEFAULT_PREFIX, EtcdManager
from pybernetes.flannel.interface import Selection
from pybernetes.flannel.options import FlannelOptions
from pybernetes.flannel.subnet_file import previous_subnets

log = logging.getLogger(__name__)

_ETCD_SECONDS = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Flags:
    """The flags of flanneld."""

    kube_subnet_mgr: bool = flag("false", "Keep leases in Node objects, not in etcd.", type=BOOL)
    kubeconfig_file: Path | None = flag(None, "How to reach the API server.", type=FILE, shown="the pod's own account")
    kube_api_url: str = flag("", "URL of the API server, in place of the kubeconfig's.")
    kube_annotation_prefix: str = flag(
        "flannel.alpha.coreos.com",
        "Prefix of the annotations on Nodes.",
        type=click.Choice(["flannel.alpha.coreos.com"]),
    )
    net_config_path: Path = flag("/etc/kube-flannel/net-conf.json", "The network's configuration.", type=PATH)
    subnet_file: Path = flag("/run/flannel/subnet.env", "Where CNI plugins read the node's subnet.", type=PATH)
    iface: tuple[str, ...] = listed(
        (), "Interface between nodes, by name or address; the first that is there.", shown="that of the default route"
    )
    iface_regex: tuple[str, ...] = repeated("The same by a regular expression, where --iface finds none.")
    iface_can_reach: str = flag(
        "", "The interface by which this address is reached, where neither is given.", type=ADDRESS
    )
    public_ip: str = flag("", "Address that other nodes are told.", type=ADDRESS, shown="the interface's")
    public_ipv6: str = flag("", "The same for IPv6.", type=ADDRESS, shown="the interface's")
    ip_masq: bool = flag("false", "Masquerade what leaves the pod network.", type=BOOL)
    ip_masq_fully_random_disable: bool = flag("false", "Masquerade without choosing source ports at random.", type=BOOL)
    ip_blackhole_route: bool = flag(
        "false", "Drop what goes to an address of this node's subnet while no bridge has the subnet.", type=BOOL
    )
    iptables_forward_rules: bool = flag("true", "Let the host forward what pods send and get.", type=BOOL)
    iptables_resync: int = flag(5, "Seconds between checks of all that was set up.", type=click.IntRange(min=1))
    healthz_ip: str = flag("0.0.0.0", "Address for /healthz.", type=ADDRESS)
    healthz_port: int = flag(0, "Port for /healthz; 0: none.", type=PORT)
    etcd_endpoints: tuple[str, ...] = listed(
        ("http://127.0.0.1:4001", "http://127.0.0.1:2379"), "etcd servers, where leases are in etcd."
    )
    etcd_prefix: str = flag(DEFAULT_PREFIX, "Where in etcd config and leases are.")
    etcd_cafile: Path | None = flag(None, "CA that signed etcd's certificate.", type=FILE)
    etcd_certfile: Path | None = flag(None, "Our certificate for etcd.", type=FILE)
    etcd_keyfile: Path | None = flag(None, "Its key.", type=FILE)
    etcd_username: str = flag("", "User of etcd.")
    etcd_password: str = flag("", "The user's password.")
    subnet_lease_renew_margin: int = flag(
        60, "Minutes before its end at which a lease in etcd is renewed.", type=click.IntRange(1, 24 * 60 - 1)
    )
    set_node_network_unavailable: bool = flag(
        "true", "Set the Node's condition NetworkUnavailable to False when the network is there.", type=BOOL
    )
    vmodule: str | None = ignored("--v is for all modules.")
    log_backtrace_at: str | None = ignored("lines have no stack traces.")


def run(flags: Flags, level: str) -> None:
    """Run the pod network of this node alone, beside other flanneld of any kind.

    Flags are those of flanneld; each can also be a variable: --ip-masq is FLANNELD_IP_MASQ. The node's name is in
    NODE_NAME, or found through the pod in POD_NAME and POD_NAMESPACE.
    """
    work = _on_nodes(flags, os.environ) if flags.kube_subnet_mgr else _on_etcd(flags)
    run_until_signal(work, level)


def options(flags: Flags, node: str) -> FlannelOptions:
    """The daemon's options."""
    public = {version: ip for version, ip in ((4, flags.public_ip), (6, flags.public_ipv6)) if ip}
    return FlannelOptions(
        node_name=node,
        net_conf=flags.net_config_path,
        subnet_file=flags.subnet_file,
        selection=Selection(
            names=flags.iface,
            patterns=flags.iface_regex,
            can_reach=flags.iface_can_reach,
            public_ips=public or None,
        ),
        ip_masq=flags.ip_masq,
        forward_rules=flags.iptables_forward_rules,
        random_ports=not flags.ip_masq_fully_random_disable,
        blackhole=flags.ip_blackhole_route,
        set_condition=flags.set_node_network_unavailable,
        resync_seconds=float(flags.iptables_resync),
        rules_seconds=float(flags.iptables_resync),
    )


async def node_of(client: Client, environment: Mapping[str, str]) -> str:
    """Which Node this is. Raises ConfigError."""
    if environment.get("NODE_NAME"):
        return environment["NODE_NAME"]
    pod, namespace = environment.get("POD_NAME", ""), environment.get("POD_NAMESPACE", "")
    if not pod or not namespace:
        raise ConfigError("which Node is this? Set NODE_NAME, or POD_NAME and POD_NAMESPACE within a pod")
    found = await client.of(Pod).get(pod, namespace=namespace)
    if not found.spec.node_name:
        raise ConfigError(f"pod {namespace}/{pod} is on no node yet; set NODE_NAME")
    return found.spec.node_name


def _etcd(flags: Flags) -> EtcdClient:
    """Raises ConfigError that names the flag."""
    if bool(flags.etcd_certfile) != bool(flags.etcd_keyfile):
        raise ConfigError("--etcd-certfile and --etcd-keyfile need each other")
    tls = EtcdTls(flags.etcd_cafile, flags.etcd_certfile, flags.etcd_keyfile)
    credentials = Credentials(flags.etcd_username, flags.etcd_password) if flags.etcd_username else None
    try:
        return EtcdClient(flags.etcd_endpoints, tls, _ETCD_SECONDS, credentials)
    except BadEndpoint as error:
        raise ConfigError(f"--etcd-endpoints: {error}") from error


async def _on_etcd(flags: Flags) -> None:
    client = _etcd(flags)
    settings = options(flags, "")
    manager = EtcdManager(
        client,
        prefix=flags.etcd_prefix,
        previous=previous_subnets(settings.subnet_file),
        margin_seconds=60.0 * flags.subnet_lease_renew_margin,
    )
    try:
        await _serve(flags, flannel_with(settings, manager))
    finally:
        await client.close()


async def _on_nodes(flags: Flags, environment: Mapping[str, str]) -> None:
    client = connect(
        endpoint(flags.kubeconfig_file, flags.kube_api_url, flag="--kubeconfig-file"), "pybernetes-flanneld"
    )
    informers = Informers(client)
    try:
        flannel = make_flannel(options(flags, await node_of(client, environment)), client, informers)
        async with asyncio.TaskGroup() as group:
            group.create_task(informers.run(), name="informers")
            group.create_task(_serve(flags, flannel), name="flannel")
    finally:
        await client.close()


async def _serve(flags: Flags, flannel: Flanneld) -> None:
    """Run it, with its health beside it: it is well while it runs, and ready when the network is."""

    def ready() -> str:
        return "" if flannel.ready else "routes and subnet file are not in place yet"

    where, port = flags.healthz_ip, flags.healthz_port
    flag, metrics = "--healthz-port", flannel.metrics.expose
    async with health_context(where, port, None, flannel.stuck, flag=flag, ready=ready, metrics=metrics):
        if port:
            log.info("Start healthz server on %s:%d", where, port)
        await flannel.run()


command = component("flanneld", Flags, run, env="FLANNELD")
# Not from the environment: there FLANNELD_VERSION often is the version that an installer is to take.
_version = click.version_option(VERSION, prog_name="pybernetes flanneld", allow_from_autoenv=False)
command = _version(command)
