"""kill -9 of every process: pods keep running, acknowledged writes survive, and everything converges."""

import asyncio
import time
from collections.abc import Iterator
from typing import Any

import pytest

from e2e.conftest import (
    HELLO,
    LATEST,
    NODES,
    Cluster,
    Kubectl,
    all_ready,
    eventually,
    hello,
    kill,
    kill_container,
    node_address,
    own_cluster,
    rolled,
    service,
    shell_pod,
)
from e2e.traffic import Traffic, ways_to
from pybernetes.api.core.config_map import ConfigMap
from pybernetes.api.meta import ObjectMeta
from pybernetes.client import kubeconfig
from pybernetes.client.client import Client
from pybernetes.client.errors import AlreadyExists, ApiError, Unreachable
from pybernetes.client.http import HttpTransport
from pybernetes.cluster.supervise import process

AGENTS = [f"node-{node}" for node in NODES]
CONTAINERDS = [f"containerd-{node}" for node in NODES]


@pytest.fixture(scope="module")
def mine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """Three nodes with three web servers behind a Service."""
    with own_cluster("e2e-kill", tmp_path_factory.mktemp("kill")) as made:
        kubectl = made.kubectl()
        kubectl.apply(hello(replicas=3), service(type="NodePort"))
        rolled(kubectl)
        yield made


def web_pods(kubectl: Kubectl) -> list[dict[str, Any]]:
    """The web servers that are not terminating."""
    items = kubectl.json("get", "pods", "-l", "app=web")["items"]
    return [pod for pod in items if "deletionTimestamp" not in pod["metadata"]]


def containers(kubectl: Kubectl) -> dict[str, list[tuple[str, int]]]:
    """(container ID, restarts) of each pod."""
    found = {}
    for pod in kubectl.json("get", "pods")["items"]:
        statuses = pod["status"].get("containerStatuses", [])
        found[pod["metadata"]["name"]] = [(s.get("containerID", ""), s["restartCount"]) for s in statuses]
    return found


def restarted(cluster: Cluster, *names: str) -> None:
    """Wait until the processes run again and every node is Ready."""
    eventually(lambda: all(process(cluster.layout, name) for name in names), what=f"{names} run again")
    eventually(lambda: all_ready(cluster), what="all nodes Ready", timeout=40)


def nodes_start_pods(kubectl: Kubectl) -> None:
    """Each node can start a pod, exec into it, and delete it."""
    names = {node: f"probe-{node}" for node in NODES}
    kubectl.apply(*(shell_pod(name, node) for node, name in names.items()))
    for name in names.values():
        kubectl.wait(f"pod/{name}", timeout=40)
        assert kubectl("exec", name, "--", "echo", "here") == "here\n"
    kubectl("delete", "pod", *names.values(), "--wait", "--timeout=40s")


def sandboxes(cluster: Cluster, node: str) -> int:
    """How many pod sandboxes the node's containerd runs."""
    socket = str(cluster.layout.node(node).containerd_socket)
    rows = cluster.in_node(node, "ctr", "-a", socket, "-n", "k8s.io", "tasks", "ls", "-q").split()
    infos = cluster.in_node(node, "ctr", "-a", socket, "-n", "k8s.io", "containers", "ls")
    pauses = {line.split()[0] for line in infos.splitlines() if "pause" in line}
    return len(pauses & set(rows))


def test_pods_are_not_affected_when_all_other_processes_are_killed(mine: Cluster) -> None:
    kubectl = mine.kubectl()
    by_address = {f"pod-{n}": f"http://{p['status']['podIP']}:8080/" for n, p in enumerate(web_pods(kubectl))}
    targets = {**by_address, **ways_to(kubectl, "web", node_address(kubectl, "node-2"))}
    # The node agents serve DNS, so names do not resolve while an agent is down.
    del targets["name"]
    with Traffic(kubectl, NODES, targets) as traffic:
        before = containers(kubectl)
        for victims in (["control-plane"], ["node-node-1"], AGENTS, ["containerd-node-2"], CONTAINERDS):
            kill(mine, *victims)
            restarted(mine, *victims)
        nodes_start_pods(kubectl)
        time.sleep(2)
        assert containers(kubectl) == before
        traffic.check(least=30)


async def _write(client: Client, number: int, acknowledged: dict[str, str], until: asyncio.Event) -> None:
    """Create and update ConfigMaps continuously, and record the last acknowledged value."""
    maps = client.of(ConfigMap)
    count = 0
    while not until.is_set():
        name, count = f"w{number}-{count}", count + 1
        try:
            made = await maps.create(
                ConfigMap(metadata=ObjectMeta(name=name, namespace="default"), data={"state": "created"})
            )
            acknowledged[name] = "created"
            await maps.patch(made.metadata.name, {"data": {"state": "changed"}}, namespace="default")
            acknowledged[name] = "changed"
        except (Unreachable, ApiError, AlreadyExists):
            # Not acknowledged: it may exist or not.
            await asyncio.sleep(0.02)


async def _write_through_kills(cluster: Cluster, kills: int) -> tuple[dict[str, str], dict[str, str]]:
    """(acknowledged values, values read afterwards)"""
    client = Client(HttpTransport(kubeconfig.load(cluster.kubeconfig)))
    acknowledged: dict[str, str] = {}
    until = asyncio.Event()
    try:
        async with asyncio.TaskGroup() as group:
            for number in range(8):
                group.create_task(_write(client, number, acknowledged, until), name=f"writer {number}")
            for _ in range(kills):
                already = len(acknowledged)
                while len(acknowledged) < already + 100:
                    await asyncio.sleep(0.01)
                kill(cluster, "control-plane")
                await asyncio.to_thread(restarted, cluster, "control-plane")
            until.set()
        page = await client.of(ConfigMap).list(namespace="default")
    finally:
        await client.close()
    return acknowledged, {item.metadata.name: (item.data or {}).get("state", "") for item in page.items}


def test_no_acknowledged_write_is_lost(mine: Cluster) -> None:
    acknowledged, there = asyncio.run(_write_through_kills(mine, kills=3))
    assert len(acknowledged) >= 300
    lost = {name: state for name, state in acknowledged.items() if name not in there}
    assert lost == {}
    undone = {name for name, state in acknowledged.items() if state == "changed" and there[name] != "changed"}
    assert undone == set()
    mine.kubectl()("delete", "configmap", "--all", "--wait=false")


def test_only_a_killed_container_is_restarted(mine: Cluster) -> None:
    kubectl = mine.kubectl()
    before = containers(kubectl)
    victim = web_pods(kubectl)[0]
    kill_container(mine, victim)
    name = victim["metadata"]["name"]
    eventually(lambda: containers(kubectl)[name][0][1] == before[name][0][1] + 1, what="one restart")
    kubectl.wait(f"pod/{name}", timeout=30)
    after = containers(kubectl)
    others = [pod for pod in before if pod.startswith("web-") and pod != name]
    assert [after[pod] for pod in others] == [before[pod] for pod in others]
    last = kubectl.json("get", "pod", name)["status"]["containerStatuses"][0]["lastState"]["terminated"]
    assert last["exitCode"] == 137


@pytest.mark.parametrize(
    "victims",
    [["control-plane"], ["node-node-1"], ["containerd-node-2"], ["control-plane", *AGENTS, *CONTAINERDS]],
    ids=["control plane", "a node agent", "a containerd", "all at once"],
)
def test_a_rolling_update_completes_whatever_is_killed(mine: Cluster, victims: list[str]) -> None:
    kubectl = mine.kubectl()
    old = web_pods(kubectl)
    before = {pod["metadata"]["uid"] for pod in old}
    image = kubectl("get", "deployment", "web", "-o", "jsonpath={..image}")
    kubectl("set", "image", "deployment/web", f"web={HELLO if image == LATEST else LATEST}")
    eventually(lambda: {pod["metadata"]["uid"] for pod in web_pods(kubectl)} - before, what="the first new pod")
    kill(mine, *victims)
    if len(victims) > 1:
        kill_container(mine, old[0])
    restarted(mine, *victims)
    rolled(kubectl)
    eventually(lambda: len(kubectl.json("get", "pods")["items"]) == 3, what="old pods gone", timeout=40)
    pods = web_pods(kubectl)
    assert before.isdisjoint(pod["metadata"]["uid"] for pod in pods)
    assert len({pod["status"]["podIP"] for pod in pods}) == 3
    eventually(lambda: sum(sandboxes(mine, node) for node in NODES) == 3, what="no sandbox is left over")
