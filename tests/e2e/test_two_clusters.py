"""Several clusters on one machine; clusters that are stopped, started, repaired, and removed without leftovers."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from e2e.conftest import (
    Cluster,
    Kubectl,
    all_ready,
    eventually,
    hello,
    node_address,
    own_cluster,
    rolled,
    service,
)
from e2e.footprint import Footprint, difference, footprint
from e2e.traffic import Traffic, ways_to
from pybernetes.cluster.inventory import Roots, inventory, processes
from pybernetes.cluster.processes import stop
from pybernetes.cluster.supervise import status, supervisor_alive

PAIR = ["node-1", "node-2"]


def nothing_left_over(before: Footprint, *names: str) -> None:
    """Wait until the machine is as before, a few seconds at most after `down`."""

    def nothing() -> bool:
        left = difference(before, *names)
        assert left == {}, json.dumps(left, indent=1)
        return True

    eventually(nothing, timeout=8, what="the machine is as before")


def test_removing_one_of_two_clusters(tmp_path: Path) -> None:
    before = footprint("e2e-one", "e2e-two")
    user_config = tmp_path / "kubeconfig"
    with own_cluster("e2e-two", tmp_path, "--nodes", "2", "--racks", "2"):
        was = yaml.safe_load(user_config.read_text())
        one = Cluster("e2e-one", user_config)
        one.up("--nodes", "2")
        of_one, kubectl = (Kubectl(str(user_config), context=f"pybernetes-{name}") for name in ("e2e-one", "e2e-two"))
        for each in (of_one, kubectl):
            each.apply(hello(replicas=2), service(type="NodePort"))
        for each in (of_one, kubectl):
            rolled(each)
        pods = kubectl.json("get", "pods", "-l", "app=web")["items"]
        targets = {f"pod-{n}": f"http://{pod['status']['podIP']}:8080/" for n, pod in enumerate(pods)}
        targets |= ways_to(kubectl, "web", node_address(kubectl, "node-2"))
        with Traffic(kubectl, PAIR, targets) as traffic:
            one.down()
            eventually(lambda: min(sum(t.answered.values()) for t in traffic.tallies()) > 100, what="more answers")
            traffic.check()
        assert inventory("e2e-one").is_empty()
        now = yaml.safe_load(user_config.read_text())
        assert {key: now[key] for key in ("clusters", "contexts", "users")} == {
            key: was[key] for key in ("clusters", "contexts", "users")
        }
    nothing_left_over(before, "e2e-one", "e2e-two")


def test_racks_are_separate_segments(tmp_path: Path) -> None:
    with own_cluster("e2e-racks", tmp_path, "--nodes", "2", "--racks", "2") as made:
        kubectl = made.kubectl()
        first, second = (node_address(kubectl, node) for node in PAIR)
        assert first.rpartition(".")[0] != second.rpartition(".")[0]
        route = made.in_node("node-1", "ip", "route", "get", second)
        assert f"via {first.rpartition('.')[0]}.1 " in route
        zones = kubectl("get", "nodes", "-o", r"jsonpath={.items[*].metadata.labels.topology\.kubernetes\.io/zone}")
        assert zones.split() == ["rack-0", "rack-1"]


@pytest.fixture(scope="module")
def mine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """Two nodes with two web servers and a ConfigMap."""
    with own_cluster("e2e-again", tmp_path_factory.mktemp("again"), "--nodes", "2") as made:
        kubectl = made.kubectl()
        kubectl.apply(hello(replicas=2), service(type="NodePort"))
        kubectl("create", "configmap", "kept", "--from-literal=k=v")
        rolled(kubectl)
        yield made


def identities(kubectl: Kubectl) -> dict[str, Any]:
    """What must survive a stop."""
    items = kubectl.json("get", "nodes,pods,services,configmaps,deployments,secrets,serviceaccounts", "-A")["items"]
    objects = {(i["kind"], i["metadata"].get("namespace"), i["metadata"]["name"]): i["metadata"]["uid"] for i in items}
    nodes = {
        i["metadata"]["name"]: (i["spec"]["podCIDR"], i["status"]["addresses"]) for i in items if i["kind"] == "Node"
    }
    services = {i["metadata"]["name"]: i["spec"]["clusterIP"] for i in items if i["kind"] == "Service"}
    return {"objects": objects, "nodes": nodes, "services": services}


def container_ids(kubectl: Kubectl) -> list[str]:
    """IDs and restarts of all containers."""
    path = "jsonpath={range .items[*].status.containerStatuses[*]}{.containerID} {.restartCount}{'\\n'}{end}"
    return sorted(kubectl("get", "pods", "-o", path).splitlines())


def serves(kubectl: Kubectl) -> None:
    """Clients on each node get responses."""
    with Traffic(kubectl, PAIR, ways_to(kubectl, "web", node_address(kubectl, "node-2"))) as traffic:
        eventually(lambda: min(sum(t.answered.values()) for t in traffic.tallies()) > 10, what="answers")
        traffic.check(least=2)
    eventually(lambda: "asks-" not in kubectl("get", "pods"), what="asking pods gone")


def test_stop_and_up_keep_objects_and_addresses(mine: Cluster) -> None:
    kubectl = mine.kubectl()
    before = identities(kubectl)
    mine.cli("stop", "--name", mine.name)
    stopped = inventory(mine.name)
    assert stopped._replace(files=()).is_empty(), stopped.lines()
    assert str(mine.layout.state) in stopped.files and str(mine.layout.run) not in stopped.files
    refused = kubectl.raw("get", "nodes")
    assert refused.returncode == 1
    mine.up("--nodes", "2")
    rolled(kubectl)
    assert identities(kubectl) == before
    serves(kubectl)


def test_up_again_changes_nothing(mine: Cluster) -> None:
    kubectl = mine.kubectl()
    before = identities(kubectl), container_ids(kubectl)
    running = status(mine.layout)
    mine.up("--nodes", "2")
    after = status(mine.layout)
    assert running is not None and after is not None
    assert [p.pid for p in after.processes] == [p.pid for p in running.processes]
    assert (identities(kubectl), container_ids(kubectl)) == before


def test_up_repairs_after_the_supervisor_was_killed(mine: Cluster) -> None:
    kubectl = mine.kubectl()
    before = status(mine.layout)
    assert before is not None
    ids = container_ids(kubectl)
    assert stop([before.supervisor], grace=0) == []
    assert not supervisor_alive(mine.layout)
    assert all_ready(mine, 2)
    mine.up("--nodes", "2")
    after = status(mine.layout)
    assert after is not None and supervisor_alive(mine.layout)
    assert {p.name: p.pid for p in after.processes} == {p.name: p.pid for p in before.processes}
    assert container_ids(kubectl) == ids


def test_up_repairs_after_everything_was_killed(mine: Cluster) -> None:
    kubectl = mine.kubectl()
    before = identities(kubectl)
    addresses = mine.layout.run.glob("nodes/*/containerd/io.containerd.runtime.v2.task/*/*/address")
    sockets = {Path(file.read_text().removeprefix("unix://")) for file in addresses}
    assert all(path.exists() for path in sockets) and len(sockets) >= 2
    kill_everything(mine)
    mine.up("--nodes", "2")
    assert [path for path in sockets if path.exists()] == []
    rolled(kubectl)
    eventually(lambda: kubectl("get", "pods", "--no-headers").count("1/1") == 2, what="both servers run")
    assert identities(kubectl) == before
    serves(kubectl)


def kill_everything(cluster: Cluster) -> None:
    """kill -9 of every process: supervisor, control plane, agents, runtimes, shims and containers."""
    for _ in range(20):
        found = processes(cluster.name, Roots())
        if not found:
            return
        stop([info.id for info in found], grace=0)
    raise AssertionError("processes come back")


def test_down_after_everything_was_killed_leaves_nothing(tmp_path: Path) -> None:
    before = footprint("e2e-dead")
    with own_cluster("e2e-dead", tmp_path, "--nodes", "2") as made:
        kubectl = made.kubectl()
        kubectl.apply(hello(replicas=2))
        rolled(kubectl)
        kill_everything(made)
        made.down()
        nothing_left_over(before, "e2e-dead")
