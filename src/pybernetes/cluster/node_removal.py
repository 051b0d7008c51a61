"""Remove single nodes from a local cluster: processes, namespace, mounts, cgroups, files, and the Node object.

First everything on the machine is removed, then, once the API server responds, the Node object, and last the entry in
the registry. So after a crash in between, the next `up` still finds the node in the registry and finishes.
"""

import shutil

from pybernetes.api.core.node import Node
from pybernetes.client.client import Client
from pybernetes.client.errors import NotFound
from pybernetes.cluster import cgroups, cni_cache
from pybernetes.cluster.errors import ClusterError
from pybernetes.cluster.inventory import Roots, processes
from pybernetes.cluster.kubeconfig import component_path
from pybernetes.cluster.layout import Layout
from pybernetes.cluster.nodes import containerd_name, log_path
from pybernetes.cluster.pki import Pki
from pybernetes.cluster.processes import stop
from pybernetes.cluster.shims import remove_shim_sockets
from pybernetes.linux import mount
from pybernetes.linux import netns as namespaces

_ROUNDS = 20
_SIMULATED = ("type", "simulated")


def remove_from_machine(layout: Layout, node: str) -> None:
    """Remove everything of the node on this machine. The supervisor must no longer run its containerd and agent."""
    paths = layout.node(node)
    _kill_all(f"{layout.cluster}/{node}")
    remove_shim_sockets(paths.run)
    cni_cache.remove(paths.run)
    for directory in (paths.run, paths.state):
        mount.unmount_all(directory)
    namespaces.delete(paths.netns)
    cgroups.remove(paths.cgroup)
    for directory in (paths.run, paths.state):
        if mount.under(directory):
            raise ClusterError(f"something is still mounted below {directory}; see 'findmnt -R {directory}'")
        shutil.rmtree(directory, ignore_errors=True)
    _remove_files(layout, node)


def _kill_all(group: str) -> None:
    """Kill until a scan finds no process in the cgroup: the next round finds what was forked meanwhile."""
    for _ in range(_ROUNDS):
        found = processes(group, Roots())
        if not found:
            return
        stop([info.id for info in found], grace=0)


def _remove_files(layout: Layout, node: str) -> None:
    pki = Pki(layout.pki)
    pairs = [pki.pair(f"nodes/{node}"), pki.pair(f"nodes/{node}-server")]
    files = [path for pair in pairs for path in (pair.certificate, pair.key)]
    files.append(component_path(layout, f"nodes/{node}"))
    for process in (f"node-{node}", containerd_name(node)):
        log = log_path(layout, process)
        files += [log, log.with_name(f"{log.name}.1")]
    for path in files:
        path.unlink(missing_ok=True)


async def remove_objects(client: Client, gone: set[str], simulated: set[str]) -> None:
    """Delete the Nodes of removed nodes, and simulated Nodes that are not in `simulated`."""
    nodes = client.of(Node)
    key, value = _SIMULATED
    for node in (await nodes.list()).items:
        name = node.metadata.name
        is_simulated = node.metadata.labels.get(key) == value
        if name in gone or (is_simulated and name not in simulated):
            try:
                await nodes.delete(name)
            except NotFound:
                continue
