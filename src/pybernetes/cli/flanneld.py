# ruff: noqa: RUF009 - `flag` gives a dataclass field
"""pybernetes flanneld: the pod network alone, with the flags and variables of flanneld."""

import logging
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pybernetes.cli.component import health_context
from pybernetes.cli.flags import component, flag, ignored, listed, repeated
from pybernetes.cli.run import run_until_signal
from pybernetes.cli.values import ADDRESS, BOOL, FILE, PATH, PORT
from pybernetes.cli.version import VERSION
from pybernetes.flannel.interface import Selection
from pybernetes.flannel.options import FlannelOptions

if TYPE_CHECKING:
    from pybernetes.flannel.daemon import Flanneld

log = logging.getLogger(__name__)


_PREFIX = "flannel.alpha.coreos.com"


class _AnnotationPrefix(click.ParamType[str]):
    """What the names of annotations may begin with."""

    name = "text"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        if value != _PREFIX:
            from pybernetes.flannel.kube.annotations import Names

            try:
                Names(value)
            except ValueError as error:
                self.fail(str(error), param, ctx)
        return str(value)


@dataclass(frozen=True, slots=True, kw_only=True)
class Flags:
    """The flags of flanneld."""

    kube_subnet_mgr: bool = flag("false", "Keep leases in Node objects, not in etcd.", type=BOOL)
    kubeconfig_file: Path | None = flag(None, "How to reach the API server.", type=FILE, shown="the pod's own account")
    kube_api_url: str = flag("", "URL of the API server, in place of the kubeconfig's.")
    kube_annotation_prefix: str = flag(_PREFIX, "Prefix of the annotations on Nodes.", type=_AnnotationPrefix())
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
    etcd_prefix: str = flag("/coreos.com/network", "Where in etcd config and leases are.")
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
    # Only the one of the two that is asked for is loaded: each brings an HTTP or gRPC client along.
    if flags.kube_subnet_mgr:
        from pybernetes.cli import flanneld_kube

        run_until_signal(flanneld_kube.run(flags, os.environ), level)
    else:
        from pybernetes.cli import flanneld_etcd

        run_until_signal(flanneld_etcd.run(flags), level)


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
        annotation_prefix=flags.kube_annotation_prefix,
        resync_seconds=float(flags.iptables_resync),
        rules_seconds=float(flags.iptables_resync),
    )


async def serve(flags: Flags, flannel: "Flanneld") -> None:
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
