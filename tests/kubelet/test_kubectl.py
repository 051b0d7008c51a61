"""kubectl with an API server and a kubelet with real containers: logs, exec, attach, port-forward."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from apiserver.certs import make_pki
from apiserver.conftest import ADMIN, CertificateUsers, Kubectl, MastersOnly, kubeconfig
from pybernetes.api.core.pod import Pod
from pybernetes.api.core.service_account import ServiceAccount
from pybernetes.api.meta import ObjectMeta
from pybernetes.apiserver import codec
from pybernetes.apiserver.config import KubeletClient, ServerConfig
from pybernetes.apiserver.http import TlsFiles, serve_https
from pybernetes.apiserver.inprocess import InProcessTransport
from pybernetes.apiserver.server import build_server
from pybernetes.client.client import Client
from pybernetes.client.events import EventRecorder
from pybernetes.client.informer import Informers
from pybernetes.kubelet.cri.runtime import CriRuntime
from pybernetes.kubelet.real_node import real_kubelet
from pybernetes.store.sqlite import SqliteStore
from support.kubectls import kubectls

from .harness import NODE, config
from .node import BUSYBOX, Node

pytestmark = [pytest.mark.node, pytest.mark.e2e, pytest.mark.slow]

MANIFEST = f"""
apiVersion: v1
kind: Pod
metadata: {{name: web, namespace: default, labels: {{app: web}}}}
spec:
  nodeName: {NODE}
  terminationGracePeriodSeconds: 1
  automountServiceAccountToken: false
  containers:
  - name: c
    image: {BUSYBOX}
    stdin: true
    command: [sh, -c, "echo one; echo two; echo three; mkdir /w; echo page > /w/index.html; httpd -p 8080 -h /w; \
      while read line; do echo got $line; done; while :; do sleep 1; done"]
"""


NEWEST = kubectls()[-1]


@dataclass
class Cluster:
    """A running API server and kubelet."""

    path: Path
    port: int
    pki: object

    def kubectl(self, binary: str = NEWEST) -> Kubectl:
        return Kubectl(binary, kubeconfig(self.pki, self.port, self.path / "kubeconfig"))  # type: ignore[arg-type]


@pytest.fixture
async def cluster(node: Node, tmp_path: Path) -> AsyncIterator[Cluster]:
    pki = make_pki(tmp_path)
    store = await SqliteStore.open(tmp_path / "state.db", stamp=codec.stamp)
    settings = ServerConfig(kubelet_client=KubeletClient(certificate=pki.client_cert, key=pki.client_key))
    server = build_server(settings, store, CertificateUsers(), MastersOnly())
    await server.start()
    client = Client(InProcessTransport(server, ADMIN))
    account = ServiceAccount(metadata=ObjectMeta(name="default", namespace="default"))
    await client.of(ServiceAccount).create(account)
    tls = TlsFiles(certificate=pki.server_cert, key=pki.server_key, client_ca=pki.ca)
    https = await serve_https(server, "127.0.0.1", 0, tls)
    informers, recorder = Informers(client), EventRecorder(client, "kubelet", host=NODE)
    where = config(
        tmp_path,
        cgroup_root=node.cgroup_root,
        node_ips=("127.0.0.1",),
        serve=True,
        address="127.0.0.1",
        port=0,
        client_ca_file=Path(pki.ca),
    )
    kubelet = real_kubelet(where, client, informers, CriRuntime(node.socket), recorder)
    tasks = [asyncio.create_task(c) for c in (informers.run(), recorder.run(), kubelet.run())]
    yield Cluster(tmp_path, https.port, pki)
    for pod in (await client.of(Pod).list()).items:
        await client.of(Pod).delete(pod.metadata.name, namespace=pod.metadata.namespace, grace_period_seconds=1)
    async with asyncio.timeout(20):
        while (await client.of(Pod).list()).items:
            await asyncio.sleep(0.05)
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks)
    await kubelet.runtime.close()
    await https.close(0.2)
    await server.close()
    await store.close()


async def start(cluster: Cluster, binary: str = NEWEST) -> Kubectl:
    kubectl = cluster.kubectl(binary)
    await kubectl("apply", "--validate=false", "-f", "-", stdin=MANIFEST)
    code, _, _ = await kubectl.run("wait", "--for=condition=Ready", "pod/web", "--timeout=10s")
    assert code == 0, await kubectl("get", "pod,event", "-o", "yaml")
    await kubectl("wait", "--for=condition=Ready", f"node/{NODE}", "--timeout=10s")
    return kubectl


@pytest.mark.parametrize("binary", kubectls(), ids=lambda b: Path(b).name)
async def test_every_kubectl(cluster: Cluster, binary: str) -> None:
    kubectl = await start(cluster, binary)
    assert await kubectl("logs", "web") == "one\ntwo\nthree\n"
    assert await kubectl("logs", "web", "--tail=1") == "three\n"
    assert (await kubectl("exec", "web", "--", "echo", "hello")) == "hello\n"
    code, out, err = await kubectl.run("exec", "web", "--", "sh", "-c", "echo o; echo e >&2; exit 7")
    assert (code, out) == (7, "o\n")
    assert "e\n" in err
    assert await kubectl("exec", "-i", "web", "--", "cat", stdin="through stdin\n") == "through stdin\n"


async def test_logs_follow_and_attach(cluster: Cluster) -> None:
    kubectl = await start(cluster)
    following = await asyncio.create_subprocess_exec(
        NEWEST,
        f"--kubeconfig={cluster.path / 'kubeconfig'}",
        *("logs", "-f", "web", "--timestamps"),
        stdout=asyncio.subprocess.PIPE,
    )
    assert following.stdout is not None

    async def line() -> str:
        assert following.stdout is not None
        return (await asyncio.wait_for(following.stdout.readline(), 30)).decode().rstrip("\n")

    lines = [await line() for _ in range(3)]
    code, _, _ = await kubectl.run("attach", "-i", "web", stdin="hallo\n")
    assert code == 0
    lines.append(await line())
    await kubectl("delete", "pod", "web", "--wait=true")
    assert await line() == "", "the log ends with the container"
    await following.wait()
    assert [line.split(" ", 1)[1] for line in lines] == ["one", "two", "three", "got hallo"]
    assert lines[0][:2] == "20"


async def test_copy_and_port_forward(cluster: Cluster) -> None:
    kubectl = await start(cluster)
    source = cluster.path / "file"
    source.write_text("content\n")
    await kubectl("exec", "web", "--", "mkdir", "/t")
    await kubectl("cp", str(source), "web:/t/file")
    assert await kubectl("exec", "web", "--", "cat", "/t/file") == "content\n"
    forward = await asyncio.create_subprocess_exec(
        NEWEST,
        f"--kubeconfig={cluster.path / 'kubeconfig'}",
        "port-forward",
        "pod/web",
        ":8080",
        stdout=asyncio.subprocess.PIPE,
    )
    assert forward.stdout is not None
    line = (await asyncio.wait_for(forward.stdout.readline(), 10)).decode()
    port = int(line.split("127.0.0.1:")[1].split()[0])
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"GET /index.html HTTP/1.0\r\n\r\n")
    assert (await asyncio.wait_for(reader.read(), 10)).endswith(b"page\n")
    writer.close()
    forward.terminate()
    await forward.wait()


async def test_describe_shows_the_events(cluster: Cluster) -> None:
    kubectl = await start(cluster)
    text = await kubectl("describe", "pod", "web")
    assert "Started container c" in text
    assert "Container ID:  containerd://" in text
    node = await kubectl("get", "node", NODE, "-o", "wide")
    assert "Ready" in node
    assert "containerd://1." in node


async def test_errors_name_their_reason(cluster: Cluster) -> None:
    kubectl = await start(cluster)
    code, _, err = await kubectl.run("logs", "-p", "web")
    assert code == 1
    assert "BadRequest" in err
    code, _, err = await kubectl.run("exec", "web", "--", "no-such-program")
    assert code != 0
    assert "no-such-program" in err
