"""A cluster with real containers, driven by real clients. Tests that do not break the cluster share one."""

import itertools
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from pybernetes.cluster.inventory import inventory
from pybernetes.cluster.layout import Layout
from pybernetes.cluster.processes import scan, send, stop
from pybernetes.cluster.registry import Registry
from pybernetes.cluster.supervise import process
from support.kubectls import kubectls

PYBERNETES = [sys.executable, "-m", "pybernetes.cli.main"]
HELLO = "docker.io/pybernetes/hello:1.0"
BUSYBOX = "docker.io/library/busybox:1.36"
NODES = ["node-1", "node-2", "node-3"]
LATEST = "docker.io/pybernetes/hello:latest"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Everything here needs a cluster."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.e2e)
            item.add_marker(pytest.mark.slow)


def run(argv: list[str], *, env: Mapping[str, str] | None = None, stdin: str = "", timeout: float = 120) -> str:
    """A program's standard output. Raises AssertionError with all of its output if it fails."""
    done = run_raw(argv, env=env, stdin=stdin, timeout=timeout)
    assert done.returncode == 0, f"{' '.join(argv)}: exit {done.returncode}\n{done.stdout}{done.stderr}"
    return done.stdout


def run_raw(
    argv: list[str], *, env: Mapping[str, str] | None = None, stdin: str = "", timeout: float = 120
) -> "subprocess.CompletedProcess[str]":
    """Run a program and return its result, whatever its exit code."""
    return subprocess.run(
        argv,
        input=stdin,
        capture_output=True,
        text=True,
        check=False,
        timeout=timeout,
        env={**os.environ, **(env or {})},
    )


def eventually(check: Callable[[], Any], *, timeout: float = 30.0, what: str = "") -> Any:
    """Wait until `check` returns a true value; an AssertionError inside it means not yet."""
    deadline = time.monotonic() + timeout
    last: object = None
    while time.monotonic() < deadline:
        try:
            last = check()
            if last:
                return last
        except AssertionError as error:
            last = error
        time.sleep(0.1)
    raise AssertionError(f"not within {timeout:.0f} s: {what or check.__name__}: {str(last)[:2000]}")


@dataclass
class Kubectl:
    """A kubectl for one namespace."""

    kubeconfig: str
    namespace: str = "default"
    program: str = field(default_factory=lambda: kubectls()[0])
    context: str = ""

    def argv(self, *args: str) -> list[str]:
        context = ["--context", self.context] if self.context else []
        return [self.program, "--kubeconfig", self.kubeconfig, *context, "-n", self.namespace, *args]

    def __call__(self, *args: str, stdin: str = "", timeout: float = 120) -> str:
        return run(self.argv(*args), stdin=stdin, timeout=timeout)

    def raw(self, *args: str, stdin: str = "", timeout: float = 120) -> "subprocess.CompletedProcess[str]":
        return run_raw(self.argv(*args), stdin=stdin, timeout=timeout)

    def json(self, *args: str) -> Any:
        return json.loads(self(*args, "-o", "json"))

    def apply(self, *objects: dict[str, Any]) -> str:
        return self("apply", "-f", "-", stdin=json.dumps({"apiVersion": "v1", "kind": "List", "items": list(objects)}))

    def wait(self, what: str, condition: str = "condition=Ready", timeout: int = 60) -> str:
        return self("wait", f"--for={condition}", what, f"--timeout={timeout}s")


@dataclass
class Cluster:
    """A cluster created by `pybernetes up`."""

    name: str
    kubeconfig: Path

    @property
    def env(self) -> dict[str, str]:
        return {"KUBECONFIG": str(self.kubeconfig)}

    def cli(self, *args: str, timeout: float = 180) -> str:
        return run([*PYBERNETES, *args], env=self.env, timeout=timeout)

    def up(self, *args: str) -> str:
        return self.cli("up", "--name", self.name, *args)

    def down(self) -> str:
        return self.cli("down", "--name", self.name)

    @property
    def layout(self) -> Layout:
        layout = Registry().layout(self.name)
        assert layout is not None
        return layout

    def kubectl(self, namespace: str = "default", program: str = "") -> Kubectl:
        return Kubectl(str(self.kubeconfig), namespace, program or kubectls()[0])

    def in_node(self, node: str, *argv: str) -> str:
        """Run a command in a node's network namespace."""
        return run(["nsenter", f"--net={self.layout.node(node).netns_path}", *argv])


@pytest.fixture(scope="session")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """Three nodes. Tests must not change the cluster's state."""
    made = Cluster(os.environ.get("PYBERNETES_E2E_CLUSTER", "e2e"), tmp_path_factory.mktemp("e2e") / "kubeconfig")
    made.down()
    made.up("--nodes", "3")
    yield made
    made.down()
    assert inventory(made.name).is_empty(), inventory(made.name).lines()


_numbers = itertools.count(1)


@pytest.fixture
def kubectl(cluster: Cluster) -> Iterator[Kubectl]:
    """kubectl for a new namespace, which is deleted after the test."""
    base = cluster.kubectl()
    name = f"t{next(_numbers)}"
    base("create", "namespace", name)
    eventually(lambda: base.raw("-n", name, "get", "sa", "default").returncode == 0, what="default service account")
    yield cluster.kubectl(name)
    base("delete", "namespace", name, "--wait=false")


def hello(name: str = "web", replicas: int = 3, **pod: Any) -> dict[str, Any]:
    """A Deployment of the example server."""
    labels = {"app": name}
    container = {
        "name": "web",
        "image": HELLO,
        "ports": [{"name": "http", "containerPort": 8080}],
        "env": [
            {"name": "POD_NAME", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}},
            {"name": "NODE_NAME", "valueFrom": {"fieldRef": {"fieldPath": "spec.nodeName"}}},
        ],
        "readinessProbe": {"httpGet": {"path": "/readyz", "port": "http"}, "periodSeconds": 1},
        "lifecycle": {"preStop": {"sleep": {"seconds": 2}}},
    }
    spec = {"containers": [container], "terminationGracePeriodSeconds": 5, **pod}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name, "labels": labels},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": spec},
        },
    }


def service(name: str = "web", **spec: Any) -> dict[str, Any]:
    """A Service for the example server."""
    ports = [{"name": "http", "port": 80, "targetPort": "http"}]
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": name},
        "spec": {"selector": {"app": name}, "ports": ports, **spec},
    }


def shell_pod(name: str = "client", node: str = "", script: str = "", **spec: Any) -> dict[str, Any]:
    """A pod with a shell, which is idle unless a script is given."""
    command = ["sh", "-c", script or "trap exit TERM; while :; do sleep 3600 & wait; done"]
    body: dict[str, Any] = {
        "terminationGracePeriodSeconds": 1,
        "containers": [{"name": "main", "image": BUSYBOX, "command": command}],
        **spec,
    }
    if node:
        body["nodeName"] = node
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "labels": {"app": name}}, "spec": body}


@contextmanager
def own_cluster(name: str, directory: Path, *args: str) -> Iterator[Cluster]:
    """A cluster that a test may break. It is removed afterwards."""
    made = Cluster(name, directory / "kubeconfig")
    made.down()
    made.up(*args)
    try:
        yield made
    finally:
        made.down()
    assert inventory(made.name).is_empty(), inventory(made.name).lines()


def kill(cluster: Cluster, *names: str) -> None:
    """kill -9 of supervised processes, all at once; returns when they have exited."""
    targets = {name: process(cluster.layout, name) for name in names}
    running = [target for target in targets.values() if target is not None]
    assert len(running) == len(names), f"not all are running: {targets}"
    assert stop(running, grace=0) == []


def kill_container(cluster: Cluster, pod: dict[str, Any]) -> None:
    """kill -9 of the first process of a pod's only container."""
    uid, mark = pod["metadata"]["uid"], f"/pybernetes/{cluster.name}/{pod['spec']['nodeName']}/"
    inside = [info for info in scan() if mark in info.cgroups and uid in info.cgroups]
    pids = {info.id.pid for info in inside}
    first = [info for info in inside if info.parent not in pids and info.argv[0] not in ("/pause", "runc")]
    assert len(first) == 1, [info.argv for info in inside]
    assert send(first[0].id, signal.SIGKILL)


def all_ready(cluster: Cluster, count: int = 3) -> bool:
    """Whether this many nodes are Ready."""
    return cluster.kubectl()("get", "nodes", "--no-headers").count(" Ready ") == count


def node_address(kubectl: Kubectl, node: str) -> str:
    """A node's InternalIP."""
    return kubectl("get", "node", node, "-o", "jsonpath={.status.addresses[0].address}")


def rolled(kubectl: Kubectl, name: str = "web", timeout: int = 60) -> None:
    """Wait until the rollout is complete."""
    kubectl("rollout", "status", f"deployment/{name}", f"--timeout={timeout}s")
