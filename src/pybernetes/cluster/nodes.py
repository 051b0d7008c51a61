"""Prepare the local nodes of a cluster, up to the point where a kubelet can run on them.

allocate (registry) → prepare_host → apply_network → prepare_nodes → supervise(containerd_spec...)
→ wait_for_containerds → load_standard_images
"""

from collections.abc import Mapping
from pathlib import Path

from pybernetes.cluster import containerd, file_view, image_load
from pybernetes.cluster.images import standard_images
from pybernetes.cluster.layout import Layout, NodePaths
from pybernetes.cluster.network import desired_network
from pybernetes.cluster.network_apply import apply_network
from pybernetes.cluster.pod_network import has_external_network
from pybernetes.cluster.registry import NodeRecord
from pybernetes.cluster.shims import remove_shim_sockets
from pybernetes.cluster.spec import ProcessSpec

CONTROL_PLANE_STAGE, CONTAINERD_STAGE, AGENT_STAGE = 0, 1, 2
"""Agents stop first, so that they can still reach containerd and the API server; the API server stops last."""


def has_ipv6() -> bool:
    """Whether IPv6 is enabled in this kernel."""
    return Path("/proc/net/if_inet6").exists()


def resolv_conf(etc: Path = Path("/etc/resolv.conf"), run: Path = Path("/run/systemd/resolve/resolv.conf")) -> Path:
    """The resolv.conf with servers that nodes can reach: with systemd-resolved, the one in /etc has only 127.0.0.53."""
    try:
        words = [line.split() for line in etc.read_text().splitlines()]
    except OSError:
        return etc
    servers = [word[1] for word in words if len(word) > 1 and word[0] == "nameserver"]
    only_local = bool(servers) and all(server.startswith("127.") or server == "::1" for server in servers)
    return run if only_local and run.exists() else etc


def prepare_nodes(layout: Layout, nodes: list[NodeRecord], racks: int) -> None:
    """Create or repair namespaces, links and directories of these nodes."""
    apply_network(desired_network(layout, nodes, racks, ipv6=has_ipv6()))
    options = containerd.machine_options()
    for node in nodes:
        containerd.prepare(layout.node(node.name), options)
        remove_shim_sockets(layout.node(node.name).run, only_dead=True)
        if has_external_network(layout):
            file_view.prepare(layout.node(node.name))


def containerd_name(node: str) -> str:
    """The name of the process in `status`, and of its log."""
    return f"containerd-{node}"


def log_path(layout: Layout, process: str) -> Path:
    """The log of a supervised process."""
    return layout.logs / f"{process}.log"


def containerd_spec(layout: Layout, node: str) -> ProcessSpec:
    """The process spec of the node's containerd."""
    paths = layout.node(node)
    return ProcessSpec(
        name=containerd_name(node),
        argv=_as_seen(layout, paths, tuple(containerd.argv(paths))),
        log=str(log_path(layout, containerd_name(node))),
        netns=str(paths.netns_path),
        cgroup=paths.daemons_cgroup,
        stage=CONTAINERD_STAGE,
    )


def agent_spec(layout: Layout, node: str, argv: tuple[str, ...], env: Mapping[str, str] | None = None) -> ProcessSpec:
    """The process spec of the node's agent (kubelet, proxy, flannel), in the node's namespace and cgroup."""
    paths = layout.node(node)
    return ProcessSpec(
        name=f"node-{node}",
        argv=_as_seen(layout, paths, argv),
        log=str(log_path(layout, f"node-{node}")),
        env=dict(env or {}),
        netns=str(paths.netns_path),
        cgroup=paths.daemons_cgroup,
        stage=AGENT_STAGE,
        grace=10.0,
    )


def _as_seen(layout: Layout, paths: NodePaths, argv: tuple[str, ...]) -> tuple[str, ...]:
    return file_view.inside(paths, argv) if has_external_network(layout) else argv


def control_plane_spec(
    layout: Layout, name: str, argv: tuple[str, ...], env: Mapping[str, str] | None = None
) -> ProcessSpec:
    """The process spec of a part of the control plane, in the host's namespace."""
    return ProcessSpec(
        name=name,
        argv=argv,
        log=str(log_path(layout, name)),
        env=dict(env or {}),
        cgroup=f"{layout.cgroup}/control-plane",
        stage=CONTROL_PLANE_STAGE,
        grace=10.0,
    )


def wait_for_containerds(layout: Layout, nodes: list[NodeRecord], *, timeout: float = 20.0) -> None:
    """Wait until each node's containerd responds. Raises StartTimeout, which names the log."""
    for node in nodes:
        log = log_path(layout, containerd_name(node.name))
        containerd.wait_ready(layout.node(node.name), log, timeout=timeout)


def load_standard_images(layout: Layout, nodes: list[NodeRecord]) -> None:
    """Load pause, busybox and hello into nodes that lack them."""
    archives = standard_images(layout.images)
    sockets = [_socket(layout.node(node.name)) for node in nodes]
    image_load.load_everywhere(sockets, archives, only_missing=True)


def load_archive(layout: Layout, nodes: list[NodeRecord], archive: Path) -> tuple[str, ...]:
    """`pybernetes image load FILE`: load an archive into each node; returns the names of its images."""
    images = image_load.read_archive(archive)
    sockets = [_socket(layout.node(node.name)) for node in nodes]
    image_load.load_everywhere(sockets, [images])
    return images.names


def _socket(paths: NodePaths) -> Path:
    return paths.containerd_socket
