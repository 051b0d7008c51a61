"""A snapshot of the machine. It does not search for our marks, so it also finds objects that lost their mark."""

import os
import subprocess
from pathlib import Path
from typing import NamedTuple

from pybernetes.cluster import cni_cache
from pybernetes.cluster.processes import scan
from pybernetes.cluster.registry import Registry
from pybernetes.cluster.shims import listens

_TREES = (
    "/etc/cni",
    "/opt/cni",
    "/run/containerd",
    "/run/netns",
    "/run/pybernetes",
    "/var/lib/cni",
    "/var/lib/containerd",
    "/var/lib/kubelet",
    "/var/lib/pybernetes",
    "/var/log",
)
_TOPS = ("/run", "/tmp", "/var/tmp", "/etc")
_INIT = 1
_DAEMONS = ("pybernetes", "containerd", "runc", "pause", "httpd", "/hello")


class Footprint(NamedTuple):
    """A snapshot of the machine."""

    things: dict[str, set[str]]
    foreign: list[str]
    """Marks of other clusters and of other tests that run meanwhile."""


def footprint(*mine: str) -> Footprint:
    """Links, namespaces, mounts, cgroups, nftables tables, routes, daemons and files; `mine` are our clusters."""
    things = {
        "links": set(_lines("ip", "-o", "link", "show")),
        "addresses": set(_lines("ip", "-o", "addr", "show")),
        "routes": set(_lines("ip", "route", "show", "table", "all")) | set(_lines("ip", "-6", "route", "show")),
        "namespaces": set(_lines("ip", "netns", "list")),
        "mounts": {line.split()[4] for line in Path("/proc/self/mountinfo").read_text().splitlines()},
        "cgroups": {str(path) for top in _cgroup_roots() for path in top.rglob("*") if path.is_dir()},
        "tables": set(_lines("nft", "list", "tables")),
        "iptables": set(_lines("iptables-save")),
        "daemons": {
            f"{info.id.pid}/{info.id.start} {' '.join(info.argv)} {info.cgroups}"
            for info in scan()
            if info.parent == _INIT and any(word in f"{info.argv[:3]}{info.cgroups}" for word in _DAEMONS)
        },
        "files": _files(),
    }
    return Footprint(things, _foreign(set(mine)))


def difference(before: Footprint, *mine: str) -> dict[str, list[str]]:
    """What was added (+) and removed (-) since `before`, except by other clusters and tests."""
    now = footprint(*mine)
    foreign = {*before.foreign, *now.foreign}
    found: dict[str, list[str]] = {}
    for kind, things in now.things.items():
        then = before.things[kind]
        changed = [f"+ {thing}" for thing in things - then] + [f"- {thing}" for thing in then - things]
        left = sorted(line for line in changed if not any(mark in line for mark in foreign) and _concerns(line, mine))
        if left:
            found[kind] = left
    return found


def _foreign(mine: set[str]) -> list[str]:
    """Marks of objects that do not belong to our clusters: those of other clusters and of component tests."""
    registry = Registry()
    marks = ["pbt-", "pytest", "clusters.json", "counters "]
    for name in set(registry.read().clusters) - mine:
        layout = registry.layout(name)
        assert layout is not None
        marks += [f"/pybernetes/{name}", f"pybernetes-{name}", f"{name}.lock", layout.host_link, f"--name {name} "]
        marks += [str(layout.underlay_v4.network_address).rpartition(".")[0]]
        marks += [path.name.split("-")[-2] for path in cni_cache.owned(layout.run)]
    return marks


def _concerns(line: str, mine: tuple[str, ...]) -> bool:
    """Whether a line counts: not another cluster's shim's socket, and not another program's temporary file or cgroup.

    The names of shims' sockets do not tell whose they are: one that is gone may be another cluster's, and one that is
    new counts only if no shim listens there any more.
    """
    name = line[2:]
    if "/run/containerd/s/" in name:
        return line.startswith("+") and not listens(Path(name))
    if line.startswith("- /sys/fs/cgroup") and not any(mark in name for mark in (*mine, "pybernetes")):
        return False  # other programs start and stop
    return not name.startswith(("/tmp/", "/var/tmp/")) or any(mark in name for mark in (*mine, "pybernetes"))


def _lines(*argv: str) -> list[str]:
    done = subprocess.run(argv, capture_output=True, text=True, check=True)
    return [line.partition(" expires ")[0].strip() for line in done.stdout.splitlines() if not line.startswith("#")]


def _cgroup_roots() -> list[Path]:
    root = Path("/sys/fs/cgroup")
    return [root] if (root / "cgroup.controllers").exists() else [path for path in root.iterdir() if path.is_dir()]


def _files() -> set[str]:
    found = {str(path) for top in _TOPS if Path(top).is_dir() for path in Path(top).iterdir()}
    for tree in _TREES:
        for where, folders, files in os.walk(tree):
            found.update(os.path.join(where, name) for name in (*folders, *files))
    return found
