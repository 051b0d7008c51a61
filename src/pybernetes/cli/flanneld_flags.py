# ruff: noqa: RUF009 - `flag` gives a dataclass field
"""The flags of `pybernetes flanneld`: those of flanneld."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from pybernetes.cli.flags import flag, ignored, listed, repeated
from pybernetes.cli.values import ADDRESS, BOOL, FILE, PATH, PORT

_PREFIX = "flannel.alpha.coreos.com"


class _AnnotationPrefix(click.ParamType[str]):
    """What the names of annotations may begin with."""

    name = "text"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        if value != _PREFIX:
            from pybernetes.flannel.leases.kube.annotations import Names

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
    iface_regex: tuple[str, ...] = repeated("The same by a regular expression, if --iface finds none.")
    iface_can_reach: str = flag(
        "", "The interface by which this address is reached, if neither is given.", type=ADDRESS
    )
    public_ip: str = flag("", "Address to announce to other nodes.", type=ADDRESS, shown="the interface's")
    public_ipv6: str = flag("", "The same for IPv6.", type=ADDRESS, shown="the interface's")
    ip_masq: bool = flag("false", "Masquerade packets that leave the pod network.", type=BOOL)
    ip_masq_fully_random_disable: bool = flag("false", "Masquerade without choosing source ports at random.", type=BOOL)
    ip_blackhole_route: bool = flag("false", "Drop packets to this node's subnet while no bridge has it.", type=BOOL)
    iptables_forward_rules: bool = flag("true", "Allow forwarding of packets from and to pods.", type=BOOL)
    iptables_resync: int = flag(5, "Seconds between checks of rules and kernel objects.", type=click.IntRange(min=1))
    healthz_ip: str = flag("0.0.0.0", "Address for /healthz.", type=ADDRESS)
    healthz_port: int = flag(0, "Port for /healthz; 0: none.", type=PORT)
    etcd_endpoints: tuple[str, ...] = listed(
        ("http://127.0.0.1:4001", "http://127.0.0.1:2379"), "etcd servers, where leases are in etcd."
    )
    etcd_prefix: str = flag("/coreos.com/network", "Prefix of config and leases in etcd.")
    etcd_cafile: Path | None = flag(None, "CA that signed etcd's certificate.", type=FILE)
    etcd_certfile: Path | None = flag(None, "Client certificate for etcd.", type=FILE)
    etcd_keyfile: Path | None = flag(None, "Its key.", type=FILE)
    etcd_username: str = flag("", "User of etcd.")
    etcd_password: str = flag("", "The user's password.")
    subnet_lease_renew_margin: int = flag(
        60, "Minutes before its end at which a lease in etcd is renewed.", type=click.IntRange(1, 24 * 60 - 1)
    )
    set_node_network_unavailable: bool = flag(
        "true", "Set the Node's condition NetworkUnavailable to False when the network is available.", type=BOOL
    )
    vmodule: str | None = ignored("--v is for all modules.")
    log_backtrace_at: str | None = ignored("lines have no stack traces.")
