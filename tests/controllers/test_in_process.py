"""All controllers together against the real API server, in one process, on the sqlite store.

Each controller speaks as its own service account, so that a permission that its role lacks fails here. Instead of a
scheduler and kubelets there is one task that binds pods, makes them ready and lets them end.
"""

import asyncio
import random
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any, TypeVar

import pytest

from pybernetes.api.apps.controller_revision import ControllerRevision
from pybernetes.api.apps.daemon_set import DaemonSet
from pybernetes.api.apps.deployment import Deployment
from pybernetes.api.apps.replica_set import ReplicaSet
from pybernetes.api.core.binding import Binding
from pybernetes.api.core.config_map import ConfigMap
from pybernetes.api.core.endpoints import Endpoints
from pybernetes.api.core.namespace import Namespace
from pybernetes.api.core.node import Node
from pybernetes.api.core.pod import Pod
from pybernetes.api.core.replication_controller import ReplicationController
from pybernetes.api.core.secret import Secret
from pybernetes.api.core.service import Service
from pybernetes.api.core.service_account import ServiceAccount
from pybernetes.api.discovery.endpoint_slice import EndpointSlice
from pybernetes.api.meta import Object, ObjectMeta
from pybernetes.api.policy.eviction import Eviction
from pybernetes.api.policy.pod_disruption_budget import PodDisruptionBudget
from pybernetes.apiserver import codec
from pybernetes.apiserver.assembly import Security, assemble
from pybernetes.apiserver.auth.signing import generate
from pybernetes.apiserver.config import ServerConfig
from pybernetes.apiserver.inprocess import InProcessTransport
from pybernetes.apiserver.types import User
from pybernetes.client.client import Client
from pybernetes.client.errors import ApiError, NotFound, TooManyRequests
from pybernetes.client.informer import Informers
from pybernetes.controllers.config import Config, NodeIpamConfig, NodeLifecycleConfig, RootCAConfig
from pybernetes.controllers.daemonset_plan import node_of
from pybernetes.controllers.manager import ControllerManager
from pybernetes.store.sqlite import SqliteStore

from .world import Recorded, load

pytestmark = pytest.mark.slow

ADMIN = User("admin", ("system:masters", "system:authenticated"))
MANAGER = User("system:kube-controller-manager", ("system:authenticated",))
K = TypeVar("K", bound=Object)


class Cluster:
    """A client, and the events that the controllers recorded."""

    def __init__(self, client: Client) -> None:
        self.client = client
        self.recorder = Recorded()
        self._address = 0

    async def create(self, struct: type[K], name: str, namespace: str = "default", **fields: Any) -> K:
        meta = {"name": name, "namespace": "" if struct in (Namespace, Node) else namespace}
        return await self.client.of(struct).create(load(struct, metadata=meta, **fields))

    async def all(self, struct: type[K], namespace: str = "default") -> list[K]:
        return (await self.client.of(struct).list(namespace=namespace)).items

    async def patch(self, struct: type[K], name: str, patch: Any, namespace: str = "default") -> K:
        return await self.client.of(struct).patch(name, patch, namespace=namespace)

    async def until(self, true: Callable[[], Awaitable[Any]], seconds: float = 15.0) -> None:
        """Wait until a condition holds."""
        deadline = time.monotonic() + seconds
        while not await true():
            assert time.monotonic() < deadline, true
            await asyncio.sleep(0.02)

    async def node(self, name: str) -> Node:
        """A Ready node. Its controllers may change it at any time, so only the status is patched."""
        await self.create(Node, name)
        ready = {"status": {"conditions": [{"type": "Ready", "status": "True"}]}}
        return await self.client.of(Node).patch(name, ready, subresource="status")

    def pod_changed(self, tasks: asyncio.TaskGroup, old: Pod | None, new: Pod | None) -> None:
        """Act as the scheduler and the kubelets."""
        if new is not None:
            tasks.create_task(self._follow(new), name=f"kubelet {new.metadata.name}")

    async def _follow(self, pod: Pod) -> None:
        meta, pods = pod.metadata, self.client.of(Pod)
        try:
            if meta.deletion_timestamp:
                await pods.delete(meta.name, namespace=meta.namespace, grace_period_seconds=0)
            elif not pod.spec.node_name:
                body = load(
                    Binding, metadata={"name": meta.name}, target={"kind": "Node", "name": node_of(pod) or "n1"}
                )
                await pods.call(meta.name, "binding", body, namespace=meta.namespace)
            elif pod.status.phase == "Pending" and not pod.status.pod_ip:
                self._address += 1
                ip = f"10.244.{self._address // 250}.{self._address % 250 + 1}"
                ready = {"type": "Ready", "status": "True", "lastTransitionTime": "2026-01-01T00:00:00Z"}
                status = {"phase": "Running", "podIP": ip, "podIPs": [{"ip": ip}], "conditions": [ready]}
                await pods.patch(meta.name, {"status": status}, namespace=meta.namespace, subresource="status")
        except ApiError:
            pass


@pytest.fixture
async def cluster(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> AsyncIterator[Cluster]:
    store = await SqliteStore.open(tmp_path / "state.db", stamp=codec.stamp)
    server = assemble(ServerConfig(), store, Security(signing_key=generate()), rng=random.Random(1))
    await server.start()
    made = Cluster(Client(InProcessTransport(server, ADMIN)))
    informers = Informers(Client(InProcessTransport(server, MANAGER)))

    def client_for(component: str) -> Client:
        if component == "kube-controller-manager":
            return Client(InProcessTransport(server, MANAGER))
        groups = ("system:serviceaccounts", "system:serviceaccounts:kube-system", "system:authenticated")
        return Client(InProcessTransport(server, User(f"system:serviceaccount:kube-system:{component}", groups)))

    manager = ControllerManager(
        client_for,
        informers,
        Config(
            NodeIpamConfig(cluster_cidrs=("10.244.0.0/16",), allocate_node_cidrs=True),
            NodeLifecycleConfig(monitor_period=0.2, monitor_grace_period=3600),
            RootCAConfig(root_ca="PEM"),
        ),
        recorder_for=lambda component: made.recorder,
        mint_token=lambda account, secret: "jwt",
    )
    async with asyncio.TaskGroup() as tasks:
        running = [
            tasks.create_task(informers.run(), name="informers"),
            tasks.create_task(manager.run(), name="controllers"),
        ]
        informers.of(Pod).add_handler(lambda old, new: made.pod_changed(tasks, old, new))
        yield made
        for task in running:
            task.cancel()
    await server.close()
    await store.close()
    bad = [r.getMessage() for r in caplog.records if "broke" in r.getMessage() or "forbidden" in r.getMessage().lower()]
    assert bad == []


def template(image: str = "v1", **labels: str) -> dict[str, Any]:
    container = {"name": "c", "image": image, "ports": [{"name": "http", "containerPort": 8080}]}
    return {"metadata": {"labels": labels or {"app": "web"}}, "spec": {"containers": [container]}}


def workload(replicas: int = 3, image: str = "v1") -> dict[str, Any]:
    return {"replicas": replicas, "selector": {"matchLabels": {"app": "web"}}, "template": template(image)}


async def ready(cluster: Cluster, count: int, image: str = "v1", namespace: str = "default") -> bool:
    pods = [pod for pod in await cluster.all(Pod, namespace) if not pod.metadata.deletion_timestamp]
    up = [pod for pod in pods if pod.status.phase == "Running"]
    return len(pods) == len(up) == count and {pod.spec.containers[0].image for pod in up} <= {image}


async def gone(cluster: Cluster, struct: type[Object], name: str, namespace: str = "default") -> bool:
    try:
        await cluster.client.of(struct).get(name, namespace=namespace)
    except NotFound:
        return True
    return False


async def test_deployment_and_service_lifecycle(cluster: Cluster) -> None:
    await cluster.create(Namespace, "shop")
    await cluster.until(lambda: _found(cluster, ServiceAccount, "default", "shop"))
    await cluster.until(lambda: _found(cluster, ConfigMap, "kube-root-ca.crt", "shop"))
    await cluster.create(Deployment, "web", "shop", spec=workload(3))
    ports = [{"port": 80, "targetPort": "http"}]
    await cluster.create(Service, "web", "shop", spec={"selector": {"app": "web"}, "ports": ports})
    await cluster.until(lambda: ready(cluster, 3, namespace="shop"))

    async def served(count: int) -> bool:
        slices = await cluster.all(EndpointSlice, "shop")
        found = [e for s in slices for e in s.endpoints if e.conditions.ready]
        plain = await cluster.client.of(Endpoints).get("web", namespace="shop")
        listed = sum(len(subset.addresses) for subset in plain.subsets)
        return len(found) == listed == count and all(s.ports[0].port == 8080 for s in slices)

    await cluster.until(lambda: served(3))
    await cluster.patch(Deployment, "web", {"spec": {"template": template("v2")}}, "shop")
    await cluster.until(lambda: ready(cluster, 3, "v2", "shop"))

    async def complete() -> bool:
        status = (await cluster.client.of(Deployment).get("web", namespace="shop")).status
        reasons = {item.type: item.reason for item in status.conditions}
        return status.available_replicas == status.updated_replicas == 3 and reasons == {
            "Available": "MinimumReplicasAvailable",
            "Progressing": "NewReplicaSetAvailable",
        }

    await cluster.until(complete)
    await cluster.patch(Deployment, "web", {"spec": {"replicas": 5}}, "shop")
    await cluster.until(lambda: served(5))
    await cluster.client.of(Deployment).delete("web", namespace="shop", propagation="Foreground")
    await cluster.until(lambda: gone(cluster, Deployment, "web", "shop"))
    assert await cluster.all(ReplicaSet, "shop") == []
    await cluster.client.of(Namespace).delete("shop")
    await cluster.until(lambda: gone(cluster, Namespace, "shop", ""))
    assert not await cluster.all(EndpointSlice, "shop")


async def _found(cluster: Cluster, struct: type[Object], name: str, namespace: str = "default") -> bool:
    return not await gone(cluster, struct, name, namespace)


async def test_garbage_collection(cluster: Cluster) -> None:
    await cluster.until(lambda: _found(cluster, ServiceAccount, "default"))
    await cluster.create(Deployment, "web", spec=workload(2))
    await cluster.until(lambda: ready(cluster, 2))
    await cluster.client.of(Deployment).delete("web", namespace="default", propagation="Orphan")
    await cluster.until(lambda: gone(cluster, Deployment, "web"))
    (left,) = await cluster.all(ReplicaSet)
    await cluster.until(lambda: ready(cluster, 2))
    assert left.metadata.owner_references == []
    await cluster.create(Deployment, "web", spec=workload(2))

    async def adopted() -> bool:
        return bool((await cluster.all(ReplicaSet))[0].metadata.owner_references)

    await cluster.until(adopted)
    assert len(await cluster.all(Pod)) == 2
    await cluster.client.of(Deployment).delete("web", namespace="default", propagation="Background")

    async def empty() -> bool:
        return not await cluster.all(Pod) and not await cluster.all(ReplicaSet)

    await cluster.until(empty)


async def test_daemon_sets_node_addresses_and_evictions(cluster: Cluster) -> None:
    await cluster.until(lambda: _found(cluster, ServiceAccount, "default"))
    for name in ("n1", "n2"):
        await cluster.node(name)
    spec = {"selector": {"matchLabels": {"app": "web"}}, "template": template()}
    await cluster.create(DaemonSet, "agent", spec=spec)
    await cluster.until(lambda: ready(cluster, 2))
    await cluster.patch(DaemonSet, "agent", {"spec": {"template": template("v2")}})
    await cluster.until(lambda: ready(cluster, 2, "v2"))
    await cluster.until(lambda: _count(cluster, ControllerRevision, 2))
    ranges = {node.spec.pod_cidr for node in (await cluster.client.of(Node).list()).items}
    assert len(ranges) == 2 and "" not in ranges
    await cluster.client.of(Node).patch("n1", {"spec": {"taints": [{"key": "x", "effect": "NoExecute"}]}})
    await cluster.until(lambda: ready(cluster, 1, "v2"))
    await cluster.client.of(Node).patch("n2", {"spec": {"unschedulable": True}})

    async def cordoned() -> bool:
        taints = (await cluster.client.of(Node).get("n2")).spec.taints
        return any(taint.key == "node.kubernetes.io/unschedulable" for taint in taints)

    await cluster.until(cordoned)


async def _count(cluster: Cluster, struct: type[Object], count: int) -> bool:
    return len(await cluster.all(struct)) == count


async def test_replication_controllers_tokens_and_mirrored_endpoints(cluster: Cluster) -> None:
    await cluster.until(lambda: _found(cluster, ServiceAccount, "default"))
    await cluster.create(ReplicationController, "rc", spec={"replicas": 2, "template": template()})
    await cluster.until(lambda: ready(cluster, 2))
    annotations = {"kubernetes.io/service-account.name": "default"}
    secret = load(
        Secret,
        metadata={"name": "token", "namespace": "default", "annotations": annotations},
        type="kubernetes.io/service-account-token",
    )
    await cluster.client.of(Secret).create(secret)

    async def filled() -> bool:
        return "token" in (await cluster.client.of(Secret).get("token", namespace="default")).data

    await cluster.until(filled)
    await cluster.create(Service, "far", spec={"ports": [{"port": 80}]})
    subset = {"addresses": [{"ip": "192.0.2.1"}], "ports": [{"port": 80}]}
    await cluster.create(Endpoints, "far", subsets=[subset])

    async def mirrored() -> bool:
        slices = await cluster.all(EndpointSlice)
        return any(e.addresses == ["192.0.2.1"] for s in slices for e in s.endpoints)

    await cluster.until(mirrored)


async def test_evictions_wait_for_replacements(cluster: Cluster) -> None:
    await cluster.until(lambda: _found(cluster, ServiceAccount, "default"))
    await cluster.create(Deployment, "web", spec=workload(3))
    selector = {"matchLabels": {"app": "web"}}
    await cluster.create(PodDisruptionBudget, "web", spec={"maxUnavailable": 1, "selector": selector})
    budgets, pods = cluster.client.of(PodDisruptionBudget), cluster.client.of(Pod)

    async def allowed() -> bool:
        status = (await budgets.get("web", namespace="default")).status
        return (status.disruptions_allowed, status.expected_pods, status.desired_healthy) == (1, 3, 2)

    for _ in range(3):
        await cluster.until(allowed)
        first, second, *_ = [p.metadata.name for p in await cluster.all(Pod) if not p.metadata.deletion_timestamp]
        await pods.call(first, "eviction", Eviction(metadata=ObjectMeta(name=first)), namespace="default")
        with pytest.raises(TooManyRequests, match="would violate the pod's disruption budget"):
            await pods.call(second, "eviction", Eviction(metadata=ObjectMeta(name=second)), namespace="default")


async def test_many_replicas_become_available(cluster: Cluster) -> None:
    await cluster.until(lambda: _found(cluster, ServiceAccount, "default"))
    started = time.monotonic()
    await cluster.create(Deployment, "web", spec=workload(500))

    async def complete() -> bool:
        status = (await cluster.client.of(Deployment).get("web", namespace="default")).status
        return status.available_replicas == 500

    await cluster.until(complete, 30)
    assert time.monotonic() - started < 30
