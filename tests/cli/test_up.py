"""`up`, `status`, `stop` and `down` as programs: what a user does, and what can fail."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from pybernetes.cluster.down import down
from pybernetes.cluster.errors import DiskFull
from pybernetes.cluster.inventory import Roots, inventory
from pybernetes.cluster.progress import Step
from pybernetes.cluster.registry import Registry
from pybernetes.cluster.up import UpOptions, up
from pybernetes.linux import mount

pytestmark = pytest.mark.slow


class Silent:
    """A `Progress` that records steps."""

    def __init__(self) -> None:
        self.steps: list[str] = []

    def begin(self, doing: str) -> None:
        """Ignore it."""

    def done(self, step: Step) -> None:
        self.steps.append(step.text)


class User:
    """A user with their own kubeconfig, who runs commands on one cluster."""

    def __init__(self, cluster: str, kubeconfig: Path) -> None:
        self.cluster, self.kubeconfig = cluster, kubeconfig

    def start(self, *words: str, prefix: tuple[str, ...] = ()) -> subprocess.Popen[str]:
        """Start a command."""
        argv = [*prefix, sys.executable, "-m", "pybernetes.cli.main", *words, "--name", self.cluster]
        env = {**os.environ, "KUBECONFIG": str(self.kubeconfig), "PYTHONUNBUFFERED": "1"}
        return subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=env)

    def run(self, *words: str, prefix: tuple[str, ...] = ()) -> tuple[int, str, str]:
        """Exit code, stdout and stderr of a command."""
        process = self.start(*words, prefix=prefix)
        out, err = process.communicate(timeout=120)
        return process.returncode, out, err

    def nodes(self) -> set[str]:
        """The nodes that kubectl lists."""
        argv = ["kubectl", f"--kubeconfig={self.kubeconfig}", "get", "nodes", "-o", "name"]
        return set(subprocess.run(argv, capture_output=True, text=True, check=True).stdout.split())


@pytest.fixture
def user(tmp_path: Path) -> Iterator[User]:
    """A user of a cluster that is removed after the test."""
    made = User(f"pbt-{uuid.uuid4().hex[:8]}", tmp_path / "kubeconfig")
    yield made
    down(made.cluster, user_kubeconfig=made.kubeconfig)
    assert inventory(made.cluster).is_empty()


def test_a_port_in_use_is_reported_before_anything_is_created(user: User) -> None:
    with socket.create_server(("0.0.0.0", 0)) as taken:
        port = taken.getsockname()[1]
        code, _, err = user.run("up", "--nodes=1", f"--api-port={port}")
    assert code == 1
    assert f"port {port} is in use" in err and "ss -ltnp" in err
    assert user.cluster not in Registry().read().clusters
    assert inventory(user.cluster).is_empty()


def test_an_invalid_kubeconfig_is_not_changed_and_nothing_is_created(user: User) -> None:
    for garbage in ("{[ not yaml", "just text", "contexts: 7\n", "\x00\x01"):
        user.kubeconfig.write_text(garbage)
        code, _, err = user.run("up", "--nodes=1")
        assert code == 1
        assert str(user.kubeconfig) in err and "Traceback" not in err
        assert user.kubeconfig.read_text() == garbage
    assert inventory(user.cluster).is_empty()


def test_a_missing_capability_is_named_with_the_fix(user: User) -> None:
    prefix = ("setpriv", "--inh-caps=-net_admin", "--bounding-set=-net_admin")
    code, _, err = user.run("up", "--nodes=1", prefix=prefix)
    assert code == 1
    assert "CAP_NET_ADMIN is missing" in err and "--privileged" in err
    assert inventory(user.cluster).is_empty()


@pytest.mark.parametrize(
    ("words", "parts"),
    [
        (["--nodes=0"], ("--nodes 0", "1 to 100")),
        (["--nodes=101"], ("--nodes 101", "--simulated-nodes")),
        (["--racks=0"], ("--racks 0", "1 to 7")),
        (["--racks=8"], ("--racks 8", "1 to 7")),
    ],
)
def test_numbers_out_of_range_are_refused(user: User, words: list[str], parts: tuple[str, ...]) -> None:
    code, _, err = user.run("up", *words)
    assert code == 1
    assert all(part in err for part in parts)
    assert inventory(user.cluster).is_empty()


@pytest.mark.kernel
def test_a_full_disk_gives_a_clear_message_and_down_still_works(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "kubeconfig"))
    state, name = tmp_path / "state", f"pbt-{uuid.uuid4().hex[:8]}"
    state.mkdir()
    mount.tmpfs(state, size=48 << 10)
    roots = Roots(state, tmp_path / "run")
    try:
        with pytest.raises(DiskFull, match=r"no space left for .*; free some \(df -h .*\) and run the command again"):
            up(UpOptions(name=name, nodes=1), Silent(), Registry(*roots))
        assert shutil.disk_usage(state).free < 4096
        assert down(name, roots=roots, user_kubeconfig=tmp_path / "kubeconfig").left == ()
    finally:
        mount.unmount_all(state)


@pytest.mark.e2e
def test_the_life_cycle_of_a_cluster(user: User) -> None:
    # Interrupted in the middle: 130, and the same command can be run again.
    first = user.start("up", "--nodes=1")
    assert first.stdout is not None
    while "network namespaces" not in first.stdout.readline():
        assert first.poll() is None
    first.send_signal(signal.SIGINT)
    _, err = first.communicate(timeout=60)
    assert first.returncode == 130 and "can be run again" in err and "Traceback" not in err
    code, out, err = user.run("up", "--nodes=1")
    assert code == 0, err
    assert "1 node Ready" in out and f"context pybernetes-{user.cluster}" in out

    # More nodes, then fewer: surplus nodes are removed completely.
    assert user.run("up", "--nodes=2")[0] == 0
    assert user.nodes() == {"node/node-1", "node/node-2"}
    code, out, err = user.run("up", "--nodes=1")
    assert code == 0 and "removed node-2" in out, err
    assert user.nodes() == {"node/node-1"}
    left = "\n".join(inventory(user.cluster).lines())
    assert "node-2" not in left
    assert not list(Path("/var/lib/pybernetes", user.cluster).rglob("*node-2*"))

    # `status` shows the processes, and every component has a log.
    code, out, _ = user.run("status", "-o", "json")
    assert code == 0
    report = json.loads(out)
    assert report["state"] == "running"
    assert [row["name"] for row in report["processes"]] == ["control-plane", "containerd-node-1", "node-node-1"]
    assert report["nodes"][0]["ready"] is True
    for component in user.run("logs")[1].split():
        code, out, err = user.run("logs", component)
        assert code == 0, err
    assert "API server listens" in user.run("logs", "control-plane", "-n", "500")[1]
    code, _, err = user.run("logs", "kubelet")
    assert code == 1 and "there are supervisor, control-plane" in err

    # Stopped: `status` shows it; a port that another program took meanwhile is reported at once.
    assert user.run("stop")[0] == 0
    code, out, _ = user.run("status")
    assert code == 1 and "is stopped" in out
    record = Registry().read().clusters[user.cluster]
    with socket.create_server(("0.0.0.0", record.api_port)):
        code, _, err = user.run("up", "--nodes=1")
    assert code == 1 and f"port {record.api_port} of cluster" in err

    # `down` during `up` waits for it, reports that, and leaves nothing.
    second = user.start("up", "--nodes=1")
    assert second.stdout is not None
    while "network namespaces" not in second.stdout.readline():
        assert second.poll() is None
    code, out, err = user.run("down")
    second.communicate(timeout=60)
    assert second.returncode == 0
    assert code == 0 and "waiting for another" in err and "Removed cluster" in out
    assert inventory(user.cluster).is_empty()
    assert not user.kubeconfig.exists()
