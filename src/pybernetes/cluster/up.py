"""`up`: from nothing, or from any half-way state, to a cluster whose nodes are Ready.

Every step brings one thing to the state it should have, so `up` can be run again at any time: it then mends what is
missing and leaves what runs alone.
"""

import asyncio
import logging
import platform
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from pybernetes import cni
from pybernetes.api.core.node import Node
from pybernetes.client import kubeconfig as client_config
from pybernetes.client.client import Client
from pybernetes.client.errors import ApiError, Gone, Unreachable
from pybernetes.client.http import HttpTransport
from pybernetes.cluster import doctor, kubeconfig
from pybernetes.cluster.errors import ConfigError, StartTimeout
from pybernetes.cluster.files import write_if_changed
from pybernetes.cluster.host import prepare_host
from pybernetes.cluster.layout import Layout
from pybernetes.cluster.network import node_addresses
from pybernetes.cluster.nodes import (
    agent_spec,
    containerd_spec,
    control_plane_spec,
    has_ipv6,
    load_standard_images,
    log_path,
    prepare_nodes,
    wait_for_containerds,
)
from pybernetes.cluster.paper import paper_nodes
from pybernetes.cluster.pki import Pki, apiserver_sans
from pybernetes.cluster.pod_network import net_conf, net_conf_path
from pybernetes.cluster.registry import NodeRecord, Registry, default_node_names
from pybernetes.cluster.spec import ProcessSpec
from pybernetes.cluster.supervise import supervise

log = logging.getLogger(__name__)

CONTROL_PLANE = "control-plane"
SIMULATED = "simulated-nodes"
#: Byte code is written even if the caller's shell says otherwise: without it each start costs a second.
_ENV = {"PYTHONDONTWRITEBYTECODE": ""}


@dataclass(frozen=True, slots=True, kw_only=True)
class UpOptions:
    """What the command line says."""

    name: str
    nodes: int = 3
    racks: int = 1
    api_port: int | None = None
    backend: str = "vxlan"
    proxy_mode: str = "nftables"
    simulated_nodes: int = 0
    timeout: float = 120.0


@dataclass(frozen=True, slots=True)
class Step:
    """One finished step, for people."""

    text: str
    seconds: float


Report = Callable[[Step], None]


class _Clock:
    """Times the steps and reports them."""

    def __init__(self, report: Report) -> None:
        self._report = report
        self._last = time.monotonic()

    def done(self, text: str) -> None:
        now = time.monotonic()
        self._report(Step(text, now - self._last))
        self._last = now


def up(options: UpOptions, report: Report, registry: Registry | None = None) -> Layout:
    """Bring the cluster up and return when every node is Ready. Raises ClusterError."""
    if not 1 <= options.nodes <= 100:
        raise ConfigError(f"--nodes {options.nodes}: choose 1 to 100 (more can be had with --simulated-nodes)")
    clock = _Clock(report)
    doctor.require()
    clock.done("machine checked")
    registry = registry or Registry()
    with registry.exclusive(options.name):
        names = default_node_names(options.nodes)
        layout, nodes = registry.allocate(options.name, names, racks=options.racks, api_port=options.api_port)
        prepare_host(registry)
        _write_identities(layout, nodes)
        _write_network_config(layout, options.backend)
        clock.done("certificates and kubeconfigs written")
        prepare_nodes(layout, nodes, options.racks)
        for node in nodes:
            cni.install(layout.node(node.name).cni_bin_dir)
        clock.done(f"{len(nodes)} nodes as network namespaces in {options.racks} rack(s)")
        supervise(layout, process_specs(layout, nodes, options))
        with ThreadPoolExecutor(1) as worker:
            images = worker.submit(_load_images, layout, nodes)
            asyncio.run(_wait_until_ready(layout, names, options, clock))
            images.result()
        clock.done("images loaded")
        kubeconfig.merge(kubeconfig.user_path(), kubeconfig.read(kubeconfig.component_path(layout, "admin")))
    return layout


def _write_identities(layout: Layout, nodes: list[NodeRecord]) -> None:
    pki = Pki(layout.pki)
    pki.ensure_control_plane(apiserver_sans(layout, platform.node()))
    for node in nodes:
        addresses = tuple(a.partition("/")[0] for a in node_addresses(layout, node, ipv6=has_ipv6()))
        pki.ensure_node(node.name, addresses)
    kubeconfig.write_components(layout, pki, [node.name for node in nodes])


def _write_network_config(layout: Layout, backend: str) -> None:
    path = net_conf_path(layout)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_if_changed(path, net_conf(layout, backend), 0o644)


def process_specs(layout: Layout, nodes: list[NodeRecord], options: UpOptions) -> list[ProcessSpec]:
    """Everything that runs."""
    me = (sys.executable, "-m", "pybernetes.cli.main")
    plane = (*me, "control-plane", "--name", layout.cluster)
    specs = [control_plane_spec(layout, CONTROL_PLANE, plane, _ENV)]
    if options.simulated_nodes:
        simulated = (*me, "simulated-nodes", "--name", layout.cluster, str(options.simulated_nodes))
        specs.append(control_plane_spec(layout, SIMULATED, simulated, _ENV))
    for node in nodes:
        agent = (*me, "node", "--name", layout.cluster, "--proxy-mode", options.proxy_mode, node.name)
        specs += [containerd_spec(layout, node.name), agent_spec(layout, node.name, agent, _ENV)]
    return specs


def _load_images(layout: Layout, nodes: list[NodeRecord]) -> None:
    wait_for_containerds(layout, nodes)
    load_standard_images(layout, nodes)


async def _wait_until_ready(layout: Layout, names: list[str], options: UpOptions, clock: _Clock) -> None:
    endpoint = client_config.load(kubeconfig.component_path(layout, "admin"))
    client = Client(HttpTransport(endpoint))
    try:
        async with asyncio.timeout(options.timeout):
            await _until_answering(client)
            clock.done("API server answers")
            wanted = {*names, *(node.name for node in paper_nodes(options.simulated_nodes))}
            await _until_nodes_ready(client, wanted)
            clock.done(f"{len(wanted)} nodes Ready")
    except TimeoutError:
        logs = ", ".join(str(log_path(layout, p)) for p in (CONTROL_PLANE, *(f"node-{n}" for n in names[:3])))
        raise StartTimeout(f"the cluster was not ready within {options.timeout:.0f} s; see {logs}") from None
    finally:
        await client.close()


async def _until_answering(client: Client) -> None:
    while True:
        try:
            await client.raw("GET", "/readyz")
            return
        except (Unreachable, ApiError):
            await asyncio.sleep(0.02)


async def _until_nodes_ready(client: Client, wanted: set[str]) -> None:
    nodes = client.of(Node)
    while True:
        page = await nodes.list()
        ready = {node.metadata.name: is_ready(node) for node in page.items}
        try:
            if all(ready.get(name) for name in wanted):
                return
            async for events in nodes.watch(resource_version=page.resource_version):
                ready |= {e.object.metadata.name: is_ready(e.object) for e in events if e.object is not None}
                if all(ready.get(name) for name in wanted):
                    return
        except (Gone, Unreachable):
            await asyncio.sleep(0.05)


def is_ready(node: Node) -> bool:
    """Whether pods can run there now."""
    conditions = {c.type: c.status for c in node.status.conditions}
    cordoned = any(t.key.startswith("node.kubernetes.io/") and t.effect == "NoSchedule" for t in node.spec.taints)
    return conditions.get("Ready") == "True" and not cordoned


def layout_of(name: str, registry: Registry | None = None) -> Layout:
    """The layout of a cluster that exists. Raises ConfigError."""
    registry = registry or Registry()
    layout = registry.layout(name)
    if layout is None:
        known = ", ".join(sorted(registry.read().clusters)) or "none"
        raise ConfigError(f"there is no cluster {name!r} (known: {known}); 'pybernetes up --name {name}' makes one")
    return layout


def admin_kubeconfig(layout: Layout) -> Path:
    """The administrator's kubeconfig."""
    return kubeconfig.component_path(layout, "admin")
