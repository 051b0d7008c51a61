"""Find everything on this machine that belongs to one cluster, or to all clusters: what `down` removes.

Each kind of object is found by its mark in the kernel or the file system, never by a record of having created it, so
that the result is right after a kill -9, a lost state directory or an interrupted `up`.
"""

import os
from pathlib import Path
from typing import NamedTuple

from pybernetes.cluster import cgroups, cni_cache
from pybernetes.cluster.commands import run
from pybernetes.cluster.layout import RUN_ROOT, STATE_ROOT
from pybernetes.cluster.names import MARK
from pybernetes.cluster.network_apply import list_namespaces, marked_links
from pybernetes.cluster.processes import ProcessInfo, scan, with_descendants
from pybernetes.linux import mount

_SUPERVISOR_MODULE = "pybernetes.cluster.supervisor"


class Roots(NamedTuple):
    """The two parent directories of the clusters' directories."""

    state: Path = STATE_ROOT
    run: Path = RUN_ROOT


class Inventory(NamedTuple):
    """Marked objects by kind, each sorted. All are empty after `down`."""

    links: tuple[str, ...]
    namespaces: tuple[str, ...]
    nft_tables: tuple[str, ...]
    mounts: tuple[str, ...]
    cgroups: tuple[str, ...]
    processes: tuple[str, ...]
    files: tuple[str, ...]

    def is_empty(self) -> bool:
        """Whether nothing is left."""
        return not any(self)

    def lines(self) -> list[str]:
        """'kind: name' for messages."""
        return [f"{kind}: {name}" for kind, names in zip(self._fields, self, strict=True) for name in names]


def inventory(cluster: str | None = None, roots: Roots | None = None) -> Inventory:
    """The objects of one cluster, or with None of all clusters."""
    roots = roots or Roots()
    dotted = f"{MARK}-{cluster}." if cluster else f"{MARK}-"
    alias = f"{MARK}-{cluster}: " if cluster else ""
    return Inventory(
        links=tuple(name for name, text in marked_links() if text.startswith(alias)),
        namespaces=tuple(name for name in list_namespaces() if name.startswith(dotted)),
        nft_tables=tuple(nft_tables(cluster)),
        mounts=tuple(sorted(mounts(cluster, roots))),
        cgroups=tuple(sorted(str(path) for path in cgroups.existing(_cgroup(cluster)))),
        processes=tuple(sorted(f"{info.id.pid} {' '.join(info.argv)}" for info in processes(cluster, roots))),
        files=tuple(sorted(str(path) for path in files(cluster, roots))),
    )


def nft_tables(cluster: str | None) -> list[str]:
    """nftables tables of clusters in the host's namespace."""
    names = [line.split()[-1] for line in run(["nft", "list", "tables"]).splitlines() if line]
    if cluster is not None:
        return [name for name in names if name == f"{MARK}-{cluster}"]
    return sorted(name for name in names if name.startswith(f"{MARK}-"))


def mounts(cluster: str | None, roots: Roots) -> list[str]:
    """Mount points below the clusters' directories, deepest first."""
    tops = tuple(f"{root / cluster if cluster else root}/" for root in roots)
    found = [item.target for item in mount.mounts() if f"{item.target}/".startswith(tops)]
    return sorted(found, key=lambda point: point.count("/"), reverse=True)


def processes(cluster: str | None, roots: Roots) -> list[ProcessInfo]:
    """Processes in the clusters' cgroups, shims, supervisors and their children; never ancestors of this process."""
    everyone = scan()
    by_pid = {info.id.pid: info for info in everyone}
    mine = _ancestors(os.getpid(), by_pid)
    ours = [info for info in everyone if is_ours(info, cluster, roots) and info.id.pid not in mine]
    return [info for info in with_descendants(ours, everyone) if info.id.pid not in mine]


def is_ours(info: ProcessInfo, cluster: str | None, roots: Roots) -> bool:
    """Whether one process carries the mark. Pure."""
    inside = f":{_cgroup(cluster)}"
    if any(line.endswith(inside) or f"{inside}/" in line for line in info.cgroups.splitlines()):
        return True
    # A shim that the runtime moved to another cgroup, and a supervisor that has not entered its cgroup yet.
    program = os.path.basename(info.argv[0])
    if program.startswith("containerd-shim") or _SUPERVISOR_MODULE in info.argv:
        tops = tuple(f"{root / cluster if cluster else root}/" for root in roots)
        return any(word.startswith(tops) for word in info.argv)
    return False


def files(cluster: str | None, roots: Roots) -> list[Path]:
    """The directories of a cluster; for all clusters also what they share, except the cache of images."""
    if cluster is not None:
        return [root / cluster for root in roots if (root / cluster).exists()] + cni_cache.owned(roots.run / cluster)
    found = cni_cache.owned(roots.run)
    for root in roots:
        if root.exists():
            found += [entry for entry in root.iterdir() if not entry.name.startswith(".")]
    return found


def _cgroup(cluster: str | None) -> str:
    return f"/{MARK}/{cluster}" if cluster else f"/{MARK}"


def _ancestors(pid: int, by_pid: dict[int, ProcessInfo]) -> set[int]:
    found = {pid}
    while pid in by_pid:
        pid = by_pid[pid].parent
        found.add(pid)
    return found
