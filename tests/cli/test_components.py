"""The components as separate processes: API server, controllers and scheduler over HTTPS on loopback."""

import asyncio
import json
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from pybernetes.api.core.config_map import ConfigMap
from pybernetes.api.meta import ObjectMeta
from pybernetes.client.errors import ApiError, Unreachable
from pybernetes.cluster.pki import Pki

from .assembly import Assembly
from .etcd import EtcdServer
from .objects import deployment, node, ready_status

pytestmark = pytest.mark.slow


@pytest.fixture
def assembly(tmp_path: Path) -> Iterator[Assembly]:
    """An assembly without processes."""
    made = Assembly(tmp_path)
    yield made
    made.close()


def add_ready_node(assembly: Assembly, name: str) -> None:
    """Add a Ready Node without the taints that were added on creation."""
    assembly.apply(node(name))
    path = f"/api/v1/nodes/{name}/status"
    status = json.loads(assembly.kubectl("get", "--raw", f"/api/v1/nodes/{name}"))
    status["status"] = json.loads(ready_status())["status"]
    assembly.kubectl("replace", "--raw", path, "-f", "-", stdin=json.dumps(status))


def pods(assembly: Assembly) -> list[dict[str, object]]:
    """All pods in the default namespace."""
    found: list[dict[str, object]] = json.loads(assembly.kubectl("get", "pods", "-o", "json"))["items"]
    return found


def bound(assembly: Assembly, count: int) -> bool:
    """Whether this many pods have a node."""
    return sum(bool(pod["spec"].get("nodeName")) for pod in pods(assembly)) == count  # type: ignore[attr-defined]


def leader(assembly: Assembly, name: str) -> str:
    """The holder of a Lease."""
    form = "jsonpath={.spec.holderIdentity}"
    return assembly.kubectl("-n", "kube-system", "get", "lease", name, "-o", form, check=False)


def test_controllers_and_scheduler_in_other_processes_run_a_deployment(assembly: Assembly) -> None:
    assembly.apiserver()
    assembly.controller_manager()
    assembly.scheduler("scheduler-1")
    add_ready_node(assembly, "pbt-1")
    assembly.apply(deployment("web", 3))
    assembly.wait("3 bound pods", lambda: bound(assembly, 3), "controller-manager", "scheduler-1")
    assert {pod["spec"]["nodeName"] for pod in pods(assembly)} == {"pbt-1"}  # type: ignore[index]
    assert leader(assembly, "kube-controller-manager") and leader(assembly, "kube-scheduler")
    cidr = assembly.kubectl("get", "node", "pbt-1", "-o", "jsonpath={.spec.podCIDR}")
    assert cidr == "10.244.0.0/24"

    first = leader(assembly, "kube-scheduler")
    assembly.scheduler("scheduler-2")
    assembly.processes["scheduler-1"].kill()
    assembly.kubectl("scale", "deployment", "web", "--replicas=5")
    assembly.wait("5 bound pods", lambda: bound(assembly, 5), "scheduler-2")
    assert leader(assembly, "kube-scheduler") not in ("", first)

    # All end concurrently with open watches: each within a second, and a leader releases its lease.
    assert assembly.end("scheduler-2") < 10
    assert leader(assembly, "kube-scheduler") == ""
    assert assembly.end("apiserver") < 10
    assert assembly.end("controller-manager") < 3.5


def test_an_apiserver_stores_its_state_in_etcd_under_the_keys_of_kube_apiserver(
    assembly: Assembly, tmp_path: Path
) -> None:
    with EtcdServer(tmp_path / "etcd" / "data") as etcd:
        assembly.apiserver(f"--etcd-servers={etcd.url}")
        assembly.kubectl("create", "configmap", "settings", "--from-literal=a=b")
        assembly.apply(node("pbt-1"), deployment("web", 1))
        argv = ["etcdctl", f"--endpoints={etcd.url}", "get", "/registry", "--prefix", "--keys-only"]
        found = subprocess.run(
            argv, capture_output=True, text=True, check=True, env={"ETCDCTL_API": "3"}
        ).stdout.split()
        for key in (
            "/registry/configmaps/default/settings",
            "/registry/minions/pbt-1",
            "/registry/deployments/default/web",
            "/registry/namespaces/kube-system",
            "/registry/services/specs/default/kubernetes",
            "/registry/clusterroles/cluster-admin",
        ):
            assert key in found
        assert assembly.end("apiserver") < 10
        assembly.apiserver(f"--etcd-servers={etcd.url}")
        assert "settings" in assembly.kubectl("get", "configmaps", "-o", "name")


async def test_acknowledged_writes_survive_a_shutdown_during_writes(assembly: Assembly) -> None:
    assembly.apiserver()
    client = assembly.client()
    acknowledged: list[str] = []

    async def write(writer: int) -> None:
        maps = client.of(ConfigMap)
        for number in range(10_000):
            name = f"c{writer}-{number}"
            try:
                await maps.create(ConfigMap(metadata=ObjectMeta(name=name, namespace="default")))
            except (ApiError, Unreachable):
                return
            acknowledged.append(name)

    writers = [asyncio.create_task(write(number), name=f"writer {number}") for number in range(4)]
    while len(acknowledged) < 100:
        await asyncio.sleep(0.01)
    # In a thread, so that the writers continue until the process has exited.
    assert await asyncio.to_thread(assembly.end, "apiserver") < 10
    await asyncio.gather(*writers)
    await client.close()
    await asyncio.to_thread(assembly.apiserver)
    found = assembly.kubectl("get", "configmaps", "-o", "name").split()
    assert {f"configmap/{name}" for name in acknowledged} <= set(found)


def test_an_apiserver_without_files_generates_them(assembly: Assembly, tmp_path: Path) -> None:
    made = tmp_path / "made"
    tokens = tmp_path / "tokens.csv"
    tokens.write_text("t0ken,jane,1,system:masters\n")
    assembly.start(
        "apiserver",
        "apiserver",
        f"--data-dir={tmp_path / 'state'}",
        f"--cert-dir={made}",
        f"--token-auth-file={tokens}",
        "--bind-address=127.0.0.1",
        f"--secure-port={assembly.port}",
    )
    argv = [
        "kubectl",
        "--kubeconfig=/dev/null",
        f"--server={assembly.url}",
        f"--certificate-authority={made / 'ca.crt'}",
    ]

    def ask(token: str, path: str) -> str:
        done = subprocess.run(
            [*argv, f"--token={token}", "get", "--raw", path], capture_output=True, text=True, check=False
        )
        return done.stdout + done.stderr

    assembly.wait("the API server", lambda: ask("t0ken", "/readyz") == "ok", "apiserver")
    assert "kube-system" in ask("t0ken", "/api/v1/namespaces")
    assert "nauthorized" in ask("wrong", "/api/v1/namespaces")
    assert (made / "sa.key").stat().st_mode & 0o777 == 0o600
    assert Pki(made).pair("apiserver").certificate.exists()


@pytest.mark.parametrize("what", ["apiserver", "scheduler"])
def test_a_port_in_use_gives_one_line(assembly: Assembly, tmp_path: Path, what: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        more = {
            "apiserver": (f"--data-dir={tmp_path / 'state'}", f"--cert-dir={tmp_path / 'made'}"),
            "scheduler": (f"--kubeconfig={tmp_path / 'scheduler.conf'}",),
        }[what]
        process = assembly.start(what, what, f"--secure-port={port}", "--bind-address=127.0.0.1", *more)
        assert process.wait(timeout=30) == 1
    output = assembly.log(what).splitlines()
    assert f"port {port}" in output[-1] and "in use" in output[-1]
    assert not any("Traceback" in line for line in output)


def test_an_unreachable_etcd_is_named(assembly: Assembly, tmp_path: Path) -> None:
    arguments = ("--etcd-servers=http://127.0.0.1:1", f"--cert-dir={tmp_path / 'made'}", "--secure-port=0")
    process = assembly.start("apiserver", "apiserver", *arguments)
    assert process.wait(timeout=60) == 1
    output = assembly.log("apiserver")
    assert "http://127.0.0.1:1" in output and "Traceback" not in output
