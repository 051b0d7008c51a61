"""`up`: create a cluster, or complete one in any state, until its nodes are Ready.

Every step makes one thing match its desired state, so `up` can be run again at any time: it repairs what is missing
and does not touch what runs.
"""

import asyncio
import logging
import platform
import sys
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pybernetes import cni
from pybernetes.api.core.node import Node
from pybernetes.client import kubeconfig as client_config
from pybernetes.client.client import Client
from pybernetes.client.errors import ApiError, Gone, Unreachable
from pybernetes.client.http import HttpTransport
from pybernetes.cluster import cni_cache, doctor, file_view, kubeconfig
from pybernetes.cluster.errors import ConfigError, StartTimeout
from pybernetes.cluster.files import write_if_changed
from pybernetes.cluster.host import prepare_host
from pybernetes.cluster.layout import Layout
from pybernetes.cluster.network import node_addresses
from pybernetes.cluster.node_removal import remove_from_machine, remove_objects
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
from pybernetes.cluster.pki import Pki, apiserver_sans
from pybernetes.cluster.pod_network import NONE, has_external_network, net_conf, net_conf_path
from pybernetes.cluster.progress import Progress, Steps
from pybernetes.cluster.registry import NodeRecord, Registry, default_node_names, port_free
from pybernetes.cluster.simulated_nodes import simulated_nodes
from pybernetes.cluster.spec import ProcessSpec
from pybernetes.cluster.supervise import process, supervise
from pybernetes.controllers.config import NodeLifecycleConfig

log = logging.getLogger(__name__)

CONTROL_PLANE = "control-plane"
DEFAULTS = NodeLifecycleConfig()
SIMULATED = "simulated-nodes"
#: Write byte code even if the caller's environment disables it: without byte code each start takes a second longer. Do
#: not read the system's CA certificates, as aiohttp does on import: a cluster trusts its own CA only.
_ENV = {"PYTHONDONTWRITEBYTECODE": "", "SSL_CERT_FILE": "/dev/null", "SSL_CERT_DIR": "/dev/null"}


@dataclass(frozen=True, slots=True, kw_only=True)
class UpOptions:
    """The options of `up`."""

    name: str
    nodes: int = 3
    racks: int = 1
    api_port: int | None = None
    backend: str = ""
    """Empty: keep the cluster's backend, or vxlan for a new cluster; `none`: the user installs a pod network."""
    backend_options: tuple[str, ...] = ()
    """`KEY=VALUE`"""
    proxy_mode: str = "nftables"
    simulated_nodes: int = 0
    node_monitor_grace_period: float = DEFAULTS.monitor_grace_period
    """Seconds without a heartbeat after which a node is NotReady."""
    timeout: float = 120.0
    wait: bool = True
    """Whether to wait until the nodes are Ready."""


def up(options: UpOptions, progress: Progress, registry: Registry | None = None) -> Layout:
    """Bring the cluster up and return when every node is Ready. Raises ClusterError.

    Surplus nodes are removed.
    """
    if not 1 <= options.nodes <= 100:
        raise ConfigError(f"--nodes {options.nodes}: choose 1 to 100 (more can be had with --simulated-nodes)")
    steps = Steps(progress)
    steps.begin("checking this machine")
    doctor.require()
    backend_options = _backend_options(options)
    # Fail early if the user's kubeconfig is unreadable, before creating anything.
    kubeconfig.read(kubeconfig.user_path())
    steps.done("machine checked")
    registry = registry or Registry()
    with registry.exclusive(options.name, lambda: steps.begin("waiting for another 'up' or 'down' of this cluster")):
        names = default_node_names(options.nodes)
        layout, nodes = registry.allocate(options.name, names, racks=options.racks, api_port=options.api_port)
        _require_port(layout)
        surplus = [node.name for node in registry.nodes(options.name) if node.name not in names]
        steps.begin("writing certificates and kubeconfigs")
        _write_network_config(layout, options.backend, backend_options)
        prepare_host(registry, (cni_cache.RESULTS, *(file_view.PLACES if has_external_network(layout) else ())))
        _write_identities(layout, nodes)
        steps.done("certificates and kubeconfigs written")
        steps.begin("creating nodes")
        prepare_nodes(layout, nodes, options.racks)
        for node in nodes if not has_external_network(layout) else ():
            cni.install(layout.node(node.name).cni_bin_dir)
        steps.done(f"{_counted(len(nodes), 'node')} as network namespaces in {_counted(options.racks, 'rack')}")
        supervise(layout, process_specs(layout, nodes, options))
        if surplus:
            steps.begin("removing nodes")
            for name in surplus:
                remove_from_machine(layout, name)
            steps.done(f"removed {', '.join(surplus)}")
        asyncio.run(_start(layout, nodes, surplus, options, steps))
        registry.forget_nodes(options.name, set(surplus))
        kubeconfig.merge(kubeconfig.user_path(), kubeconfig.read(kubeconfig.component_path(layout, "admin")))
    return layout


def _counted(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _require_port(layout: Layout) -> None:
    """After a stop, another program may have taken the cluster's port."""
    if process(layout, CONTROL_PLANE) is None and not port_free(layout.api_port):
        raise ConfigError(
            f"port {layout.api_port} of cluster {layout.cluster!r} is in use by another program; "
            f"find it with: ss -ltnp 'sport = :{layout.api_port}'"
        )


async def _start(layout: Layout, nodes: list[NodeRecord], surplus: list[str], options: UpOptions, steps: Steps) -> None:
    """Load images and wait for the nodes concurrently; the first failure ends both."""
    loaded = asyncio.wrap_future(_in_background(lambda: _load_images(layout, nodes)))

    async def ready() -> None:
        await _wait_until_ready(layout, [node.name for node in nodes], surplus, options, steps)
        steps.begin("loading images")
        await asyncio.shield(loaded)
        steps.done("images loaded")

    waiting = asyncio.create_task(ready(), name="nodes")
    try:
        await asyncio.wait({loaded, waiting}, return_when=asyncio.FIRST_EXCEPTION)
        if loaded.done():
            loaded.result()
        await waiting
    finally:
        waiting.cancel()


def _in_background(work: Callable[[], None]) -> Future[None]:
    """Run in a daemon thread, so that ctrl-C can end the process."""
    future: Future[None] = Future()

    def run() -> None:
        try:
            work()
            future.set_result(None)
        except Exception as error:  # raised by the future's result()
            future.set_exception(error)

    threading.Thread(target=run, name="images", daemon=True).start()
    return future


def _write_identities(layout: Layout, nodes: list[NodeRecord]) -> None:
    pki = Pki(layout.pki)
    pki.ensure_control_plane(apiserver_sans(layout, platform.node()))
    for node in nodes:
        addresses = tuple(a.partition("/")[0] for a in node_addresses(layout, node, ipv6=has_ipv6()))
        pki.ensure_node(node.name, addresses)
    kubeconfig.write_components(layout, pki, [node.name for node in nodes])


def _backend_options(options: UpOptions) -> dict[str, Any]:
    """Check the options before anything is created. Raises ConfigError."""
    if options.backend in ("", NONE):
        if options.backend_options:
            raise ConfigError("--backend-option needs --backend")
        return {}
    # Import all backends only when needed.
    from pybernetes.cluster import backend_choice

    return backend_choice.checked(options.backend, options.backend_options)


def _write_network_config(layout: Layout, backend: str, backend_options: Mapping[str, Any] | None = None) -> None:
    path = net_conf_path(layout)
    if path.exists() and backend and (backend == NONE) != has_external_network(layout):
        raise ConfigError(
            f"--backend {backend}: a cluster cannot change between --backend none and other backends; "
            f"remove cluster {layout.cluster!r} with 'pybernetes down' first, or give the new one another --name"
        )
    if not backend and path.exists():
        return  # `network set-backend` may have changed the file
    path.parent.mkdir(parents=True, exist_ok=True)
    # Options may contain secrets.
    write_if_changed(path, net_conf(layout, backend or "vxlan", backend_options), 0o600 if backend_options else 0o644)


def process_specs(layout: Layout, nodes: list[NodeRecord], options: UpOptions) -> list[ProcessSpec]:
    """The specs of all processes of the cluster."""
    me = (sys.executable, "-m", "pybernetes.cli.main")
    grace = f"{options.node_monitor_grace_period:g}s"
    plane = (*me, "control-plane", "--name", layout.cluster, "--node-monitor-grace-period", grace)
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


async def _wait_until_ready(
    layout: Layout, names: list[str], surplus: list[str], options: UpOptions, steps: Steps
) -> None:
    endpoint = client_config.load(kubeconfig.component_path(layout, "admin"))
    client = Client(HttpTransport(endpoint))
    try:
        async with asyncio.timeout(options.timeout):
            steps.begin("waiting for the API server")
            await _until_answering(client)
            simulated = {node.name for node in simulated_nodes(options.simulated_nodes)}
            await remove_objects(client, set(surplus), simulated)
            steps.done("API server responds")
            if options.wait:
                await _nodes_there(client, {*names, *simulated}, steps, networked=not has_external_network(layout))
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


async def _nodes_there(client: Client, wanted: set[str], steps: Steps, *, networked: bool) -> None:
    """Wait until nodes are Ready or, without a pod network, until they are registered."""
    goal = "Ready" if networked else "registered"
    steps.begin(f"waiting for nodes to be {goal}")
    await _until_nodes(client, wanted, is_ready if networked else lambda node: True)
    later = "" if networked else "; Ready once a pod network is installed"
    steps.done(f"{_counted(len(wanted), 'node')} {goal}{later}")


async def _until_nodes(client: Client, wanted: set[str], good: Callable[[Node], bool]) -> None:
    nodes = client.of(Node)
    while True:
        page = await nodes.list()
        ready = {node.metadata.name: good(node) for node in page.items}
        try:
            if all(ready.get(name) for name in wanted):
                return
            async for events in nodes.watch(resource_version=page.resource_version):
                ready |= {e.object.metadata.name: good(e.object) for e in events if e.object is not None}
                if all(ready.get(name) for name in wanted):
                    return
        except (Gone, Unreachable):
            await asyncio.sleep(0.05)


def is_ready(node: Node) -> bool:
    """Whether the Node is Ready."""
    conditions = {c.type: c.status for c in node.status.conditions}
    cordoned = any(t.key.startswith("node.kubernetes.io/") and t.effect == "NoSchedule" for t in node.spec.taints)
    return conditions.get("Ready") == "True" and not cordoned


def layout_of(name: str, registry: Registry | None = None) -> Layout:
    """The layout of an existing cluster. Raises ConfigError."""
    registry = registry or Registry()
    layout = registry.layout(name)
    if layout is None:
        known = ", ".join(sorted(registry.read().clusters)) or "none"
        raise ConfigError(f"there is no cluster {name!r} (known: {known}); 'pybernetes up --name {name}' creates it")
    return layout


def admin_kubeconfig(layout: Layout) -> Path:
    """The administrator's kubeconfig."""
    return kubeconfig.component_path(layout, "admin")
