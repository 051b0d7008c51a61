"""Stop or remove a cluster: all of it and nothing else, in whatever state it is.

`halt` stops everything and keeps images, the store, certificates and addresses; `down` removes those, too. Both
search the system (inventory.py) instead of trusting a record, and both can be run again.
"""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from pybernetes.cluster import cgroups, cni_cache, kubeconfig
from pybernetes.cluster.errors import ClusterError
from pybernetes.cluster.host import restore_host
from pybernetes.cluster.inventory import Roots, inventory, mounts, processes
from pybernetes.cluster.layout import CACHE, Layout
from pybernetes.cluster.names import MARK, check_cluster_name
from pybernetes.cluster.network_apply import remove_network
from pybernetes.cluster.processes import stop
from pybernetes.cluster.registry import Registry
from pybernetes.cluster.shims import SHIM_SOCKETS, remove_shim_sockets
from pybernetes.cluster.supervise import stop_supervisor
from pybernetes.linux import mount

_ROUNDS = 20


class Report(NamedTuple):
    """The result of `down`."""

    existed: bool
    left: tuple[str, ...]
    """Objects of the cluster that could not be removed; empty unless a process is stuck in the kernel."""
    warnings: tuple[str, ...]


def halt(cluster: str, *, roots: Roots | None = None, grace: float = 5.0) -> None:
    """Stop every process of the cluster and remove its kernel objects; keep the files of its state."""
    check_cluster_name(cluster)
    roots = roots or Roots()
    # The slot does not matter: only paths are used, and they depend on the name alone.
    layout = Layout(cluster, 0, state_root=roots.state, run_root=roots.run)
    if grace > 0:
        stop_supervisor(layout, grace=grace)
    _kill_all(cluster, roots)
    for node in (roots.run / cluster / "nodes").glob("*"):
        remove_shim_sockets(node)
    _unmount(cluster, roots)
    remove_network(cluster)
    cgroups.remove(f"/{MARK}/{cluster}")
    cgroups.remove_if_empty(f"/{MARK}")
    _remove_tree(roots.run / cluster, roots.run)


def down(
    cluster: str,
    *,
    roots: Roots | None = None,
    user_kubeconfig: Path | None = None,
    grace: float = 0.0,
    waiting: Callable[[], None] | None = None,
) -> Report:
    """Remove the cluster. With `grace` 0, processes are killed at once, because their data is removed anyway.

    `waiting` is called once if another `up` or `down` of the cluster must finish first.
    """
    check_cluster_name(cluster)
    roots = roots or Roots()
    registry = Registry(roots.state, roots.run)
    with registry.exclusive(cluster, waiting):
        report = _down(cluster, roots, registry, user_kubeconfig or kubeconfig.user_path(), grace)
    _remove_shared(roots)
    return report


def _down(cluster: str, roots: Roots, registry: Registry, user_kubeconfig: Path, grace: float) -> Report:
    existed = cluster in registry.read().clusters or not inventory(cluster, roots).is_empty()
    warnings = []
    halt(cluster, roots=roots, grace=grace)
    cni_cache.remove(roots.run / cluster)
    _remove_tree(roots.state / cluster, roots.state)
    try:
        kubeconfig.remove(user_kubeconfig, f"{MARK}-{cluster}")
    except ClusterError as error:
        warnings.append(str(error))
    registry.release(cluster)
    restore_host(registry)
    return Report(existed, tuple(inventory(cluster, roots).lines()), tuple(warnings))


def _kill_all(cluster: str, roots: Roots) -> None:
    """Kill until a scan finds no process: the next round finds what was forked meanwhile."""
    for _ in range(_ROUNDS):
        found = processes(cluster, roots)
        if not found:
            return
        stop([info.id for info in found], grace=0)


def _unmount(cluster: str, roots: Roots) -> None:
    # Mounts can be stacked on one mount point: unmount it as often as it is listed.
    for point in mounts(cluster, roots):
        mount.unmount(point, lazy=True)


def _remove_shared(roots: Roots) -> None:
    """Remove empty directories that the next cluster would create again."""
    registry = Registry(roots.state, roots.run)
    with registry.locked():
        if not registry.read().clusters:
            shutil.rmtree(roots.state / CACHE, ignore_errors=True)
            # Last: a process that waits for the lock notices that the file is gone and creates a new one.
            registry.lock_file.unlink()
    for directory in (roots.run, roots.state, SHIM_SOCKETS, SHIM_SOCKETS.parent):
        try:
            directory.rmdir()
        except OSError:
            continue


def _remove_tree(path: Path, root: Path) -> None:
    """Delete a directory strictly below `root`, unless something is still mounted in it."""
    if path.parent != root or path.is_symlink():
        raise ClusterError(f"refusing to delete {path}: it is not a cluster's directory below {root}")
    if mount.under(path):
        raise ClusterError(f"something is still mounted below {path}; see 'findmnt -R {path}' and run 'down' again")
    if path.exists():
        shutil.rmtree(path)
