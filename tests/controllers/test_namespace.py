"""Namespaces and what each of them is given: emptied when deleted; an account, a CA and tokens while they live."""

from base64 import b64decode

from pybernetes.api.core.config_map import ConfigMap
from pybernetes.api.core.namespace import Namespace, NamespaceCondition
from pybernetes.api.core.pod import Pod
from pybernetes.api.core.secret import Secret
from pybernetes.api.core.service_account import ServiceAccount
from pybernetes.controllers.config import Config
from pybernetes.controllers.namespace import NamespaceController, Remains, conditions, deletion_order
from pybernetes.controllers.rootca import RootCAPublisher
from pybernetes.controllers.satoken import ServiceAccountTokenController
from pybernetes.controllers.serviceaccount import ServiceAccountController

from .fake_api import Refused
from .world import START, World, load


def named(struct: type, name: str, **fields: object) -> object:
    return load(struct, metadata={"name": name, "namespace": "shop"}, **fields)


def test_pods_go_first_and_nothing_is_forgotten() -> None:
    pods, rest = deletion_order()
    assert [kind.name for kind in pods] == ["Pod"]
    assert {"Secret", "ConfigMap", "Service", "Deployment", "EndpointSlice", "Lease", "Role"} <= {k.name for k in rest}
    assert all(kind.namespaced for kind in rest)


def test_conditions_tell_what_is_left_and_keep_their_times() -> None:
    remains = Remains(objects={"pods": 2}, finalizers={"example.com/x": 1})
    told = {c.type: c for c in conditions([], remains, START)}
    assert told["NamespaceContentRemaining"].message == "Some resources are remaining: pods has 2 resource instances"
    finalizers = "Some content in the namespace has finalizers remaining: example.com/x in 1 resource instances"
    assert told["NamespaceFinalizersRemaining"].message == finalizers
    assert told["NamespaceDeletionContentFailure"].status == "False"
    old = NamespaceCondition(
        type="NamespaceContentRemaining", status="True", last_transition_time="2020-01-01T00:00:00Z"
    )
    again = {c.type: c for c in conditions([old], remains, START)}
    assert again["NamespaceContentRemaining"].last_transition_time == "2020-01-01T00:00:00Z"


async def test_a_deleted_namespace_is_emptied_and_goes() -> None:
    async with World(NamespaceController) as world:
        await world.start()
        await world.create(load(Namespace, metadata={"name": "shop"}))
        await world.create(named(Pod, "p"))
        await world.create(named(ConfigMap, "c"))
        await world.client.of(Namespace).delete("shop")
        await world.settle()
        assert await world.all(Namespace) == []
        assert await world.all(ConfigMap) == await world.all(Pod) == []


async def test_finalizers_hold_a_namespace_and_are_told() -> None:
    async with World(NamespaceController) as world:
        await world.start()
        await world.create(load(Namespace, metadata={"name": "shop"}))
        held = load(ConfigMap, metadata={"name": "c", "namespace": "shop", "finalizers": ["example.com/x"]})
        await world.create(held)
        await world.client.of(Namespace).delete("shop")
        await world.settle()
        told = {c.type: c.status for c in (await world.get(Namespace, "shop", "")).status.conditions}
        assert told["NamespaceFinalizersRemaining"] == told["NamespaceContentRemaining"] == "True"
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


async def test_a_refused_deletion_is_told() -> None:
    async with World(NamespaceController) as world:
        await world.start()
        await world.create(load(Namespace, metadata={"name": "shop"}))
        await world.create(named(Secret, "s"))
        world.api.fail = lambda r: (
            Refused(403, "Forbidden", "no") if r.method == "DELETE" and r.path.endswith("/secrets") else None
        )
        await world.client.of(Namespace).delete("shop")
        await world.settle()
        told = {c.type: c for c in (await world.get(Namespace, "shop", "")).status.conditions}
        assert told["NamespaceDeletionContentFailure"].reason == "ContentDeletionFailed"
        assert "secrets: no" in told["NamespaceDeletionContentFailure"].message


async def test_each_namespace_has_its_account_and_ca() -> None:
    async with World(ServiceAccountController, RootCAPublisher, config=Config(root_ca="PEM")) as world:
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


async def test_token_secrets_are_filled_and_go_with_their_account() -> None:
    async with World(
        ServiceAccountTokenController, config=Config(root_ca="PEM"), mint_token=lambda a, s: f"jwt-{a.metadata.name}"
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


async def test_a_token_for_nobody_is_deleted_and_other_secrets_are_left_alone() -> None:
    async with World(ServiceAccountTokenController, mint_token=lambda a, s: "jwt") as world:
        await world.start()
        await world.create(token_secret("t", "nobody"))
        await world.create(named(Secret, "mine", type="Opaque"))
        await world.settle()
        assert [secret.metadata.name for secret in await world.all(Secret)] == ["mine"]
