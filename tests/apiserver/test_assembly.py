"""A server with full authentication and authorization."""

import asyncio
import random
from collections.abc import AsyncIterator

import aiohttp
import pytest

from pybernetes.apiserver.assembly import Security, assemble
from pybernetes.apiserver.auth.signing import generate
from pybernetes.apiserver.config import ServerConfig
from pybernetes.apiserver.http import Listening
from pybernetes.apiserver.resource import resource_of
from pybernetes.apiserver.server import ApiServer
from pybernetes.apiserver.types import User
from pybernetes.store.sqlite import SqliteStore

from .certs import Pki
from .conftest import Api
from .objects import CMS, config_map
from .test_http import Web, tls
from .widget import GADGET

RBAC = "/apis/rbac.authorization.k8s.io/v1"
JANE = User("jane", ("system:authenticated",))


@pytest.fixture
async def server(store: SqliteStore, config: ServerConfig) -> AsyncIterator[ApiServer]:
    security = Security(signing_key=generate(), static_tokens={"secret": User("static", ("system:masters",))})
    made = assemble(config, store, security, rng=random.Random(1))
    await made.start()
    yield made
    await made.close()


def role(name: str = "reader", verb: str = "get") -> dict:
    rules = [{"apiGroups": [""], "resources": ["configmaps"], "verbs": [verb]}]
    return {"metadata": {"name": name}, "rules": rules}


def binding(name: str = "reader", user: str = "jane") -> dict:
    return {
        "metadata": {"name": name},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": name},
        "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": user}],
    }


async def test_a_role_binding_takes_effect_at_once(api: Api) -> None:
    await api.json("POST", CMS, config_map(), status=201)
    status = await api.json("GET", f"{CMS}/cm", status=403, user=JANE)
    assert (
        'User "jane" cannot get resource "configmaps" in API group "" in the namespace "default"' in status["message"]
    )
    await api.json("POST", f"{RBAC}/namespaces/default/roles", role(), status=201)
    await api.json("POST", f"{RBAC}/namespaces/default/rolebindings", binding(), status=201)
    await asyncio.sleep(0.01)
    await api.json("GET", f"{CMS}/cm", user=JANE)
    await api.json("DELETE", f"{RBAC}/namespaces/default/rolebindings/reader")
    await asyncio.sleep(0.01)
    await api.json("GET", f"{CMS}/cm", status=403, user=JANE)


async def test_users_can_not_grant_permissions_that_they_lack(api: Api) -> None:
    manager = {"rules": [{"apiGroups": ["rbac.authorization.k8s.io"], "resources": ["roles"], "verbs": ["*"]}]}
    rule = {**manager, "metadata": {"name": "reader"}}
    rule["rules"][0]["verbs"] = ["create", "get"]
    await api.json("POST", f"{RBAC}/namespaces/default/roles", rule, status=201)
    await api.json("POST", f"{RBAC}/namespaces/default/rolebindings", binding(), status=201)
    await asyncio.sleep(0.01)
    status = await api.json("POST", f"{RBAC}/namespaces/default/roles", role("evil", "*"), status=403, user=JANE)
    assert "attempting to grant RBAC permissions not currently held" in status["message"]


async def test_aggregated_roles_follow_their_parts(api: Api) -> None:
    part = {**role("extra"), "rules": [{"apiGroups": ["x.example"], "resources": ["xs"], "verbs": ["get"]}]}
    part["metadata"]["labels"] = {"rbac.authorization.k8s.io/aggregate-to-view": "true"}
    await api.json("POST", f"{RBAC}/clusterroles", part, status=201)
    for _ in range(50):
        await asyncio.sleep(0.01)
        view = await api.json("GET", f"{RBAC}/clusterroles/view")
        if any("x.example" in rule["apiGroups"] for rule in view["rules"]):
            return
    raise AssertionError("view never got the rule")


async def test_a_token_is_valid_until_its_account_is_deleted(api: Api, https: Listening, pki: Pki) -> None:
    accounts = "/api/v1/namespaces/default/serviceaccounts"
    await api.json("POST", accounts, {"metadata": {"name": "robot"}}, status=201)
    made = await api.json("POST", f"{accounts}/robot/token", {"spec": {"expirationSeconds": 600}}, status=201)
    headers = {"Authorization": f"Bearer {made['status']['token']}"}
    async with aiohttp.ClientSession() as session:
        web = Web(session, https.port, tls(pki, certificate=False))
        who = "/apis/authentication.k8s.io/v1/selfsubjectreviews"
        async with web("POST", who, headers=headers, json={}) as answer:
            assert answer.status == 201
            user = (await answer.json())["status"]["userInfo"]
            assert user["username"] == "system:serviceaccount:default:robot"
        await api.json("DELETE", f"{accounts}/robot")
        async with web("POST", who, headers=headers, json={}) as answer:
            assert answer.status == 401
        for bad in ("Bearer x.y.z", "Bearer ", "Bearer " + "a" * 20_000):
            async with web("GET", "/api/v1/secrets", headers={"Authorization": bad}) as answer:
                assert answer.status in (401, 403)
        async with web("GET", "/api/v1/secrets", headers={"Authorization": "Bearer secret"}) as answer:
            assert answer.status == 200


async def test_invalid_token_requests(api: Api) -> None:
    accounts = "/api/v1/namespaces/default/serviceaccounts"
    await api.json("POST", accounts, {"metadata": {"name": "robot"}}, status=201)
    await api.json("POST", f"{accounts}/none/token", {"spec": {}}, status=404)
    await api.json("POST", f"{accounts}/robot/token", {"spec": {"expirationSeconds": 1}}, status=422)
    bound = {"spec": {"boundObjectRef": {"apiVersion": "v1", "kind": "Pod", "name": "none"}}}
    await api.json("POST", f"{accounts}/robot/token", bound, status=404)


async def test_reviews(api: Api) -> None:
    base = "/apis/authorization.k8s.io/v1"
    ask = {"spec": {"resourceAttributes": {"verb": "get", "resource": "pods"}}}
    found = await api.json("POST", f"{base}/selfsubjectaccessreviews", ask, status=201)
    assert found["status"]["allowed"] is True
    found = await api.json("POST", f"{base}/selfsubjectaccessreviews", ask, status=201, user=JANE)
    assert found["status"]["allowed"] is False
    rules = {"spec": {"namespace": "default"}}
    found = await api.json("POST", f"{base}/selfsubjectrulesreviews", rules, status=201, user=JANE)
    assert found["status"]["resourceRules"]
    await api.json("GET", f"{base}/selfsubjectaccessreviews", status=405)


async def test_a_second_start_changes_nothing(api: Api, config: ServerConfig) -> None:
    store = api.server.context.store
    before = store.revision
    again = assemble(config, store, Security(signing_key=generate()), rng=random.Random(2))
    await again.start()
    await again.close()
    assert store.revision == before


async def test_permissions_on_a_kind_that_was_added_while_the_server_runs(server: ApiServer, api: Api) -> None:
    server.context.catalogue.add(resource_of(GADGET))
    gadgets = "/apis/test.example.com/v1/namespaces/default/gadgets"
    body = {"metadata": {"name": "a"}, "spec": {"image": "x"}}
    await api.json("POST", gadgets, body, status=403, user=JANE)
    rules = [{"apiGroups": ["test.example.com"], "resources": ["gadgets"], "verbs": ["create"]}]
    labels = {"rbac.authorization.k8s.io/aggregate-to-edit": "true"}
    role = {"metadata": {"name": "gadgets", "labels": labels}, "rules": rules}
    await api.json("POST", f"{RBAC}/clusterroles", role, status=201)
    await api.json(
        "POST",
        f"{RBAC}/namespaces/default/rolebindings",
        {
            **binding("jane"),
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "edit"},
        },
        status=201,
    )
    async with asyncio.timeout(5):
        while (await api("POST", gadgets, body, user=JANE)).status == 403:
            await asyncio.sleep(0.01)
    assert (await api("GET", f"{gadgets}/a", user=JANE)).status == 403
    assert (await api("GET", f"{gadgets}/a")).status == 200
