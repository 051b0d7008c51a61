# ruff: noqa: RUF009 - `flag` gives a dataclass field
"""pybernetes flanneld: the pod network alone, with the flags and variables of flanneld."""

import asyncio
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import click

from pybernetes.api.core.pod import Pod
from pybernetes.cli.component import health_context
from pybernetes.cli.flags import component, flag, ignored, listed
from pybernetes.cli.run import run_until_signal
from pybernetes.cli.values import ADDRESS, BOOL, FILE, PATH, PORT
from pybernetes.client.client import Client
from pybernetes.client.informer import Informers
from pybernetes.cluster.connection import connect, endpoint
from pybernetes.cluster.errors import ConfigError
from pybernetes.cluster.node_parts import make_flannel
from pybernetes.flannel.interface import Selection
from pybernetes.flannel.options import FlannelOptions


@dataclass(frozen=True, slots=True, kw_only=True)
class Flags:
    """The flags of flanneld."""

    kube_subnet_mgr: bool = flag("false", "Keep leases in Node objects. Needed: the other way is etcd.", type=BOOL)
    kubeconfig_file: Path | None = flag(None, "How to reach the API server.", type=FILE, shown="the pod's own account")
    kube_api_url: str = flag("", "URL of the API server, in place of the kubeconfig's.")
    kube_annotation_prefix: str = flag(
        "flannel.alpha.coreos.com",
        "Prefix of the annotations on Nodes.",
        type=click.Choice(["flannel.alpha.coreos.com"]),
    )
    net_config_path: Path = flag("/etc/kube-flannel/net-conf.json", "The network's configuration.", type=PATH)
    subnet_file: Path = flag("/run/flannel/subnet.env", "Where CNI plugins read the node's subnet.", type=PATH)
    iface: tuple[str, ...] = listed((), "Interface between nodes, by name or address; the first that is there.")
    iface_regex: tuple[str, ...] = listed((), "The same by a regular expression.")
    iface_can_reach: str = flag("", "The interface by which this address is reached.", type=ADDRESS)
    public_ip: str = flag("", "Address that other nodes are told.", type=ADDRESS, shown="the interface's")
    public_ipv6: str = flag("", "The same for IPv6.", type=ADDRESS, shown="the interface's")
    ip_masq: bool = flag("false", "Masquerade what leaves the pod network.", type=BOOL)
    iptables_forward_rules: bool = flag("true", "Let the host forward what pods send and get.", type=BOOL)
    iptables_resync: int = flag(5, "Seconds between checks of all that was set up.", type=click.IntRange(min=1))
    healthz_ip: str = flag("0.0.0.0", "Address for /healthz.", type=ADDRESS)
    healthz_port: int = flag(0, "Port for /healthz; 0: none.", type=PORT)
    etcd_endpoints: str = flag("", "etcd servers; leases in etcd are not possible yet.")
    etcd_prefix: str | None = ignored("leases are kept in Nodes.")
    etcd_cafile: str | None = ignored("leases are kept in Nodes.")
    etcd_certfile: str | None = ignored("leases are kept in Nodes.")
    etcd_keyfile: str | None = ignored("leases are kept in Nodes.")
    etcd_username: str | None = ignored("leases are kept in Nodes.")
    etcd_password: str | None = ignored("leases are kept in Nodes.")
    subnet_lease_renew_margin: str | None = ignored("leases in Nodes do not end.")
    set_node_network_unavailable: str | None = ignored("the condition is not used.")


def run(flags: Flags, level: str) -> None:
    """Run the pod network of this node alone, beside other flanneld of any kind.

    Flags are those of flanneld; each can also be a variable: --ip-masq is FLANNELD_IP_MASQ. The node's name is in
    NODE_NAME, or found through the pod in POD_NAME and POD_NAMESPACE.
    """
    if not flags.kube_subnet_mgr:
        raise ConfigError("leases in etcd are not possible yet: give --kube-subnet-mgr, which keeps them in Nodes")
    run_until_signal(_work(flags, os.environ), level)


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
        resync_seconds=float(flags.iptables_resync),
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


async def _work(flags: Flags, environment: Mapping[str, str]) -> None:
    client = connect(
        endpoint(flags.kubeconfig_file, flags.kube_api_url, flag="--kubeconfig-file"), "pybernetes-flanneld"
    )
    informers = Informers(client)
    try:
        flannel = make_flannel(options(flags, await node_of(client, environment)), client, informers)

        def check() -> str:
            return "" if flannel.ready else "routes and subnet file are not in place yet"

        where, port = flags.healthz_ip, flags.healthz_port
        async with health_context(where, port, None, check, flag="--healthz-port"), asyncio.TaskGroup() as group:
            group.create_task(informers.run(), name="informers")
            group.create_task(flannel.run(), name="flannel")
    finally:
        await client.close()


command = component("flanneld", Flags, run, env="FLANNELD")
