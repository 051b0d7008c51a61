"""Read the facts from the API, from each node's network namespace and from its files. Draws no conclusions."""

import asyncio
import ipaddress
import os
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path

import msgspec

from pybernetes.api.core.node import Node
from pybernetes.api.meta import ObjectMeta
from pybernetes.client import kubeconfig
from pybernetes.client.client import Client
from pybernetes.client.errors import ApiError
from pybernetes.client.http import HttpTransport
from pybernetes.cluster.errors import ConfigError
from pybernetes.cluster.layout import Layout
from pybernetes.cluster.names import MARK
from pybernetes.cluster.pod_network import net_conf_path
from pybernetes.cluster.registry import NodeRecord, Registry
from pybernetes.cluster.supervise import status
from pybernetes.cluster.up import admin_kubeconfig, is_ready
from pybernetes.flannel import config as network_config
from pybernetes.flannel import masquerade
from pybernetes.flannel.backends import BACKENDS
from pybernetes.flannel.backends.bgp.control import BirdError, ask, sessions
from pybernetes.flannel.config import NetworkConfig
from pybernetes.flannel.leases.kube import annotations as kube
from pybernetes.flannel.leases.lease import Lease, LeaseError
from pybernetes.flannel.rules import IptablesRules
from pybernetes.insight import observe
from pybernetes.insight.facts import BirdFacts, ClusterFacts, KernelFacts, NodeFacts
from pybernetes.linux import addr, netns, nft
from pybernetes.linux.errors import LinuxError
from pybernetes.linux.iptables import Iptables
from pybernetes.linux.rtnl import Netlink

_LEGACY = " (legacy)"


def open_client(layout: Layout) -> Client:
    """A client of the cluster's API server, as its administrator."""
    return Client(HttpTransport(kubeconfig.load(admin_kubeconfig(layout)), timeout=10, user_agent="pybernetes-insight"))


def read_config(layout: Layout) -> NetworkConfig:
    """The network config that every node follows. Raises ConfigError."""
    path = net_conf_path(layout)
    try:
        return network_config.parse(path.read_text(), frozenset(BACKENDS))
    except network_config.ConfigError as error:
        raise ConfigError(f"{path}: {error}") from error


async def cluster(layout: Layout, client: Client) -> ClusterFacts:
    """Read everything that needs no probes."""
    config = read_config(layout)
    records = Registry().nodes(layout.cluster)
    by_name = {node.metadata.name: node for node in (await client.of(Node).list()).items}
    running = _agents(layout)
    async with asyncio.TaskGroup() as group:
        reading = [
            group.create_task(_with_bird(layout, record, by_name.get(record.name), config), name=f"facts {record.name}")
            for record in records
        ]
    nodes = [task.result() for task in reading]
    with _scratch(layout) as scratch:
        nodes = [replace(node, rules_expected=await _expected_rules(node, config, scratch)) for node in nodes]
    return ClusterFacts(
        name=layout.cluster,
        config=config,
        services=(ipaddress.ip_network(layout.service_cidr),),
        nodes=tuple(replace(node, agent=node.name in running) for node in nodes),
        policies=await _policies(client),
    )


class _Policy(msgspec.Struct):
    metadata: ObjectMeta


class _Policies(msgspec.Struct):
    items: list[_Policy] = []


async def _policies(client: Client) -> dict[str, int]:
    """NetworkPolicies by namespace; none if the API server does not serve them."""
    try:
        body = await client.raw("GET", "/apis/networking.k8s.io/v1/networkpolicies")
        return Counter(policy.metadata.namespace for policy in msgspec.json.decode(body, type=_Policies).items)
    except (ApiError, msgspec.DecodeError):
        return {}


def _agents(layout: Layout) -> set[str]:
    """The nodes whose agent runs. An agent stopped by SIGSTOP does not count."""
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
    """A network namespace in which rules are loaded only to see how the kernel prints them."""
    name = f"{MARK}-{layout.cluster}.check{os.getpid()}"
    netns.create(name)
    try:
        yield name
    finally:
        netns.delete(name)


async def _with_bird(layout: Layout, record: NodeRecord, node: Node | None, config: NetworkConfig) -> NodeFacts:
    facts = await asyncio.to_thread(_node, layout, record, node, config)
    if config.backend != "bgp":
        return facts
    socket = layout.node(record.name).subnet_env.parent / "bird" / "bird.ctl"
    try:
        bird = BirdFacts(str(socket), True, tuple(sessions(await ask(socket, "show protocols"))))
    except BirdError:
        bird = BirdFacts(str(socket), False)
    return replace(facts, bird=bird)


def _node(layout: Layout, record: NodeRecord, node: Node | None, config: NetworkConfig) -> NodeFacts:
    paths = layout.node(record.name)
    lease, fault = _lease(node, config)
    ready = next((c for c in node.status.conditions if c.type == "Ready"), None) if node else None
    kernel = observe.kernel(paths.netns, rules=True) if netns.exists(paths.netns) else None
    return NodeFacts(
        name=record.name,
        ready=node is not None and is_ready(node),
        ready_text=f"{ready.reason}: {ready.message}" if ready else "the API has no such Node",
        internal_ips=tuple(a.address for a in node.status.addresses if a.type == "InternalIP") if node else (),
        overwritten=node is not None and any(key in node.metadata.annotations for key in kube.OVERWRITE.values()),
        lease=lease,
        lease_fault=fault,
        kernel=kernel,
        subnet_env=_text(paths.subnet_env),
        rules=_printed(_pods(lease, config), kernel, config, paths.netns) if kernel is not None else {},
    )


def _pods(lease: Lease | None, config: NetworkConfig) -> list[masquerade.PodNetwork]:
    return [
        masquerade.PodNetwork(family.network, part.subnet)
        for family in config.families
        if lease is not None and (part := lease.family(family.version)) is not None
    ]


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


def _in_nftables(config: NetworkConfig) -> bool:
    """Whether flannel's rules are in nftables."""
    return config.enable_nftables or not Iptables(4).available()


def _printed(
    pods: list[masquerade.PodNetwork], kernel: KernelFacts, config: NetworkConfig, namespace: str
) -> dict[str, str | None]:
    if _in_nftables(config):
        return {net.table: nft.list_text("ip" if net.version == 4 else "ip6", net.table, namespace) for net in pods}
    return {f"iptables IPv{net.version}": _flannel_lines(kernel, net.version) or None for net in pods}


def _flannel_lines(kernel: KernelFacts, version: int) -> str:
    """Flannel's rules in iptables and the jumps to them."""
    family = "ip" if version == 4 else "ip6"
    names = [f"{family} {table}{note}" for note in ("", _LEGACY) for table in ("nat", "filter")]
    targets = tuple(f"-j {target}" for _, _, target, _ in masquerade.JUMPS)
    lines = [line for name in names for line in kernel.iptables.get(name, "").splitlines()]
    return "\n".join(line for line in lines if line.startswith("-A FLANNEL-") or line.endswith(targets))


def _backend(kernel: KernelFacts) -> str:
    """The backend of iptables that a new program picks: the one with more rules."""
    legacy = sum(text.count("\n-A ") * (1 if _LEGACY in name else -1) for name, text in kernel.iptables.items())
    return "legacy" if legacy > 0 else "nft"


async def _expected_rules(node: NodeFacts, config: NetworkConfig, scratch: str) -> dict[str, str]:
    """Flannel's complete rules as this kernel prints them."""
    pods = _pods(node.lease, config)
    if not pods or node.kernel is None:
        return {}
    if _in_nftables(config):
        script = masquerade.nft_script(pods, masquerade=True, forward=True)
        await asyncio.to_thread(nft.apply, script, scratch)
        facts = KernelFacts()
    else:
        rules = IptablesRules(masquerade=True, forward=True, backend=_backend(node.kernel), netns=scratch)
        await rules.ensure(masquerade.Wanted(tuple(pods), nftables=False))
        facts = await asyncio.to_thread(observe.kernel, scratch, rules=True)
        await rules.remove()
    return {name: text or "" for name, text in _printed(pods, facts, config, scratch).items()}


def pod_namespace(layout: Layout, node: str, ip: str) -> str | None:
    """The network namespace of the pod with this address. containerd keeps them below its state directory."""
    for path in sorted(layout.node(node).run.glob("containerd/*/netns/*")):
        with suppress(LinuxError, OSError), Netlink(str(path)) as nl:
            if any(address.ip == ip for address in addr.addresses(nl)):
                return str(path)
    return None
