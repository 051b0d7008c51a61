"""Python's Kubernetes clients work as with Kubernetes: kubernetes, lightkube, kr8s, kopf."""

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import kr8s
import kubernetes
import lightkube
import pytest
from kubernetes import stream, watch
from lightkube.models.meta_v1 import ObjectMeta
from lightkube.resources.apps_v1 import Deployment
from lightkube.resources.core_v1 import ConfigMap, Pod

from e2e.conftest import Kubectl, eventually, hello, shell_pod

OPERATOR = """
import kopf

@kopf.on.startup()
def configure(settings, **_):
    settings.posting.enabled = False
    settings.persistence.finalizer = "tests.pybernetes/finalizer"

@kopf.on.create("", "v1", "configmaps", labels={"watched": "yes"})
def created(name, namespace, patch, **_):
    patch.setdefault("data", {})["seen"] = name

@kopf.on.delete("", "v1", "configmaps", labels={"watched": "yes"})
def deleted(name, **_):
    print("deleted", name, flush=True)
"""


@pytest.fixture
def namespace(kubectl: Kubectl, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The test's namespace, with the environment that clients read."""
    monkeypatch.setenv("KUBECONFIG", kubectl.kubeconfig)
    return kubectl.namespace


def test_the_official_client(namespace: str, kubectl: Kubectl) -> None:
    kubectl.apply(shell_pod())
    kubectl.wait("pod/client")
    kubernetes.config.load_kube_config(kubectl.kubeconfig)
    core = kubernetes.client.CoreV1Api()
    (pod,) = core.list_namespaced_pod(namespace).items
    assert pod.status.phase == "Running" and pod.status.pod_ip
    events = watch.Watch().stream(core.list_namespaced_pod, namespace, timeout_seconds=2)
    assert [(e["type"], e["object"].metadata.name) for e in events] == [("ADDED", "client")]
    out = stream.stream(
        core.connect_get_namespaced_pod_exec,
        "client",
        namespace,
        command=["sh", "-c", "echo to stdout; echo to stderr >&2"],
        stdout=True,
        stderr=True,
        stdin=False,
        tty=False,
    )
    assert sorted(out.splitlines()) == ["to stderr", "to stdout"]
    with pytest.raises(kubernetes.client.ApiException) as refused:
        core.read_namespaced_pod("nothing", namespace)
    assert refused.value.status == 404 and json.loads(refused.value.body)["reason"] == "NotFound"


def test_lightkube(namespace: str, kubectl: Kubectl) -> None:
    client = lightkube.Client(namespace=namespace, field_manager="tests")
    client.create(ConfigMap(metadata=ObjectMeta(name="one"), data={"a": "1"}))
    assert client.patch(ConfigMap, "one", {"data": {"b": "2"}}).data == {"a": "1", "b": "2"}
    applied = ConfigMap(apiVersion="v1", kind="ConfigMap", metadata=ObjectMeta(name="two"), data={"x": "y"})
    assert client.apply(applied).data == {"x": "y"}
    assert {cm.metadata.name for cm in client.list(ConfigMap)} >= {"one", "two"}
    client.delete(ConfigMap, "one")
    kubectl.apply(hello(replicas=1))
    client.wait(Deployment, "web", for_conditions=["Available"])
    assert [p.status.phase for p in client.list(Pod, labels={"app": "web"})] == ["Running"]


def test_kr8s(namespace: str, kubectl: Kubectl) -> None:
    kubectl.apply(hello(replicas=1))
    kubectl("rollout", "status", "deployment/web", "--timeout=60s")
    api = kr8s.api(kubeconfig=kubectl.kubeconfig, namespace=namespace)
    (deployment,) = api.get("deployments", namespace=namespace)
    deployment.scale(2)

    def pods_of_it() -> list[Any]:
        return list(api.get("pods", namespace=namespace, label_selector={"app": "web"}))

    eventually(lambda: len(pods_of_it()) == 2, what="two pods")
    pods = pods_of_it()
    ready = next(pod for pod in pods if pod.ready())
    assert ready.exec(["hostname"]).stdout.decode().strip() == ready.name


def test_an_operator_written_with_kopf(
    namespace: str, kubectl: Kubectl, tmp_path_factory: pytest.TempPathFactory
) -> None:
    script = tmp_path_factory.mktemp("kopf") / "operator.py"
    script.write_text(OPERATOR)
    argv = [sys.executable, "-m", "kopf", "run", str(script), "--standalone", "-n", namespace, "--quiet"]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True, env={**os.environ}) as operator:
        try:
            kubectl("create", "configmap", "mine", "--from-literal=a=1")
            kubectl("label", "configmap", "mine", "watched=yes")
            eventually(
                lambda: kubectl("get", "cm", "mine", "-o", "jsonpath={.data.seen}") == "mine", what="kopf's patch"
            )
            kubectl("delete", "configmap", "mine", "--timeout=30s")
            assert operator.stdout is not None
            assert operator.stdout.readline() == "deleted mine\n"
        finally:
            operator.terminate()
            operator.wait(10)


def test_many_watches_end_with_their_clients(namespace: str, kubectl: Kubectl) -> None:
    async def one() -> int:
        argv = kubectl.argv("get", "configmaps", "-w", "--request-timeout=2s")
        process = await asyncio.create_subprocess_exec(*argv, stdout=asyncio.subprocess.DEVNULL)
        return await process.wait()

    async def many() -> list[int]:
        return await asyncio.gather(*(one() for _ in range(4)))

    assert asyncio.run(many()) == [0, 0, 0, 0]
