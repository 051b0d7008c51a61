"""create, update, patch and their options."""

import asyncio

import pytest

from .conftest import ADMIN, Api
from .objects import CMS, PODS, config_map, pod

DEPLOYMENTS = "/apis/apps/v1/namespaces/default/deployments"
MERGE = "application/merge-patch+json"
STRATEGIC = "application/strategic-merge-patch+json"
JSON_PATCH = "application/json-patch+json"


def deployment(name: str = "web", replicas: int = 2) -> dict:
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": {"app": "web"}},
            "template": {"metadata": {"labels": {"app": "web"}}, "spec": pod()["spec"]},
        },
    }


async def test_create_fills_in_what_the_server_owns(api: Api) -> None:
    made = await api.json("POST", PODS, pod(), status=201)
    meta = made["metadata"]
    assert meta["namespace"] == "default"
    assert len(meta["uid"]) == 36
    assert meta["creationTimestamp"].endswith("Z")
    assert meta["resourceVersion"]
    assert meta["generation"] == 1
    assert made["status"]["phase"] == "Pending"
    assert made["spec"]["restartPolicy"] == "Always"
    assert made["spec"]["serviceAccountName"] == "default"


async def test_stored_bytes_have_no_revision(api: Api) -> None:
    await api.json("POST", CMS, config_map(), status=201)
    answer = await api("POST", f"{CMS}?dryRun=All", config_map("rehearsal"))
    assert b"resourceVersion" not in answer.body


async def test_create_of_an_existing_name(api: Api) -> None:
    await api.json("POST", CMS, config_map(), status=201)
    status = await api.json("POST", CMS, config_map(), status=409)
    assert status["reason"] == "AlreadyExists"
    assert status["message"] == 'configmaps "cm" already exists'


async def test_generated_names(api: Api) -> None:
    body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"generateName": "cm-"}}
    names = {(await api.json("POST", CMS, body, status=201))["metadata"]["name"] for _ in range(5)}
    assert len(names) == 5
    assert all(name.startswith("cm-") and len(name) == 8 for name in names)


async def test_dry_run_changes_nothing(api: Api) -> None:
    before = api.server.context.store.revision
    await api.json("POST", f"{CMS}?dryRun=All", config_map(), status=201)
    assert api.server.context.store.revision == before
    await api.json("POST", f"{CMS}?dryRun=Some", config_map(), status=422)


async def test_nulls_and_empty_structs_of_go_clients(api: Api) -> None:
    body = (
        b'{"apiVersion":"v1","kind":"Pod","metadata":{"name":"n","creationTimestamp":null},'
        b'"spec":{"containers":[{"name":"c","image":"i","resources":{}}]},"status":{}}'
    )
    assert (await api("POST", PODS, body)).status == 201


@pytest.mark.parametrize(
    ("body", "code", "words"),
    [
        (b"", 400, "empty"),
        (b"{", 400, "cannot be handled as a ConfigMap"),
        (b"[]", 400, "cannot be handled as a ConfigMap"),
        (b'{"metadata":{"name":1}}', 400, "cannot unmarshal number into Go struct field"),
        (b'{"kind":"Pod","apiVersion":"v1","metadata":{"name":"x"}}', 400, "Pod"),
        (b'{"kind":"ConfigMap","apiVersion":"v2","metadata":{"name":"x"}}', 400, "does not match the expected API"),
        (b'{"metadata":{"name":"x","namespace":"other"}}', 400, "does not match the namespace sent on the request"),
        (b'{"metadata":{"name":"x","resourceVersion":"1"}}', 400, "resourceVersion should not be set"),
        (b'{"metadata":{"name":"UPPER"}}', 422, "metadata.name: Invalid value"),
        (b'{"metadata":{}}', 422, "name or generateName is required"),
        (b'{"metadata":{"name":"\xff"}}', 400, "cannot be handled"),
        (b'{"metadata":{"name":"a\\u0000b"}}', 422, "metadata.name"),
        (b'{"a":' * 5000 + b"1" + b"}" * 5000, 400, "cannot be handled"),
        (b'{"metadata":{"name":"x","labels":{"a":"b c"}}}', 422, "metadata.labels"),
    ],
)
async def test_invalid_bodies(api: Api, body: bytes, code: int, words: str) -> None:
    status = await api.json("POST", CMS, body, status=code)
    assert words in status["message"], status


@pytest.mark.parametrize("kind", ["application/cbor", "text/plain", "application/xml"])
async def test_unsupported_content_types(api: Api, kind: str) -> None:
    status = await api.json("POST", CMS, b"k8s\x00", status=415, content_type=kind)
    assert status["reason"] == "UnsupportedMediaType"


async def test_yaml_with_exponential_aliases_is_refused(api: Api) -> None:
    levels = [f"l{i}: &l{i} [" + ",".join([f"*l{i - 1}"] * 9) + "]" for i in range(1, 9)]
    body = "\n".join(["l0: &l0 [x, x]", *levels]).encode()
    await api.json("POST", CMS, body, status=400, content_type="application/yaml")


async def test_field_validation(api: Api) -> None:
    body = {**config_map(), "dota": {}}
    refused = await api.json("POST", f"{CMS}?fieldValidation=Strict", body, status=400)
    assert 'strict decoding error: unknown field "dota"' in refused["message"]
    warned = await api("POST", f"{CMS}?fieldValidation=Warn", body)
    assert warned.status == 201
    assert warned.headers["warning"] == '299 - "unknown field \\"dota\\""'
    quiet = await api("PUT", f"{CMS}/cm?fieldValidation=Ignore", body)
    assert "warning" not in quiet.headers
    twice = b'{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"d"},"data":{"a":"1"},"data":{"a":"2"}}'
    refused = await api.json("POST", f"{CMS}?fieldValidation=Strict", twice, status=400)
    assert 'duplicate field "data"' in refused["message"]
    await api.json("POST", f"{CMS}?fieldValidation=Maybe", body, status=422)


async def test_update_with_an_old_revision_is_a_conflict(api: Api) -> None:
    made = await api.json("POST", CMS, config_map(), status=201)
    made["data"] = {"a": "2"}
    await api.json("PUT", f"{CMS}/cm", made)
    made["data"] = {"a": "3"}
    status = await api.json("PUT", f"{CMS}/cm", made, status=409)
    assert status["reason"] == "Conflict"
    assert status["message"] == (
        'Operation cannot be fulfilled on configmaps "cm": the object has been modified; '
        "please apply your changes to the latest version and try again"
    )


async def test_update_without_a_revision_overwrites(api: Api) -> None:
    await api.json("POST", CMS, config_map(), status=201)
    assert (await api.json("PUT", f"{CMS}/cm", config_map(data={"b": "1"})))["data"] == {"b": "1"}


async def test_update_of_another_object(api: Api) -> None:
    await api.json("POST", CMS, config_map(), status=201)
    status = await api.json("PUT", f"{CMS}/cm", config_map("other"), status=400)
    assert status["message"] == "the name of the object (other) does not match the name on the URL (cm)"
    body = config_map(uid="0000")
    status = await api.json("PUT", f"{CMS}/cm", body, status=409)
    assert "Precondition failed: UID in precondition: 0000" in status["message"]


async def test_update_of_a_missing_object(api: Api) -> None:
    await api.json("PUT", f"{CMS}/cm", config_map(), status=404)
    lease = {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": {"name": "l"}, "spec": {}}
    answer = await api("PUT", "/apis/coordination.k8s.io/v1/namespaces/default/leases/l", lease)
    assert answer.status == 201


async def test_an_update_that_changes_nothing_writes_nothing(api: Api) -> None:
    made = await api.json("POST", CMS, config_map(), status=201)
    same = await api.json("PUT", f"{CMS}/cm", made)
    assert same["metadata"]["resourceVersion"] == made["metadata"]["resourceVersion"]


async def test_generation_counts_changes_of_spec(api: Api) -> None:
    made = await api.json("POST", DEPLOYMENTS, deployment(), status=201)
    assert made["metadata"]["generation"] == 1
    made["metadata"]["labels"] = {"a": "b"}
    made = await api.json("PUT", f"{DEPLOYMENTS}/web", made)
    assert made["metadata"]["generation"] == 1
    made["spec"]["replicas"] = 5
    made["status"] = {"replicas": 9}
    made = await api.json("PUT", f"{DEPLOYMENTS}/web", made)
    assert made["metadata"]["generation"] == 2
    assert "replicas" not in made["status"]


async def test_the_status_subresource(api: Api) -> None:
    made = await api.json("POST", DEPLOYMENTS, deployment(), status=201)
    made["spec"]["replicas"] = 7
    made["status"] = {"replicas": 2, "observedGeneration": 1}
    made = await api.json("PUT", f"{DEPLOYMENTS}/web/status", made)
    assert made["spec"]["replicas"] == 2
    assert made["status"]["replicas"] == 2
    assert made["metadata"]["generation"] == 1
    made = await api.json("PATCH", f"{DEPLOYMENTS}/web/status", {"status": {"readyReplicas": 1}}, content_type=MERGE)
    assert made["status"]["readyReplicas"] == 1


async def test_patches(api: Api) -> None:
    await api.json("POST", PODS, pod(labels={"a": "1"}), status=201)
    made = await api.json("PATCH", f"{PODS}/web", {"metadata": {"labels": {"a": None, "b": "2"}}}, content_type=MERGE)
    assert made["metadata"]["labels"] == {"b": "2"}
    image = {"spec": {"containers": [{"name": "c", "image": "new"}]}}
    made = await api.json("PATCH", f"{PODS}/web", image, content_type=STRATEGIC)
    assert made["spec"]["containers"][0]["image"] == "new"
    assert made["spec"]["containers"][0]["volumeMounts"]
    ops = [{"op": "replace", "path": "/metadata/labels/b", "value": "3"}]
    made = await api.json("PATCH", f"{PODS}/web", ops, content_type=JSON_PATCH)
    assert made["metadata"]["labels"] == {"b": "3"}


@pytest.mark.parametrize(
    ("kind", "patch", "code"),
    [
        (JSON_PATCH, [{"op": "test", "path": "/data/a", "value": "x"}], 422),
        (JSON_PATCH, [{"op": "nonsense"}], 422),
        (JSON_PATCH, {}, 400),
        (MERGE, [], 400),
        (MERGE, b"{", 400),
        (MERGE, {"data": 5}, 400),
        (MERGE, {"metadata": {"name": "other"}}, 400),
        (MERGE, {"metadata": {"resourceVersion": "1"}}, 409),
        ("application/json", {}, 415),
        (STRATEGIC, {"$patch": "what"}, 400),
    ],
)
async def test_invalid_patches(api: Api, kind: str, patch: object, code: int) -> None:
    await api.json("POST", CMS, config_map(), status=201)
    await api.json("PATCH", f"{CMS}/cm", patch, status=code, content_type=kind)


async def test_concurrent_patches_are_all_applied(api: Api) -> None:
    await api.json("POST", CMS, config_map(), status=201)
    await asyncio.gather(
        *(api.json("PATCH", f"{CMS}/cm", {"data": {f"k{i}": "v"}}, content_type=MERGE) for i in range(4))
    )
    assert len((await api.json("GET", f"{CMS}/cm"))["data"]) == 5


async def test_scale(api: Api) -> None:
    await api.json("POST", DEPLOYMENTS, deployment(), status=201)
    scale = await api.json("GET", f"{DEPLOYMENTS}/web/scale")
    assert (scale["kind"], scale["apiVersion"], scale["spec"]["replicas"]) == ("Scale", "autoscaling/v1", 2)
    assert scale["status"]["selector"] == "app=web"
    scale["spec"]["replicas"] = 4
    assert (await api.json("PUT", f"{DEPLOYMENTS}/web/scale", scale))["spec"]["replicas"] == 4
    await api.json("PUT", f"{DEPLOYMENTS}/web/scale", scale, status=409)
    patched = await api.json("PATCH", f"{DEPLOYMENTS}/web/scale", {"spec": {"replicas": 1}}, content_type=MERGE)
    assert patched["spec"]["replicas"] == 1
    made = await api.json("GET", f"{DEPLOYMENTS}/web")
    assert (made["spec"]["replicas"], made["metadata"]["generation"]) == (1, 3)
    await api.json("PATCH", f"{DEPLOYMENTS}/web/scale", {"spec": {"replicas": -1}}, status=422, content_type=MERGE)
    await api.json("GET", f"{PODS}/web/scale", status=404)


async def test_binding(api: Api) -> None:
    await api.json("POST", PODS, pod(), status=201)
    binding = {
        "apiVersion": "v1",
        "kind": "Binding",
        "metadata": {"name": "web"},
        "target": {"kind": "Node", "name": "n1"},
    }
    answer = await api.json("POST", f"{PODS}/web/binding", binding, status=201)
    assert answer["status"] == "Success"
    bound = await api.json("GET", f"{PODS}/web")
    assert bound["spec"]["nodeName"] == "n1"
    assert bound["metadata"]["generation"] == 1
    assert ("PodScheduled", "True") in [(c["type"], c["status"]) for c in bound["status"]["conditions"]]
    status = await api.json("POST", f"{PODS}/web/binding", binding, status=409)
    assert 'pod web is already assigned to node "n1"' in status["message"]
    await api.json("POST", PODS, pod("two"), status=201)
    binding["metadata"]["name"] = "two"
    await api.json("POST", "/api/v1/namespaces/default/bindings", binding, status=201)
    await api.json("POST", f"{PODS}/none/binding", {**binding, "metadata": {}}, status=404)
    await api.json("POST", f"{PODS}/two/binding", {**binding, "target": {}}, status=422)


async def test_ephemeral_containers(api: Api) -> None:
    await api.json("POST", PODS, pod(), status=201)
    patch = {"spec": {"ephemeralContainers": [{"name": "debug", "image": "busybox"}]}}
    made = await api.json("PATCH", f"{PODS}/web/ephemeralcontainers", patch, content_type=STRATEGIC)
    assert made["spec"]["ephemeralContainers"][0]["name"] == "debug"
    patch["spec"]["ephemeralContainers"][0]["image"] = "other"
    await api.json("PATCH", f"{PODS}/web/ephemeralcontainers", patch, status=422, content_type=STRATEGIC)


@pytest.mark.parametrize(
    ("method", "url", "code"),
    [
        ("GET", "/api/v1/nonsense", 404),
        ("GET", "/apis/nonsense/v1/things", 404),
        ("GET", "/apis/apps/v9/deployments", 404),
        ("GET", f"{PODS}/web/nonsense", 404),
        ("GET", "/api/v1/pods/web", 404),
        ("POST", f"{PODS}/web", 405),
        ("POST", "/api/v1/pods", 400),
        ("DELETE", "/api/v1/namespaces", 405),
        ("PUT", PODS, 405),
        ("GET", "/api/v1/namespaces/default/../kube-system/secrets", 404),
        ("GET", "/api/v1//pods", 404),
        ("GET", "/nonsense", 404),
        ("POST", "/version", 405),
        ("BREW", PODS, 405),
        ("GET", f"{CMS}/a\0b", 400),
    ],
)
async def test_unknown_paths(api: Api, method: str, url: str, code: int) -> None:
    answer = await api(method, url)
    assert answer.status == code, answer.body
    assert b'"kind":"Status"' in answer.body


async def test_impersonation(api: Api) -> None:
    status = await api.json("GET", CMS, status=403, impersonate_user="jane", impersonate_group="devs")
    assert status["message"] == (
        'configmaps is forbidden: User "jane" cannot list resource "configmaps" in API group "" '
        'in the namespace "default"'
    )
    await api.json("GET", CMS, impersonate_user="jane", impersonate_group="system:masters")
    await api.json("GET", CMS, status=400, impersonate_group="system:masters")
    from pybernetes.apiserver.types import User

    await api.json("GET", CMS, status=403, user=User("joe"), impersonate_user="jane")
    assert ADMIN.name == "admin"
