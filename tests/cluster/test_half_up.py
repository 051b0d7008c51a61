"""`up` killed at any moment: running it again completes the cluster, and `down` removes all of it."""

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from pybernetes.cluster.down import down
from pybernetes.cluster.inventory import Roots, inventory
from pybernetes.cluster.registry import Registry

pytestmark = [pytest.mark.node, pytest.mark.slow]

UP = """
import sys
from pathlib import Path
from pybernetes.cluster import nodes
from pybernetes.cluster.registry import Registry, default_node_names
from pybernetes.cluster.supervise import supervise
state, run, name = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3]
registry = Registry(state, run)
print("begun", flush=True)
with registry.exclusive(name):
    layout, records = registry.allocate(name, default_node_names(3), racks=2)
    nodes.prepare_nodes(layout, records, 2)
    supervise(layout, [nodes.containerd_spec(layout, record.name) for record in records])
    nodes.wait_for_containerds(layout, records)
    nodes.load_standard_images(layout, records)
print("up", flush=True)
"""


def begin(roots: Roots, name: str) -> "subprocess.Popen[str]":
    process = subprocess.Popen(
        [sys.executable, "-c", UP, str(roots.state), str(roots.run), name], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "begun\n"
    return process


def finish(process: "subprocess.Popen[str]") -> str:
    printed, _ = process.communicate(timeout=60)
    return printed


@pytest.mark.parametrize("delay", [0.02, 0.06, 0.1, 0.2, 0.4])
def test_down_after_up_was_killed(roots: Roots, name: str, tmp_path: Path, delay: float) -> None:
    process = begin(roots, name)
    time.sleep(delay)
    process.send_signal(signal.SIGKILL)
    finish(process)
    report = down(name, roots=roots, user_kubeconfig=tmp_path / "none")
    assert report.left == ()
    assert inventory(name, roots).is_empty()
    assert Registry(roots.state, roots.run).read().clusters == {}


@pytest.mark.parametrize("delay", [0.05, 0.25])
def test_up_again_after_up_was_killed(roots: Roots, name: str, delay: float) -> None:
    process = begin(roots, name)
    time.sleep(delay)
    process.send_signal(signal.SIGKILL)
    finish(process)
    assert finish(begin(roots, name)) == "up\n"


def test_two_concurrent_ups_make_one_cluster(roots: Roots, name: str) -> None:
    processes = [begin(roots, name) for _ in range(2)]
    assert [finish(process) for process in processes] == ["up\n", "up\n"]
    shown = inventory(name, roots)
    assert sum("pybernetes.cluster.supervisor" in line for line in shown.processes) == 1
    assert sum(" containerd --config" in line for line in shown.processes) == 3
