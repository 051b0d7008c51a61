"""Namespaces: deletion of their content, and the account, CA and tokens that each one gets."""

from base64 import b64decode

import msgspec

from pybernetes.api.core.config_map import ConfigMap
from pybernetes.api.core.namespace import Namespace, NamespaceCondition
from pybernetes.api.core.pod import Pod
from pybernetes.api.core.secret import Secret
from pybernetes.api.core.service_account import ServiceAccount
from pybernetes.api.meta import ObjectMeta
from pybernetes.client.api_resource import ApiResource
from pybernetes.client.catalogue import Catalogue
from pybernetes.controllers.config import Config, RootCAConfig
from pybernetes.controllers.namespace import NamespaceController
from pybernetes.controllers.namespace_status import Remains, conditions
from pybernetes.controllers.rootca import RootCAPublisher
from pybernetes.controllers.satoken import ServiceAccountTokenController
from pybernetes.controllers.serviceaccount import ServiceAccountController

from .fake_api import VERBS, Refused
from .world import START, World, load


def named(struct: type, name: str, **fields: object) -> object:
    return load(struct, metadata={"name": name, "namespace": "shop"}, **fields)


PODS = ApiResource("", "v1", "pods", "Pod", True)


def test_conditions_report_remaining_content_and_keep_their_times() -> None:
    remains = Remains()
    held = load(ObjectMeta, name="a", finalizers=["example.com/x"])
    remains.count("shop", PODS, [held, load(ObjectMeta, name="b")], grace=30)
    found = {c.type: c for c in conditions([], remains, START)}
    assert list(found) == [
        "NamespaceDeletionDiscoveryFailure",
        "NamespaceDeletionGroupVersionParsingFailure",
        "NamespaceDeletionContentFailure",
        "NamespaceContentRemaining",
        "NamespaceFinalizersRemaining",
    ]
    assert found["NamespaceContentRemaining"].message == "Some resources are remaining: pods. has 2 resource instances"
    finalizers = "Some content in the namespace has finalizers remaining: example.com/x in 1 resource instances"
    assert found["NamespaceFinalizersRemaining"].message == finalizers
    assert found["NamespaceFinalizersRemaining"].reason == "SomeFinalizersRemain"
    assert found["NamespaceDeletionContentFailure"].status == "False"
    old = NamespaceCondition(
        type="NamespaceContentRemaining", status="True", last_transition_time="2020-01-01T00:00:00Z"
    )
    other = NamespaceCondition(type="example.com/Mine", status="True")
    again = {c.type: c for c in conditions([other, old], remains, START)}
    assert again["NamespaceContentRemaining"].last_transition_time == "2020-01-01T00:00:00Z"
    assert again["example.com/Mine"] == other


def test_failures_have_the_texts_of_kubernetes() -> None:
    remains = Remains()
    remains.discovered(Catalogue(failed={"x.io/v1": "stale GroupVersion discovery: x.io/v1"}, malformed="bad"))
    remains.count("shop", ApiResource("apps", "v1", "gears", "Gear", True), [load(ObjectMeta, name="a")])
    found = {c.type: (c.status, c.reason, c.message) for c in conditions([], remains, START)}
    assert found["NamespaceDeletionDiscoveryFailure"] == (
        "True",
        "DiscoveryFailed",
        "Discovery failed for some groups, 1 failing: unable to retrieve the complete list of server APIs: "
        "x.io/v1: stale GroupVersion discovery: x.io/v1",
    )
    parsing = found["NamespaceDeletionGroupVersionParsingFailure"]
    assert parsing == ("True", "GroupVersionParsingFailed", "bad")
    assert found["NamespaceDeletionContentFailure"] == (
        "True",
        "ContentDeletionFailed",
        "Failed to delete all resource types, 1 remaining: unexpected items still remain in namespace: shop for gvr: "
        "apps/v1, Resource=gears",
    )


async def test_deleted_namespace_is_emptied_and_finalized() -> None:
    async with World(NamespaceController) as world:
        await world.start()
        await world.create(load(Namespace, metadata={"name": "shop"}))
        await world.create(named(Pod, "p"))
        await world.create(named(ConfigMap, "c"))
        await world.client.of(Namespace).delete("shop")
        await world.settle()
        assert await world.all(Namespace) == []
        assert await world.all(ConfigMap) == await world.all(Pod) == []


async def test_finalizers_hold_a_namespace_and_are_reported() -> None:
    async with World(NamespaceController) as world:
        await world.start()
        await world.create(load(Namespace, metadata={"name": "shop"}))
        held = load(ConfigMap, metadata={"name": "c", "namespace": "shop", "finalizers": ["example.com/x"]})
        await world.create(held)
        await world.client.of(Namespace).delete("shop")
        await world.settle()
        reported = {c.type: c.status for c in (await world.get(Namespace, "shop", "")).status.conditions}
        assert reported["NamespaceFinalizersRemaining"] == reported["NamespaceContentRemaining"] == "True"
        await world.client.of(ConfigMap).patch("c", {"metadata": {"finalizers": None}}, namespace="shop")
        await world.advance(10)
        assert await world.all(Namespace) == []


async def test_other_content_waits_for_the_pods() -> None:
    async with World(NamespaceController) as world:
        await world.start()
        world.api.immediate_pods = False
        await world.create(load(Namespace, metadata={"name": "shop"}))
        await world.create(named(Pod, "p"))
        await world.create(named(Secret, "s"))
        await world.client.of(Namespace).delete("shop")
        await world.settle()
        assert len(await world.all(Secret)) == 1
        await world.client.of(Pod).delete("p", namespace="shop", grace_period_seconds=0)
        await world.advance(10)
        assert await world.all(Namespace) == []


async def test_refused_deletion_is_reported() -> None:
    async with World(NamespaceController) as world:
        await world.start()
        await world.create(load(Namespace, metadata={"name": "shop"}))
        await world.create(named(Secret, "s"))
        world.api.fail = lambda r: (
            Refused(403, "Forbidden", "no") if r.method == "DELETE" and r.path.endswith("/secrets") else None
        )
        await world.client.of(Namespace).delete("shop")
        await world.settle()
        reported = {c.type: c for c in (await world.get(Namespace, "shop", "")).status.conditions}
        assert reported["NamespaceDeletionContentFailure"].reason == "ContentDeletionFailed"
        assert (
            reported["NamespaceDeletionContentFailure"].message
            == "Failed to delete all resource types, 1 remaining: no"
        )


STATEFUL = {"metadata": {"name": "db", "namespace": "shop"}, "spec": {"replicas": 3}}


async def make(world: World, path: str, body: object) -> None:
    """Create an object of a kind that has no struct."""
    await world.client.raw("POST", path, msgspec.json.encode(body))


def condition_of(namespace: Namespace, type: str) -> NamespaceCondition:
    return next(c for c in namespace.status.conditions if c.type == type)


async def test_objects_of_kinds_without_a_struct_are_deleted_too() -> None:
    async with World(NamespaceController) as world:
        world.api.serve("apps", "v1", "statefulsets", "StatefulSet")
        world.api.serve("example.com", "v1", "widgets", "Widget", verbs=VERBS - {"deletecollection"})
        await world.start()
        await world.create(load(Namespace, metadata={"name": "shop"}))
        await make(world, "/apis/apps/v1/namespaces/shop/statefulsets", STATEFUL)
        await make(world, "/apis/example.com/v1/namespaces/shop/widgets", {"metadata": {"name": "w"}})
        await world.client.of(Namespace).delete("shop")
        await world.settle()
        assert await world.all(Namespace) == []
        assert not world.api.objects["statefulsets.apps"] and not world.api.objects["widgets.example.com"]


async def test_a_namespace_stays_while_a_kind_without_a_struct_holds_it() -> None:
    async with World(NamespaceController) as world:
        world.api.serve("apps", "v1", "statefulsets", "StatefulSet")
        await world.start()
        await world.create(load(Namespace, metadata={"name": "shop"}))
        meta = {"name": "db", "namespace": "shop", "finalizers": ["example.com/backup"]}
        await make(world, "/apis/apps/v1/namespaces/shop/statefulsets", {**STATEFUL, "metadata": meta})
        await world.client.of(Namespace).delete("shop")
        await world.advance(60)
        shop = await world.get(Namespace, "shop", "")
        text = "Some resources are remaining: statefulsets.apps has 1 resource instances"
        assert condition_of(shop, "NamespaceContentRemaining").message == text
        statefulsets = world.client.metadata(world.api.resources["apps", "v1", "statefulsets"])
        await statefulsets.patch("db", {"metadata": {"finalizers": None}}, namespace="shop")
        await world.advance(10)
        assert await world.all(Namespace) == []


async def test_a_namespace_stays_while_discovery_is_incomplete() -> None:
    async with World(NamespaceController) as world:
        world.api.serve("metrics.example.com", "v1", "widgets", "Widget")
        world.api.stale.add("metrics.example.com/v1")
        await world.start()
        await world.create(load(Namespace, metadata={"name": "shop"}))
        await world.create(named(ConfigMap, "c"))
        await world.client.of(Namespace).delete("shop")
        await world.advance(60)
        failure = condition_of(await world.get(Namespace, "shop", ""), "NamespaceDeletionDiscoveryFailure")
        assert (failure.status, failure.reason) == ("True", "DiscoveryFailed")
        assert failure.message.startswith("Discovery failed for some groups, 1 failing: unable to retrieve")
        assert await world.all(ConfigMap) == [], "what is known is deleted"
        world.api.stale.clear()
        await world.advance(60)
        assert await world.all(Namespace) == []


async def test_pods_have_their_grace_and_the_rest_goes_right_after_them() -> None:
    async with World(NamespaceController) as world:
        await world.start()
        world.api.immediate_pods = False
        await world.create(load(Namespace, metadata={"name": "shop"}))
        await world.create(named(Pod, "p", spec={"terminationGracePeriodSeconds": 600}))
        await world.create(named(Secret, "s"))
        await world.client.of(Namespace).delete("shop")
        await world.settle()
        before = world.reconciles
        await world.advance(200)
        assert world.reconciles == before, "no polling while pods have time"
        await world.client.of(Pod).delete("p", namespace="shop", grace_period_seconds=0)
        await world.settle()
        assert await world.all(Namespace) == await world.all(Secret) == []


async def test_each_namespace_gets_its_account_and_ca() -> None:
    async with World(ServiceAccountController, RootCAPublisher, config=Config(RootCAConfig(root_ca="PEM"))) as world:
        await world.start()
        await world.create(load(Namespace, metadata={"name": "shop"}))
        await world.settle()
        assert (await world.get(ServiceAccount, "default", "shop")).metadata.name == "default"
        assert (await world.get(ConfigMap, "kube-root-ca.crt", "shop")).data == {"ca.crt": "PEM"}
        await world.client.of(ServiceAccount).delete("default", namespace="shop")
        await world.client.of(ConfigMap).patch("kube-root-ca.crt", {"data": {"ca.crt": "bad"}}, namespace="shop")
        await world.settle()
        assert len(await world.all(ServiceAccount)) == 1
        assert (await world.get(ConfigMap, "kube-root-ca.crt", "shop")).data == {"ca.crt": "PEM"}


def token_secret(name: str, account: str) -> Secret:
    meta = {"name": name, "namespace": "shop", "annotations": {"kubernetes.io/service-account.name": account}}
    return load(Secret, metadata=meta, type="kubernetes.io/service-account-token")


async def test_token_secrets_are_filled_and_deleted_with_their_account() -> None:
    async with World(
        ServiceAccountTokenController,
        config=Config(RootCAConfig(root_ca="PEM")),
        mint_token=lambda a, s: f"jwt-{a.metadata.name}",
    ) as world:
        await world.start()
        account = await world.create(named(ServiceAccount, "bot"))
        await world.create(token_secret("t", "bot"))
        await world.settle()
        secret = await world.get(Secret, "t", "shop")
        assert {k: b64decode(v).decode() for k, v in secret.data.items()} == {
            "token": "jwt-bot",
            "ca.crt": "PEM",
            "namespace": "shop",
        }
        assert secret.metadata.annotations["kubernetes.io/service-account.uid"] == account.metadata.uid
        await world.client.of(ServiceAccount).delete("bot", namespace="shop")
        await world.settle()
        assert await world.all(Secret) == []


async def test_token_secret_without_an_account_is_deleted_and_others_are_kept() -> None:
    async with World(ServiceAccountTokenController, mint_token=lambda a, s: "jwt") as world:
        await world.start()
        await world.create(token_secret("t", "absent"))
        await world.create(named(Secret, "mine", type="Opaque"))
        await world.settle()
        assert [secret.metadata.name for secret in await world.all(Secret)] == ["mine"]
