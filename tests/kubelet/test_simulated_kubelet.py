"""The whole kubelet with pods on paper: its logic without containers, and many nodes in one process."""

import asyncio
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from pybernetes.client.client import Client
from pybernetes.client.informer import Informers
from pybernetes.kubelet.api_source import SharedPods
from pybernetes.kubelet.kubelet import Kubelet
from pybernetes.kubelet.simulated import EXIT_CODE, RUN_SECONDS, SimulatedRuntime
from pybernetes.kubelet.simulated_node import addresses

from .fake_api import FakeApi
from .harness import Events, Harness, config, running

CAPACITY = {"cpu": "4", "memory": "8Gi", "pods": "110"}
ONE = {"containers": [{"name": "c", "image": "busybox"}]}


def runtime() -> SimulatedRuntime:
    return SimulatedRuntime(clock=time.time, address=addresses())


@pytest.fixture
async def k(tmp_path: Path) -> AsyncIterator[Harness]:
    async with running(runtime(), config(tmp_path, capacity=CAPACITY), simulated=True) as harness:
        yield harness


async def test_pod_becomes_ready_and_goes(k: Harness) -> None:
    path = k.create("web", ONE)
    await k.until(lambda: k.condition(path, "Ready") == "True")
    assert k.status(path)["containerStatuses"][0]["containerID"].startswith("simulated://")
    k.delete(path)
    await k.gone(path)
    assert await k.kubelet.runtime.list_pods() == {}
    assert k.events.reasons("web") == ["Created", "Started", "Killing"]


async def test_node_says_that_it_is_simulated(k: Harness) -> None:
    path = "/api/v1/nodes/node-1"
    await k.until(lambda: path in k.api.objects and k.api.objects[path].get("status", {}).get("nodeInfo"))
    node = k.api.objects[path]
    assert node["status"]["nodeInfo"]["containerRuntimeVersion"] == "simulated://1.0.0"
    assert node["status"]["capacity"] == CAPACITY
    assert node["metadata"]["labels"]["kubernetes.io/hostname"] == "node-1"
    lease = "/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases/node-1"
    await k.until(lambda: lease in k.api.objects)
    assert k.api.objects[lease]["spec"]["leaseDurationSeconds"] == 40


async def test_job_like_pods_end(k: Harness) -> None:
    done = k.create("done", {**ONE, "restartPolicy": "Never"}, annotations={RUN_SECONDS: "0.02"})
    failed = k.create("failed", {**ONE, "restartPolicy": "Never"}, annotations={RUN_SECONDS: "0.02", EXIT_CODE: "3"})
    await k.until(lambda: k.status(done).get("phase") == "Succeeded")
    await k.until(lambda: k.status(failed).get("phase") == "Failed")
    assert k.status(failed)["containerStatuses"][0]["state"]["terminated"]["exitCode"] == 3


async def test_crash_loop(k: Harness) -> None:
    path = k.create("loop", ONE, annotations={RUN_SECONDS: "0.02", EXIT_CODE: "1"})

    def waiting() -> Any:
        states = k.status(path).get("containerStatuses", [{}])[0].get("state", {})
        return states.get("waiting", {}).get("reason") == "CrashLoopBackOff"

    await k.until(waiting)
    status = k.status(path)["containerStatuses"][0]
    assert status["restartCount"] == 1
    assert status["lastState"]["terminated"]["exitCode"] == 1
    assert "BackOff" in k.events.reasons("loop")


async def test_force_deleted_pod_is_removed(k: Harness) -> None:
    path = k.create("web", ONE)
    await k.until(lambda: k.condition(path, "Ready") == "True")
    k.api.remove(path)
    await _until_empty(k)


async def test_replaced_pod_of_the_same_name(k: Harness) -> None:
    path = k.create("web", ONE)
    await k.until(lambda: k.condition(path, "Ready") == "True")
    first = k.api.objects[path]["metadata"]["uid"]
    k.api.remove(path)
    k.create("web", ONE)
    await k.until(lambda: k.condition(path, "Ready") == "True")
    await k.until(lambda: first not in set(k.kubelet.pods.living()))
    assert len(await k.kubelet.runtime.list_pods()) == 1


async def test_status_is_written_once_the_api_is_back(k: Harness) -> None:
    path = k.create("web", ONE)
    await k.until(lambda: k.condition(path, "Ready") == "True")
    state = await k.kubelet.runtime.pod(k.api.objects[path]["metadata"]["uid"])
    k.api.down = True
    assert isinstance(k.kubelet.runtime, SimulatedRuntime)
    k.kubelet.runtime.finish(state.containers[0].id, 1)
    await asyncio.sleep(0.05)
    k.api.down = False
    await k.until(lambda: k.status(path)["containerStatuses"][0]["restartCount"] == 1)


async def test_deadline(k: Harness) -> None:
    path = k.create("short", {**ONE, "activeDeadlineSeconds": 1})
    await k.until(lambda: k.status(path).get("phase") == "Failed")
    assert k.status(path)["reason"] == "DeadlineExceeded"


async def test_finished_pod_is_not_started_again_by_a_new_kubelet(tmp_path: Path) -> None:
    api, paper = FakeApi(), runtime()
    async with running(paper, config(tmp_path, capacity=CAPACITY), api, simulated=True) as k:
        path = k.create("done", {**ONE, "restartPolicy": "Never"}, annotations={RUN_SECONDS: "0.02"})
        await k.until(lambda: k.status(path).get("phase") == "Succeeded")
    async with running(runtime(), config(tmp_path, capacity=CAPACITY), api, simulated=True) as k:
        await asyncio.sleep(0.1)
        assert await k.kubelet.runtime.list_pods() == {}
        assert k.status(path)["phase"] == "Succeeded"


async def test_orphans_are_removed_once_the_source_has_told_all(tmp_path: Path) -> None:
    api, paper = FakeApi(), runtime()
    async with running(paper, config(tmp_path, capacity=CAPACITY), api, simulated=True) as k:
        path = k.create("web", ONE)
        kept = k.create("kept", ONE)
        await k.until(lambda: k.condition(path, "Ready") == k.condition(kept, "Ready") == "True")
    api.remove(path)
    async with running(paper, config(tmp_path, capacity=CAPACITY), api, simulated=True) as k:
        while len(await paper.list_pods()) > 1:
            await asyncio.sleep(0.01)
        state = await paper.pod(api.objects[kept]["metadata"]["uid"])
        assert [c.attempt for c in state.containers] == [0], "a running container is not restarted"


async def _until_empty(k: Harness) -> None:
    async with asyncio.timeout(5):
        while await k.kubelet.runtime.list_pods():
            await asyncio.sleep(0.01)


async def test_many_nodes_share_one_watch(tmp_path: Path) -> None:
    api = FakeApi()
    client, address = Client(api), addresses()
    informers = Informers(client)
    shared = SharedPods(informers)
    tasks = [asyncio.create_task(informers.run())]
    for number in range(20):
        name = f"sim-{number}"
        settings = config(tmp_path, node_name=name, capacity=CAPACITY)
        paper = SimulatedRuntime(clock=time.time, address=address, node_name=name)
        kubelet = Kubelet(settings, client, informers, paper, Events(), pods=shared.of(name), simulated=True)
        tasks.append(asyncio.create_task(kubelet.run()))
    for number in range(60):
        path = f"/api/v1/namespaces/default/pods/p{number}"
        spec = {"nodeName": f"sim-{number % 20}", "restartPolicy": "Always", **ONE}
        api.put(path, {"metadata": {"uid": f"u{number}"}, "spec": spec})

    def running_pods() -> list[dict[str, Any]]:
        return [o for p, o in api.objects.items() if "/pods/" in p and o.get("status", {}).get("phase") == "Running"]

    async with asyncio.timeout(10):
        while len(running_pods()) < 60:
            await asyncio.sleep(0.02)
    assert len({p["status"]["podIP"] for p in running_pods()}) == 60
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks)
