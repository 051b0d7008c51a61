"""User errors and unsuitable machines: a message names the fix, and nothing is left over."""

import contextlib
import json
import socket
import ssl
import subprocess
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from e2e.conftest import (
    PYBERNETES,
    Cluster,
    Kubectl,
    all_ready,
    eventually,
    hello,
    run,
    run_raw,
    service,
    shell_pod,
)
from pybernetes.cluster.inventory import inventory
from pybernetes.cluster.layout import STATE_ROOT
from pybernetes.cluster.pki import Pki, apiserver_sans
from pybernetes.cluster.registry import Registry

UNPRIVILEGED = "65534"


def up_fails(name: str, directory: Path, *args: str, prefix: tuple[str, ...] = (), kubeconfig: str = "") -> str:
    """The message of a failing `up`. It has no traceback, and nothing of the cluster exists."""
    env = {"KUBECONFIG": kubeconfig or str(directory / "kubeconfig")}
    done = run_raw([*prefix, *PYBERNETES, "up", "--name", name, *args], env=env, timeout=60)
    assert done.returncode in (1, 2), done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    assert inventory(name).is_empty(), inventory(name).lines()
    assert name not in Registry().read().clusters
    assert not (directory / "kubeconfig").exists()
    return done.stderr


@contextlib.contextmanager
def listening(port: int = 0) -> Iterator[int]:
    """Another program that listens on a port."""
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        other.bind(("127.0.0.1", port))
        other.listen()
        yield other.getsockname()[1]


@contextlib.contextmanager
def small_disk(where: Path, size: str) -> Iterator[None]:
    """A small file system mounted on a directory."""
    where.mkdir(parents=True, exist_ok=True)
    run(["mount", "-t", "tmpfs", "-o", f"size={size}", "e2e-small", str(where)])
    try:
        yield
    finally:
        subprocess.run(["umount", "-l", str(where)], check=False, capture_output=True)


class TestUp:
    """Errors before anything is created."""

    @pytest.mark.parametrize(
        ("args", "words"),
        [
            (("--nodes", "0"), ("--nodes 0", "1 to 100")),
            (("--nodes", "many"), ("--nodes", "many")),
            (("--racks", "9"), ("--racks 9", "1 to 7")),
            (("--backend", "ipip"), ("--backend", "vxlan")),
            (("--proxy-mode", "ipvs"), ("--proxy-mode", "nftables")),
            (("--api-port", "70000"), ("--api-port", "65535")),
            (("--node-monitor-grace-period", "soon"), ("--node-monitor-grace-period", "1m30s")),
            (("--nodse", "3"), ("--nodse", "--nodes")),
        ],
        ids=lambda value: " ".join(value),
    )
    def test_flags(self, tmp_path: Path, args: tuple[str, ...], words: tuple[str, ...]) -> None:
        output = up_fails("e2e-bad", tmp_path, *args)
        assert all(word in output for word in words), output

    def test_invalid_names(self, tmp_path: Path) -> None:
        env = {"KUBECONFIG": str(tmp_path / "kubeconfig")}
        done = run_raw([*PYBERNETES, "up", "--name", "Bad_Name"], env=env)
        assert done.returncode in (1, 2) and "Bad_Name" in done.stderr and "Traceback" not in done.stderr

    def test_an_unknown_command(self) -> None:
        done = run_raw([*PYBERNETES, "upp"])
        assert done.returncode == 2 and "up" in done.stderr and "Traceback" not in done.stderr

    @pytest.mark.parametrize("command", ["status", "stop", "kubeconfig", "logs"])
    def test_an_unknown_cluster(self, command: str) -> None:
        args = ["control-plane"] if command == "logs" else []
        done = run_raw([*PYBERNETES, command, "--name", "e2e-none", *args])
        assert done.returncode == 1 and "e2e-none" in done.stderr and "pybernetes up" in done.stderr, done.stderr

    def test_a_port_in_use(self, tmp_path: Path) -> None:
        with listening() as port:
            output = up_fails("e2e-bad", tmp_path, "--api-port", str(port))
        assert f"port {port} is in use" in output and "ss -ltnp" in output

    @pytest.mark.parametrize("content", ["{not yaml: [", "just words", "apiVersion: v1\nkind: Pod\n", "\0\1\2"])
    def test_a_file_that_is_not_a_kubeconfig(self, tmp_path: Path, content: str) -> None:
        damaged = tmp_path / "damaged"
        damaged.write_text(content)
        output = up_fails("e2e-bad", tmp_path, kubeconfig=str(damaged))
        assert str(damaged) in output
        assert damaged.read_text() == content

    def test_a_kubeconfig_that_is_a_directory(self, tmp_path: Path) -> None:
        assert str(tmp_path) in up_fails("e2e-bad", tmp_path, kubeconfig=str(tmp_path))

    def test_not_root(self, tmp_path: Path) -> None:
        tmp_path.chmod(0o755)
        output = up_fails("e2e-bad", tmp_path, prefix=("setpriv", "--reuid", UNPRIVILEGED, "--clear-groups"))
        assert "root" in output and "sudo" in output

    @pytest.mark.parametrize("capability", ["net_admin", "sys_admin"])
    def test_a_missing_capability(self, tmp_path: Path, capability: str) -> None:
        prefix = ("setpriv", "--bounding-set", f"-{capability}", "--inh-caps", f"-{capability}")
        output = up_fails("e2e-bad", tmp_path, prefix=prefix)
        assert f"CAP_{capability.upper()} is missing" in output and "--privileged" in output

    def test_a_missing_program(self, tmp_path: Path) -> None:
        # Bind-mount a file of the test: changing the mode of a bind mount would change the file itself.
        nothing = tmp_path / "runc"
        nothing.touch(mode=0)
        hide = f'mount --bind {nothing} /usr/sbin/runc; exec "$@"'
        output = up_fails("e2e-bad", tmp_path, prefix=("unshare", "-m", "sh", "-c", hide, "sh"))
        assert "runc" in output and "apt-get install" in output

    def test_a_full_disk(self, tmp_path: Path) -> None:
        env = {"KUBECONFIG": str(tmp_path / "kubeconfig")}
        run([*PYBERNETES, "down", "--name", "e2e-full"], env=env)
        with small_disk(STATE_ROOT / "e2e-full", "3m"):
            done = run_raw([*PYBERNETES, "up", "--name", "e2e-full", "--nodes", "1"], env=env, timeout=90)
            assert done.returncode == 1
            assert "no space left on device" in done.stderr.lower() and "free some" in done.stderr, done.stderr
            assert "Traceback" not in done.stderr
            run([*PYBERNETES, "down", "--name", "e2e-full"], env=env)
        assert inventory("e2e-full").is_empty(), inventory("e2e-full").lines()


@pytest.fixture(scope="module")
def mine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """One node; the store is on a small file system."""
    made = Cluster("e2e-small", tmp_path_factory.mktemp("small") / "kubeconfig")
    made.down()
    with small_disk(STATE_ROOT / "e2e-small" / "store", "8m"):
        made.up("--nodes", "1")
        yield made
        made.down()
    assert inventory(made.name).is_empty(), inventory(made.name).lines()


class TestARunningCluster:
    """Errors of an existing cluster."""

    def test_another_number_of_racks(self, mine: Cluster) -> None:
        done = run_raw([*PYBERNETES, "up", "--name", mine.name, "--nodes", "1", "--racks", "2"], env=mine.env)
        assert done.returncode == 1 and "--racks 1" in done.stderr and "pybernetes down" in done.stderr
        assert all_ready(mine, 1)

    def test_the_stores_disk_is_full(self, mine: Cluster) -> None:
        kubectl = mine.kubectl()
        kubectl("create", "configmap", "before", "--from-literal=k=v")
        filler = mine.layout.store_db.parent / "filler"
        with contextlib.suppress(OSError), filler.open("wb") as file:
            while True:
                file.write(bytes(1 << 16))
                file.flush()
        big = "x" * 200_000
        refused = kubectl.raw("create", "configmap", "big", f"--from-file=k={_file(mine, big)}")
        assert refused.returncode == 1 and "no space left" in refused.stderr, refused.stderr
        assert kubectl("get", "configmap", "before", "-o", "jsonpath={.data.k}") == "v"
        assert kubectl.raw("get", "configmap", "big").returncode == 1
        filler.unlink()
        kubectl("create", "configmap", "after", f"--from-file=k={_file(mine, big)}")
        eventually(lambda: all_ready(mine, 1), what="the node is Ready")

    def test_the_port_was_taken_after_a_stop(self, mine: Cluster) -> None:
        port = mine.layout.api_port
        mine.cli("stop", "--name", mine.name)
        with listening(port):
            done = run_raw([*PYBERNETES, "up", "--name", mine.name, "--nodes", "1"], env=mine.env)
            assert done.returncode == 1 and f"port {port}" in done.stderr and "ss -ltnp" in done.stderr
        # The stop unmounted the store's small file system, which discards the store.
        assert inventory(mine.name)._replace(files=()).is_empty()


def _file(cluster: Cluster, content: str) -> Path:
    path = cluster.kubeconfig.parent / "content"
    path.write_text(content)
    return path


def _changed(obj: dict[str, Any], path: str, value: Any) -> dict[str, Any]:
    """A copy with one field set, by a dotted path."""
    copy: dict[str, Any] = json.loads(json.dumps(obj))
    *way, last = path.split(".")
    here: Any = copy
    for step in way:
        here = here[int(step)] if step.isdigit() else here.setdefault(step, {})
    here[last] = value
    return copy


CONTAINER = "spec.containers.0"
WRONG: list[tuple[dict[str, Any], str]] = [
    (_changed(hello(), "spec.replicas", -1), "spec.replicas"),
    (_changed(hello(), "spec.replicas", "three"), "replicas"),
    (_changed(hello(), "spec.template.spec.restartPolicy", "Never"), "restartPolicy"),
    (_changed(hello(), "metadata.name", "x" * 300), "metadata.name"),
    (_changed(hello(), "metadata.labels", {"a b": "c"}), "metadata.labels"),
    (_changed(shell_pod(), f"{CONTAINER}.image", ""), "spec.containers[0].image"),
    (_changed(shell_pod(), f"{CONTAINER}.imagePullPolicy", "Sometimes"), "imagePullPolicy"),
    (_changed(shell_pod(), f"{CONTAINER}.resources", {"requests": {"cpu": "lots"}}), "quantit"),
    (_changed(shell_pod(), f"{CONTAINER}.resources", {"requests": {"cpu": "2"}, "limits": {"cpu": "1"}}), "limit"),
    (_changed(shell_pod(), f"{CONTAINER}.ports", [{"containerPort": 70000}]), "containerPort"),
    (_changed(shell_pod(), f"{CONTAINER}.volumeMounts", [{"name": "no", "mountPath": "/x"}]), "volumeMounts[0].name"),
    (_changed(shell_pod(), f"{CONTAINER}.command", "sh"), "command"),
    (_changed(shell_pod(), "spec.imaginary", True), "imaginary"),
    (_changed(service(), "spec.ports", []), "spec.ports"),
    (_changed(service(), "spec.clusterIP", "1.2.3.4"), "clusterIP"),
    (_changed(service(), "spec.type", "Wonderful"), "spec.type"),
    (_changed(service(), "apiVersion", "v9"), "v9"),
    (_changed(service(), "metadata.namespace", "elsewhere"), "elsewhere"),
]


class TestManifests:
    """Invalid objects."""

    @pytest.mark.parametrize(("wrong", "words"), WRONG, ids=[f"{o['kind']} {w}" for o, w in WRONG])
    def test_the_field_is_named(self, kubectl: Kubectl, wrong: dict[str, Any], words: str) -> None:
        namespace = wrong["metadata"].get("namespace", kubectl.namespace)
        asks = Kubectl(kubectl.kubeconfig, namespace)
        done = asks.raw("apply", "-f", "-", stdin=json.dumps(wrong))
        assert done.returncode == 1 and words in done.stderr, done.stderr
        assert "nil" not in done.stderr and "Internal" not in done.stderr, done.stderr

    def test_invalid_yaml(self, kubectl: Kubectl) -> None:
        for text in ("a: [", "just words", "- 1\n- 2\n", "{}", "kind: Pod\n"):
            assert kubectl.raw("apply", "-f", "-", stdin=text).returncode == 1

    def test_bodies_that_are_not_objects(self, kubectl: Kubectl, cluster: Cluster) -> None:
        path = f"/api/v1/namespaces/{kubectl.namespace}/configmaps"
        deep = "[" * 100_000
        for body in ("", "{", "null", "[]", '"text"', '{"metadata": 5}', '{"data": {"k": 1}}', "\udcff", deep):
            done = _post(cluster, path, body)
            assert 400 <= done < 500, (body[:20], done)
        assert _post(cluster, path, json.dumps({"metadata": {"name": "x"}, "data": {"k": "x" * 4_000_000}})) == 413
        assert kubectl("get", "configmaps", "-o", "name").split() == ["configmap/kube-root-ca.crt"]

    def test_immutable_fields(self, kubectl: Kubectl) -> None:
        kubectl.apply(hello(replicas=0), service())
        patch = '{"spec":{"selector":{"matchLabels":{"app":"other"}}}}'
        refused = kubectl.raw("patch", "deployment", "web", "-p", patch)
        assert refused.returncode == 1 and "spec.selector" in refused.stderr and "immutable" in refused.stderr
        refused = kubectl.raw("patch", "service", "web", "-p", '{"spec":{"clusterIP":"10.96.77.77"}}')
        assert refused.returncode == 1 and "clusterIP" in refused.stderr


def _post(cluster: Cluster, path: str, body: str) -> int:
    """The status of a POST, without kubectl's own checks."""
    pki = Pki(cluster.layout.pki)
    pair = pki.pair("apiserver-kubelet-client")
    context = ssl.create_default_context(cafile=str(pki.ca_certificate))
    context.load_cert_chain(str(pair.certificate), str(pair.key))
    url = f"https://127.0.0.1:{cluster.layout.api_port}{path}"
    data = body.encode(errors="surrogateescape")
    request = urllib.request.Request(url, data=data, headers={"Content-Type": "application/json"})
    try:
        with urllib.request.urlopen(request, context=context, timeout=20) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code


class TestKubeconfigs:
    """Clients with wrong credentials."""

    def refused(
        self, cluster: Cluster, directory: Path, change: Callable[[dict[str, Any], dict[str, Any]], object]
    ) -> str:
        """The error of kubectl with a changed kubeconfig."""
        config = json.loads(cluster.kubectl()("config", "view", "--raw", "-o", "json"))
        change(config["clusters"][0]["cluster"], config["users"][0])
        path = directory / "kubeconfig"
        path.touch(mode=0o600)
        path.write_text(json.dumps(config))
        done = Kubectl(str(path)).raw("get", "--raw", "/api/v1/namespaces", "--request-timeout=2s")
        assert done.returncode == 1
        return done.stderr

    def test_an_unknown_token(self, cluster: Cluster, tmp_path: Path) -> None:
        token = {"token": "eyJhbGciOiJub25lIn0.eyJzdWIiOiJhZG1pbiJ9."}
        output = self.refused(cluster, tmp_path, lambda server, user: user.update(user=token))
        assert "Unauthorized" in output or "logged in" in output

    def test_a_certificate_of_another_cluster(self, cluster: Cluster, tmp_path: Path) -> None:
        other = Pki(tmp_path / "pki")
        other.ensure_control_plane(apiserver_sans(cluster.layout, "localhost"))
        pair = other.pair("apiserver-kubelet-client")
        theirs = {"client-certificate": str(pair.certificate), "client-key": str(pair.key)}
        output = self.refused(cluster, tmp_path, lambda server, user: user.update(user=theirs))
        # The TLS handshake fails, so there is no Status, and Python's TLS server sends no alert.
        assert any(words in output for words in ("EOF", "reset by peer", "certificate")), output

    def test_an_untrusted_server(self, cluster: Cluster, tmp_path: Path) -> None:
        output = self.refused(cluster, tmp_path, lambda server, user: server.pop("certificate-authority-data"))
        assert "certificate signed by unknown authority" in output

    def test_a_closed_port(self, cluster: Cluster, tmp_path: Path) -> None:
        nowhere = {"server": "https://127.0.0.1:1"}
        assert "refused" in self.refused(cluster, tmp_path, lambda server, user: server.update(nowhere))
