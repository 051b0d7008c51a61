"""What processes of a cluster use: CPU time and memory, read from /proc."""

from __future__ import annotations

import os
from pathlib import Path

from pybernetes.cluster.layout import Layout
from pybernetes.cluster.supervise import status

_TICK = os.sysconf("SC_CLK_TCK")


def pids(layout: Layout, *, ours: bool = True) -> dict[str, int]:
    """Process ids by name; without containerd if only `ours` are asked for."""
    state = status(layout)
    if state is None:
        raise RuntimeError(f"cluster {layout.cluster} does not run")
    found = {p.name: p.pid for p in state.processes if p.pid and not (ours and p.name.startswith("containerd"))}
    return {"supervisor": state.supervisor.pid, **found}


def cpu_seconds(pid: int) -> float:
    """User and system time so far."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICK


def rss_mb(pid: int) -> float:
    """Resident memory, in megabytes."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) * 1024 / 1e6
    raise RuntimeError(f"process {pid} has no memory")
