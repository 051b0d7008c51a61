"""The kubelet of a simulated node, alone and with many nodes in one process."""

import asyncio
import functools
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

from client.warp import warp
from pybernetes.client.client import Client
from pybernetes.client.informer import Informers
from pybernetes.kubelet.api_source import SharedPods
from pybernetes.kubelet.simulated.node import simulated_kubelet
from pybernetes.kubelet.simulated.runtime import EXIT_CODE, RUN_SECONDS, SimulatedRuntime, addresses

from .fake_api import FakeApi
from .harness import Events, Harness, config, simulated

EPOCH = 1_800_000_000.0
CAPACITY = {"cpu": "4", "memory": "8Gi", "pods": "110"}
ONE = {"containers": [{"name": "c", "image": "busybox"}]}


def now() -> float:
    return EPOCH + asyncio.get_running_loop().time()


def new_runtime() -> SimulatedRuntime:
    return SimulatedRuntime(clock=now, address=addresses())


def warped(test: Callable[..., Coroutine[Any, Any, None]]) -> Callable[..., None]:
    """Run a test in virtual time. It must not use sockets, threads or processes."""

    @functools.wraps(test)
    def run(*arguments: Any, **named: Any) -> None:
        warp(test(*arguments, **named))

    return run


def on_simulated_node(test: Callable[[Harness], Coroutine[Any, Any, None]]) -> Callable[[Path], None]:
    """Run a test in virtual time with one simulated node."""

    def run(tmp_path: Path) -> None:
        async def scenario() -> None:
            async with simulated(new_runtime(), config(tmp_path, capacity=CAPACITY)) as k:
                await test(k)

        warp(scenario())

    return run


@on_simulated_node
async def test_pod_becomes_ready_and_is_removed(k: Harness) -> None:
    path = k.create("web", ONE)
    await k.until(lambda: k.condition(path, "Ready") == "True")
    assert k.status(path)["containerStatuses"][0]["containerID"].startswith("simulated://")
    k.delete(path)
    await k.gone(path)
    assert await k.kubelet.runtime.list_pods() == {}
    assert k.events.reasons("web") == ["Created", "Started", "Killing"]


@on_simulated_node
async def test_node_status_shows_that_the_node_is_simulated(k: Harness) -> None:
    path = "/api/v1/nodes/node-1"
    await k.until(lambda: path in k.api.objects and k.api.objects[path].get("status", {}).get("nodeInfo"))
    node = k.api.objects[path]
    assert node["status"]["nodeInfo"]["containerRuntimeVersion"] == "simulated://1.0.0"
    assert node["status"]["capacity"] == CAPACITY
    assert node["metadata"]["labels"]["kubernetes.io/hostname"] == "node-1"
    lease = "/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases/node-1"
    await k.until(lambda: lease in k.api.objects)
    assert k.api.objects[lease]["spec"]["leaseDurationSeconds"] == 40


@on_simulated_node
async def test_pods_that_run_to_completion(k: Harness) -> None:
    done = k.create("done", {**ONE, "restartPolicy": "Never"}, annotations={RUN_SECONDS: "0.02"})
    failed = k.create("failed", {**ONE, "restartPolicy": "Never"}, annotations={RUN_SECONDS: "0.02", EXIT_CODE: "3"})
    await k.until(lambda: k.status(done).get("phase") == "Succeeded")
    await k.until(lambda: k.status(failed).get("phase") == "Failed")
    assert k.status(failed)["containerStatuses"][0]["state"]["terminated"]["exitCode"] == 3


@on_simulated_node
async def test_crash_loop(k: Harness) -> None:
    path = k.create("loop", ONE, annotations={RUN_SECONDS: "1", EXIT_CODE: "1"})

    def waiting() -> Any:
        states = k.status(path).get("containerStatuses", [{}])[0].get("state", {})
        return states.get("waiting", {}).get("reason") == "CrashLoopBackOff"

    def restarts() -> int:
        return int(k.status(path)["containerStatuses"][0]["restartCount"])

    await k.until(waiting)
    status = k.status(path)["containerStatuses"][0]
    assert status["restartCount"] == 1
    assert status["lastState"]["terminated"]["exitCode"] == 1
    assert "BackOff" in k.events.reasons("loop")
    delays = []
    for count in range(2, 9):
        before = now()
        await k.until(lambda count=count: restarts() == count, 400, every=0.1)
        delays.append(round(now() - before))
    assert delays == [10, 21, 41, 81, 161, 301, 301], "each includes the second for which the container runs"


@on_simulated_node
async def test_force_deleted_pod_is_removed(k: Harness) -> None:
    path = k.create("web", ONE)
    await k.until(lambda: k.condition(path, "Ready") == "True")
    k.api.remove(path)
    await _until_empty(k)


@on_simulated_node
async def test_replaced_pod_with_the_same_name(k: Harness) -> None:
    path = k.create("web", ONE)
    await k.until(lambda: k.condition(path, "Ready") == "True")
    first = k.api.objects[path]["metadata"]["uid"]
    k.api.remove(path)
    k.create("web", ONE)
    await k.until(lambda: k.condition(path, "Ready") == "True")
    await k.until(lambda: first not in set(k.kubelet.pods.worker_uids()))
    assert len(await k.kubelet.runtime.list_pods()) == 1


@on_simulated_node
async def test_status_is_written_when_the_api_server_is_back(k: Harness) -> None:
    path = k.create("web", ONE)
    await k.until(lambda: k.condition(path, "Ready") == "True")
    state = await k.kubelet.runtime.pod(k.api.objects[path]["metadata"]["uid"])
    k.api.down = True
    assert isinstance(k.kubelet.runtime, SimulatedRuntime)
    k.kubelet.runtime.finish(state.containers[0].id, 1)
    await asyncio.sleep(0.05)
    k.api.down = False
    await k.until(lambda: k.status(path)["containerStatuses"][0]["restartCount"] == 1)


@on_simulated_node
async def test_active_deadline(k: Harness) -> None:
    path = k.create("short", {**ONE, "activeDeadlineSeconds": 1})
    await k.until(lambda: k.status(path).get("phase") == "Failed")
    assert k.status(path)["reason"] == "DeadlineExceeded"


@warped
async def test_restarted_kubelet_does_not_restart_a_finished_pod(tmp_path: Path) -> None:
    api, runtime = FakeApi(), new_runtime()
    async with simulated(runtime, config(tmp_path, capacity=CAPACITY), api) as k:
        path = k.create("done", {**ONE, "restartPolicy": "Never"}, annotations={RUN_SECONDS: "0.02"})
        await k.until(lambda: k.status(path).get("phase") == "Succeeded")
    async with simulated(new_runtime(), config(tmp_path, capacity=CAPACITY), api) as k:
        await asyncio.sleep(0.1)
        assert await k.kubelet.runtime.list_pods() == {}
        assert k.status(path)["phase"] == "Succeeded"


@warped
async def test_orphans_are_removed_when_the_source_has_synced(tmp_path: Path) -> None:
    api, runtime = FakeApi(), new_runtime()
    async with simulated(runtime, config(tmp_path, capacity=CAPACITY), api) as k:
        path = k.create("web", ONE)
        kept = k.create("kept", ONE)
        await k.until(lambda: k.condition(path, "Ready") == k.condition(kept, "Ready") == "True")
    api.remove(path)
    async with simulated(runtime, config(tmp_path, capacity=CAPACITY), api) as k:
        while len(await runtime.list_pods()) > 1:
            await asyncio.sleep(0.01)
        state = await runtime.pod(api.objects[kept]["metadata"]["uid"])
        assert [c.attempt for c in state.containers] == [0], "a running container is not restarted"


async def _until_empty(k: Harness) -> None:
    async with asyncio.timeout(5):
        while await k.kubelet.runtime.list_pods():
            await asyncio.sleep(0.01)


@warped
async def test_many_nodes_share_one_watch(tmp_path: Path) -> None:
    api = FakeApi()
    client, address = Client(api), addresses()
    informers = Informers(client)
    shared = SharedPods(informers)
    tasks = [asyncio.create_task(informers.run())]
    for number in range(20):
        name = f"sim-{number}"
        settings = config(tmp_path, node_name=name, capacity=CAPACITY)
        runtime = SimulatedRuntime(clock=now, address=address, node_name=name)
        kubelet = simulated_kubelet(settings, client, runtime, Events(), shared.of(name), clock=now)
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
