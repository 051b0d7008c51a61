"""Garbage collection: background, foreground, orphaning, cycles, absent owners, and kinds without a struct."""

import asyncio
from datetime import timedelta
from typing import Any

import msgspec
import pytest

from pybernetes.api.apps.deployment import Deployment
from pybernetes.api.apps.replica_set import ReplicaSet
from pybernetes.api.core.config_map import ConfigMap
from pybernetes.api.core.node import Node
from pybernetes.api.core.pod import Pod
from pybernetes.api.core.secret import Secret
from pybernetes.api.meta import Object
from pybernetes.client.api_resource import ApiResource
from pybernetes.client.catalogue import Catalogue
from pybernetes.client.resource import Propagation
from pybernetes.client.transport import Request
from pybernetes.controllers.config import Config, PodGCConfig
from pybernetes.controllers.garbage import GarbageCollector
from pybernetes.controllers.gc_monitors import collected
from pybernetes.controllers.podgc import PodGarbageCollector, ended, out_of_service
from pybernetes.controllers.times import stamp

from .world import START, World, load


async def owned(
    world: World, struct: type[Object], name: str, *owners: Object, namespace: str = "default", block: bool = True
) -> Any:
    refs = [
        {
            "apiVersion": owner.api_version,
            "kind": owner.kind,
            "name": owner.metadata.name,
            "uid": owner.metadata.uid,
            "blockOwnerDeletion": block,
        }
        for owner in owners
    ]
    meta = {"name": name, "namespace": namespace if struct is not Node else "", "ownerReferences": refs}
    made = await world.create(load(struct, metadata=meta))
    await world.settle()
    return made


async def delete(world: World, obj: Object, propagation: Propagation) -> None:
    meta = obj.metadata
    await world.client.of(type(obj)).delete(meta.name, namespace=meta.namespace, propagation=propagation)
    await world.settle()


async def left(world: World) -> list[str]:
    found = [await world.all(kind) for kind in (Deployment, ReplicaSet, Pod, ConfigMap, Secret)]
    return [f"{obj.kind} {obj.metadata.name}" for objects in found for obj in objects]


def test_everything_but_events_is_collected() -> None:
    verbs = frozenset({"delete", "list", "watch"})

    def resource(group: str, version: str, plural: str, verbs: frozenset[str] = verbs) -> ApiResource:
        return ApiResource(group, version, plural, plural.title(), True, verbs)

    catalogue = Catalogue(
        (
            resource("", "v1", "events"),
            resource("events.k8s.io", "v1", "events"),
            resource("", "v1", "pods"),
            resource("", "v1", "bindings", frozenset({"create"})),
            resource("x.io", "v2", "events"),
            resource("x.io", "v1", "events"),
        )
    )
    assert list(collected(catalogue)) == ["/v1, Resource=pods", "x.io/v2, Resource=events"]


@pytest.mark.parametrize("propagation", ["Background", "Foreground"])
async def test_dependents_of_dependents_are_deleted(propagation: Propagation) -> None:
    async with World(GarbageCollector) as world:
        await world.start()
        deployment = await owned(world, Deployment, "d")
        replica_set = await owned(world, ReplicaSet, "r", deployment)
        await owned(world, Pod, "p", replica_set)
        await delete(world, deployment, propagation)
        assert await left(world) == []


async def test_foreground_deletion_waits_for_blocking_dependents() -> None:
    async with World(GarbageCollector) as world:
        await world.start()
        replica_set = await owned(world, ReplicaSet, "r")
        held = await owned(world, Pod, "p", replica_set)
        await world.client.of(Pod).patch("p", {"metadata": {"finalizers": ["example.com/x"]}}, namespace="default")
        await owned(world, ConfigMap, "c", replica_set, block=False)
        await delete(world, replica_set, "Foreground")
        assert await left(world) == ["ReplicaSet r", "Pod p"]
        await world.client.of(Pod).patch("p", {"metadata": {"finalizers": None}}, namespace="default")
        await world.settle()
        assert await left(world) == [] and held.metadata.uid


async def test_orphaning_keeps_the_dependents() -> None:
    async with World(GarbageCollector) as world:
        await world.start()
        replica_set = await owned(world, ReplicaSet, "r")
        await owned(world, Pod, "p", replica_set)
        await delete(world, replica_set, "Orphan")
        assert await left(world) == ["Pod p"]
        assert (await world.get(Pod, "p")).metadata.owner_references == []


async def test_one_of_two_owners_is_deleted() -> None:
    async with World(GarbageCollector) as world:
        await world.start()
        one, two = await owned(world, ConfigMap, "one"), await owned(world, ConfigMap, "two")
        await owned(world, Secret, "s", one, two)
        await delete(world, one, "Background")
        refs = (await world.get(Secret, "s")).metadata.owner_references
        assert [ref.name for ref in refs] == ["two"]
        await delete(world, two, "Foreground")
        assert await left(world) == []


async def test_owner_that_never_existed() -> None:
    async with World(GarbageCollector) as world:
        await world.start()
        ghost = load(ConfigMap, apiVersion="v1", kind="ConfigMap", metadata={"name": "ghost", "uid": "ghost"})
        await owned(world, Secret, "s", ghost)
        assert await left(world) == []


async def test_owner_with_the_same_name_and_another_uid() -> None:
    async with World(GarbageCollector) as world:
        await world.start()
        await owned(world, ConfigMap, "c")
        ghost = load(ConfigMap, apiVersion="v1", kind="ConfigMap", metadata={"name": "c", "uid": "other"})
        await owned(world, Secret, "s", ghost)
        assert await left(world) == ["ConfigMap c"]


WIDGET = {"apiVersion": "example.com/v1", "kind": "Widget", "name": "w"}


async def make_widget(world: World) -> dict[str, Any]:
    body = msgspec.json.encode({"metadata": {"name": "w"}})
    made = msgspec.json.decode(await world.client.raw("POST", "/apis/example.com/v1/namespaces/default/widgets", body))
    await world.settle()
    return {**WIDGET, "uid": made["metadata"]["uid"]}


async def secret_of(world: World, ref: dict[str, Any]) -> None:
    await world.create(load(Secret, metadata={"name": "s", "namespace": "default", "ownerReferences": [ref]}))
    await world.settle()


async def test_a_kind_without_a_struct_owns_and_is_owned() -> None:
    async with World(GarbageCollector) as world:
        widgets = world.api.serve("example.com", "v1", "widgets", "Widget")
        await world.start()
        await secret_of(world, await make_widget(world))
        assert await left(world) == ["Secret s"]
        await world.client.metadata(widgets).delete("w", namespace="default", propagation="Foreground")
        await world.settle()
        assert await left(world) == [] and not world.api.objects["widgets.example.com"]


async def test_an_owner_of_an_unknown_kind_is_judged_when_discovery_knows_it() -> None:
    async with World(GarbageCollector) as world:
        await world.start()
        await secret_of(world, {**WIDGET, "uid": "gone"})
        await world.advance(100)
        assert await left(world) == ["Secret s"]
        world.api.serve("example.com", "v1", "widgets", "Widget")
        await world.advance(31)
        assert await left(world) == [], "the kind exists, and this owner doesn't"


async def test_nothing_is_deleted_while_the_group_of_its_owner_cannot_be_discovered() -> None:
    async with World(GarbageCollector) as world:
        world.api.serve("example.com", "v1", "widgets", "Widget")
        world.api.stale.add("example.com/v1")
        await world.start()
        await secret_of(world, {**WIDGET, "uid": "gone"})
        await world.advance(100)
        assert await left(world) == ["Secret s"]
        world.api.stale.clear()
        await world.advance(31)
        assert await left(world) == []


async def test_resource_stays_watched_while_its_group_cannot_be_discovered() -> None:
    async with World(GarbageCollector) as world:
        widgets = world.api.serve("example.com", "v1", "widgets", "Widget")
        await world.start()
        await secret_of(world, await make_widget(world))
        world.api.stale.add("example.com/v1")
        await world.advance(31)
        await world.client.metadata(widgets).delete("w", namespace="default", propagation="Foreground")
        await world.settle()
        assert not world.api.objects["widgets.example.com"], "its deletion was seen and carried out"


async def test_removed_resource_is_no_longer_watched() -> None:
    async with World(GarbageCollector) as world:
        world.api.serve("example.com", "v1", "widgets", "Widget")
        await world.start()
        await secret_of(world, await make_widget(world))
        del world.api.resources["example.com", "v1", "widgets"]
        await world.advance(31)
        names = {task.get_name() for task in asyncio.all_tasks()}
        assert not [name for name in names if "example.com" in name]
        assert await left(world) == ["Secret s"], "what an unknown kind owns is kept"


async def test_object_that_gets_another_owner_before_its_deletion_is_kept() -> None:
    async with World(GarbageCollector) as world:
        await world.start()
        old, new = await owned(world, ConfigMap, "old"), await owned(world, ConfigMap, "new")
        await owned(world, Secret, "s", old)
        ref = {"apiVersion": "v1", "kind": "ConfigMap", "name": "new", "uid": new.metadata.uid}

        def steal(request: Request) -> None:
            """Just before the deletion arrives, another client changes the owner."""
            if request.method == "DELETE" and request.path.endswith("/secrets/s"):
                world.api.fail = lambda _: None
                stored = world.api.objects["secrets"]["default", "s"]
                changed = {**stored, "metadata": {**stored["metadata"], "ownerReferences": [ref]}}
                world.api._commit(world.api.resources["", "v1", "secrets"], "default", "s", "MODIFIED", changed)

        world.api.fail = steal
        await delete(world, old, "Background")
        assert await left(world) == ["ConfigMap new", "Secret s"]


async def test_owner_in_another_namespace_is_absent() -> None:
    async with World(GarbageCollector) as world:
        await world.start()
        far = await owned(world, ConfigMap, "far", namespace="elsewhere")
        await owned(world, Secret, "s", far)
        assert await left(world) == ["ConfigMap far"]
        assert world.recorder.reasons() == ["OwnerRefInvalidNamespace"]


async def test_cluster_scoped_owner_of_a_namespaced_object() -> None:
    async with World(GarbageCollector) as world:
        await world.start()
        node = await owned(world, Node, "n1")
        await owned(world, Secret, "s", node)
        assert await left(world) == ["Secret s"]
        await delete(world, node, "Background")
        assert await left(world) == []


@pytest.mark.parametrize("propagation", ["Background", "Foreground"])
async def test_cycle_of_owners_is_deleted(propagation: Propagation) -> None:
    async with World(GarbageCollector) as world:
        await world.start()
        a = await owned(world, ConfigMap, "a")
        b = await owned(world, ConfigMap, "b", a)
        ref = {"apiVersion": "v1", "kind": "ConfigMap", "name": "b", "uid": b.metadata.uid, "blockOwnerDeletion": True}
        await world.client.of(ConfigMap).patch("a", {"metadata": {"ownerReferences": [ref]}}, namespace="default")
        await world.settle()
        assert await left(world) == ["ConfigMap a", "ConfigMap b"]
        await delete(world, a, propagation)
        assert await left(world) == []


async def test_objects_orphaned_before_the_start_are_deleted() -> None:
    async with World(GarbageCollector) as world:
        owner = await world.create(load(ConfigMap, metadata={"name": "c", "namespace": "default"}))
        ref = {"apiVersion": "v1", "kind": "ConfigMap", "name": "c", "uid": owner.metadata.uid}
        meta = {"name": "s", "namespace": "default", "ownerReferences": [ref]}
        await world.create(load(Secret, metadata=meta))
        await world.client.of(ConfigMap).delete("c", namespace="default")
        await world.start()
        assert await left(world) == []


def pod(name: str, phase: str = "Running", node: str = "n1", age: float = 0, **meta: Any) -> Pod:
    created = stamp(START - timedelta(seconds=age))
    return load(
        Pod,
        metadata={"name": name, "namespace": "default", "creationTimestamp": created, **meta},
        spec={"nodeName": node},
        status={"phase": phase},
    )


def test_the_oldest_ended_pods_go_first() -> None:
    pods = [pod("new", "Failed", age=1), pod("old", "Succeeded", age=9), pod("run"), pod("mid", "Failed", age=5)]
    assert [removal.pod.metadata.name for removal in ended(pods, 1)] == ["old", "mid"]
    assert ended(pods, 0) == ended(pods, 3) == []


def test_terminating_pods_of_out_of_service_nodes_are_removed() -> None:
    taint = {"key": "node.kubernetes.io/out-of-service", "effect": "NoExecute"}
    node = load(Node, metadata={"name": "n1"}, spec={"taints": [taint]})
    going = pod("going", deletionTimestamp="2026-01-01T00:00:00Z")
    assert [r.pod for r in out_of_service([going, pod("stays")], {"n1": node})] == [going]
    node.status.conditions = load(Node, status={"conditions": [{"type": "Ready", "status": "True"}]}).status.conditions
    assert out_of_service([going], {"n1": node}) == []


async def test_pods_of_a_gone_node_are_removed_after_a_while() -> None:
    async with World(PodGarbageCollector) as world:
        await world.start()
        await world.create(load(Node, metadata={"name": "n1"}))
        await world.create(pod("here"))
        await world.create(pod("lost", node="n2"))
        await world.advance(30)
        assert len(await world.pods()) == 2
        await world.advance(60)
        assert [p.metadata.name for p in await world.pods()] == ["here"]
        status = next(o["status"] for r, t, o in world.api.log["pods"] if t == "MODIFIED")
        assert status["phase"] == "Failed"
        assert status["conditions"][0]["reason"] == "DeletionByPodGC"


async def test_terminating_pods_that_were_never_scheduled_are_removed() -> None:
    async with World(PodGarbageCollector, config=Config(PodGCConfig(threshold=1))) as world:
        await world.start()
        world.api.immediate_pods = False
        await world.create(pod("p", "Pending", node=""))
        await world.client.of(Pod).delete("p", namespace="default")
        await world.advance(25)
        assert await world.all(Pod) == []
