"""Reading the facts: from the API, from each node's network namespace, and from its files. No conclusions here."""

import asyncio
import ipaddress
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path

from pybernetes.api.core.node import Node
from pybernetes.client import kubeconfig
from pybernetes.client.client import Client
from pybernetes.client.http import HttpTransport
from pybernetes.cluster.errors import ConfigError
from pybernetes.cluster.insight.facts import ClusterFacts, KernelFacts, NftObjects, NodeFacts
from pybernetes.cluster.layout import Layout
from pybernetes.cluster.names import MARK
from pybernetes.cluster.pod_network import net_conf_path
from pybernetes.cluster.registry import NodeRecord, Registry
from pybernetes.cluster.supervise import status
from pybernetes.cluster.up import admin_kubeconfig, is_ready
from pybernetes.flannel import config as network_config
from pybernetes.flannel import masquerade
from pybernetes.flannel.backends import BACKENDS
from pybernetes.flannel.config import NetworkConfig
from pybernetes.flannel.kube import annotations as kube
from pybernetes.flannel.lease import Lease, LeaseError
from pybernetes.linux import addr, fdb, ipmsg, link, neigh, netns, nft, route, sysctl
from pybernetes.linux.errors import LinuxError, NetlinkError
from pybernetes.linux.iptables import Iptables
from pybernetes.linux.rtnl import Netlink

_FORWARDING = {4: "net.ipv4.ip_forward", 6: "net.ipv6.conf.all.forwarding"}
_PROXY_TABLES = (("ip", "kube-proxy"), ("ip6", "kube-proxy"), ("ip", "flannel-ipv4"), ("ip6", "flannel-ipv6"))


def open_client(layout: Layout) -> Client:
    """The cluster's API server, as its administrator."""
    return Client(HttpTransport(kubeconfig.load(admin_kubeconfig(layout)), timeout=10, user_agent="pybernetes-insight"))


def read_config(layout: Layout) -> NetworkConfig:
    """The network config that every node follows. Raises ConfigError."""
    path = net_conf_path(layout)
    try:
        return network_config.parse(path.read_text(), frozenset(BACKENDS))
    except network_config.ConfigError as error:
        raise ConfigError(f"{path}: {error}") from error


def kernel(namespace: netns.Netns | None, *, rules: bool = False) -> KernelFacts:
    """One namespace; `rules` asks for packet filters too, which takes a process per table."""
    tables = _nft(namespace) if rules else {}
    with Netlink(namespace) as nl:
        routes = [r for r in route.routes(nl) if r.table in (ipmsg.RT_TABLE_MAIN, 255)]
        return KernelFacts(
            links=tuple(link.links(nl)),
            addresses=tuple(addr.addresses(nl)),
            routes=tuple(routes),
            neighbours=tuple(neigh.neighbours(nl)),
            forwarding=tuple(fdb.entries(nl)),
            nft=tables,
            # Asking iptables may load its tables, so it is asked only where Services are not in nftables.
            iptables=_iptables(namespace) if rules and "ip kube-proxy" not in tables else {},
            forwards={version: _on(name, namespace) for version, name in _FORWARDING.items()},
        )


def _on(name: str, namespace: netns.Netns | None) -> bool:
    try:
        return sysctl.read(name, namespace) != "0"
    except NetlinkError:
        return False


def _nft(namespace: netns.Netns | None) -> dict[str, NftObjects]:
    there = set(nft.list_tables(namespace))
    return {
        f"{family} {table}": tuple(nft.list_table(family, table, namespace) or ())
        for family, table in _PROXY_TABLES
        if (family, table) in there
    }


def _iptables(namespace: netns.Netns | None) -> dict[str, str]:
    tool = Iptables(4, netns=namespace)
    if not tool.available():
        return {}
    with suppress(LinuxError):
        return {f"ip {table}": tool.save(table) for table in ("nat", "filter")}
    return {}


async def cluster(layout: Layout, client: Client) -> ClusterFacts:
    """The whole cluster, except for what only probes can tell."""
    config = read_config(layout)
    records = Registry().nodes(layout.cluster)
    by_name = {node.metadata.name: node for node in (await client.of(Node).list()).items}
    running = _agents(layout)
    with _scratch(layout) as scratch:
        nodes = [
            await asyncio.to_thread(_node, layout, record, by_name.get(record.name), config, scratch)
            for record in records
        ]
    return ClusterFacts(
        name=layout.cluster,
        config=config,
        services=(ipaddress.ip_network(layout.service_cidr),),
        nodes=tuple(replace(node, agent=node.name in running) for node in nodes),
    )


def _agents(layout: Layout) -> set[str]:
    """The nodes whose agent is at work; one that is halted (SIGSTOP) is not."""
    state = status(layout)
    rows = state.processes if state else ()
    return {row.name.removeprefix("node-") for row in rows if row.state == "running" and not _halted(row.pid)}


def _halted(pid: int) -> bool:
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return True
    return text.rpartition(")")[2].split()[0] in "TtZX"


@contextmanager
def _scratch(layout: Layout) -> Iterator[str]:
    """A namespace in which rules can be loaded just to see how the kernel prints them."""
    name = f"{MARK}-{layout.cluster}.check{os.getpid()}"
    netns.create(name)
    try:
        yield name
    finally:
        netns.delete(name)


def _node(layout: Layout, record: NodeRecord, node: Node | None, config: NetworkConfig, scratch: str) -> NodeFacts:
    paths = layout.node(record.name)
    lease, fault = _lease(node, config)
    ready = next((c for c in node.status.conditions if c.type == "Ready"), None) if node else None
    pods = [
        masquerade.PodNetwork(family.network, part.subnet)
        for family in config.families
        if lease is not None and (part := lease.family(family.version)) is not None
    ]
    there = netns.exists(paths.netns)
    return NodeFacts(
        name=record.name,
        ready=node is not None and is_ready(node),
        ready_text=f"{ready.reason}: {ready.message}" if ready else "no such Node in the API",
        internal_ips=tuple(a.address for a in node.status.addresses if a.type == "InternalIP") if node else (),
        overwritten=node is not None and any(key in node.metadata.annotations for key in kube.OVERWRITE.values()),
        lease=lease,
        lease_fault=fault,
        kernel=kernel(paths.netns, rules=True) if there else None,
        subnet_env=_text(paths.subnet_env),
        rules=_printed(pods, paths.netns) if there else {},
        rules_right=_right(pods, scratch),
    )


def _lease(node: Node | None, config: NetworkConfig) -> tuple[Lease | None, str]:
    if node is None:
        return None, "the API has no Node of that name"
    try:
        lease = kube.lease_of(node, config)
    except LeaseError as error:
        return None, str(error)
    if lease is not None:
        return lease, ""
    return None, "" if node.spec.pod_cidr else kube.NO_SUBNET


def _text(path: Path) -> str | None:
    try:
        return path.read_text(errors="replace")
    except OSError:
        return None


def _printed(pods: list[masquerade.PodNetwork], namespace: str) -> dict[str, str | None]:
    return {net.table: nft.list_text("ip" if net.version == 4 else "ip6", net.table, namespace) for net in pods}


def _right(pods: list[masquerade.PodNetwork], scratch: str) -> dict[str, str]:
    if not pods:
        return {}
    nft.apply(masquerade.nft_script(pods, masquerade=True, forward=True), scratch)
    return {name: text or "" for name, text in _printed(pods, scratch).items()}


def pod_namespace(layout: Layout, node: str, ip: str) -> str | None:
    """The path of the namespace of the pod with this address: containerd keeps them below its state directory."""
    for path in sorted(layout.node(node).run.glob("containerd/*/netns/*")):
        with suppress(LinuxError, OSError), Netlink(str(path)) as nl:
            if any(address.ip == ip for address in addr.addresses(nl)):
                return str(path)
    return None
