"""Kinds that come and go while the server runs: one with a struct, one described by OpenAPI."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import msgspec
import pytest

from pybernetes.api.kind import Kind
from pybernetes.apiserver.resource import resource_of
from pybernetes.apiserver.server import ApiServer
from pybernetes.client.transport import Request

from .conftest import ADMIN, Api, Kubectl
from .widget import GADGET, WIDGET

GROUP = "/apis/test.example.com/v1"
WIDGETS, GADGETS = f"{GROUP}/namespaces/default/widgets", f"{GROUP}/namespaces/default/gadgets"
AGGREGATED = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"
TABLE = "application/json;as=Table;v=v1;g=meta.k8s.io"
MERGE, STRATEGIC = "application/merge-patch+json", "application/strategic-merge-patch+json"
APPLY = "application/apply-patch+yaml"
BOTH = pytest.mark.parametrize(("kind", "path"), [(WIDGET, WIDGETS), (GADGET, GADGETS)], ids=["struct", "structural"])


def made(kind: Kind[Any], name: str = "a", **spec: Any) -> dict[str, Any]:
    needed = {"image": "x"} if kind is GADGET else {}
    return {
        "apiVersion": kind.api_version,
        "kind": kind.name,
        "metadata": {"name": name},
        "spec": {**needed, **spec},
    }


@pytest.fixture
async def live(server: ApiServer) -> AsyncIterator[ApiServer]:
    """A server to which both kinds have been added while it runs."""
    catalogue = server.context.catalogue
    for kind in (WIDGET, GADGET):
        catalogue.add(resource_of(kind))
    yield server
    for resource in tuple(catalogue):
        if resource.kind in (WIDGET, GADGET):
            catalogue.remove(resource.name)


def test_a_resource_is_added_once(server: ApiServer) -> None:
    resource = resource_of(WIDGET)
    server.context.catalogue.add(resource)
    with pytest.raises(ValueError, match="in version v1 is served already"):
        server.context.catalogue.add(resource)


async def test_discovery_follows_the_catalogue(server: ApiServer, api: Api) -> None:
    assert (await api("GET", GROUP)).status == 404
    before = (await api("GET", "/apis", accept=AGGREGATED)).headers["etag"]
    server.context.catalogue.add(resource_of(WIDGET))
    listed = await api.json("GET", GROUP)
    assert [r["name"] for r in listed["resources"]] == ["widgets", "widgets/scale", "widgets/status"]
    groups = await api.json("GET", "/apis")
    assert groups["groups"][-1]["name"] == "test.example.com"
    aggregated = await api("GET", "/apis", accept=AGGREGATED)
    assert aggregated.headers["etag"] != before
    group = msgspec.json.decode(aggregated.body)["items"][-1]
    assert group["versions"][0]["resources"][0]["resource"] == "widgets"
    assert f"{GROUP}" in (await api.json("GET", "/"))["paths"]
    server.context.catalogue.remove(resource_of(WIDGET).name)
    assert (await api("GET", GROUP)).status == 404
    assert (await api("GET", "/apis", accept=AGGREGATED)).headers["etag"] == before


async def test_openapi_follows_the_catalogue(server: ApiServer, api: Api) -> None:
    index = await api.json("GET", "/openapi/v3")
    assert "apis/test.example.com/v1" not in index["paths"]
    for kind in (WIDGET, GADGET):
        server.context.catalogue.add(resource_of(kind))
    after = await api.json("GET", "/openapi/v3")
    assert after["paths"]["apis/apps/v1"] == index["paths"]["apis/apps/v1"], "other documents stay as they are"
    v3 = await api.json("GET", "/openapi/v3/apis/test.example.com/v1")
    gadget = v3["components"]["schemas"]["com.example.test.v1.Gadget"]
    assert gadget["properties"]["spec"]["properties"]["replicas"]["maximum"] == 10
    assert gadget["x-kubernetes-group-version-kind"] == [
        {"group": "test.example.com", "kind": "Gadget", "version": "v1"}
    ]
    assert "ObjectMeta" in str(gadget["properties"]["metadata"])
    v2 = await api.json("GET", "/openapi/v2")
    assert GADGETS.replace("default", "{namespace}") + "/{name}/status" in v2["paths"]
    assert (
        "maximum" not in v2["definitions"]["com.example.test.v1.Gadget"]["properties"]["spec"]["properties"]["replicas"]
    )
    assert (await api("GET", "/openapi/v2", accept="application/com.github.proto-openapi.spec.v2@v1.0+protobuf")).body


@BOTH
async def test_create_update_and_status(live: ApiServer, api: Api, kind: Kind[Any], path: str) -> None:
    obj = await api.json("POST", path, made(kind) | {"status": {"replicas": 5, "phase": "x"}}, status=201)
    assert obj["spec"]["replicas"] == 1, "the default"
    assert obj["metadata"]["generation"] == 1
    assert obj.get("status", {}) == {}, "not the client's to set"
    obj["spec"]["replicas"] = 2
    obj = await api.json("PUT", f"{path}/a", obj)
    assert obj["metadata"]["generation"] == 2
    obj["spec"]["replicas"] = 9
    obj["status"] = {"replicas": 2} if kind is WIDGET else {"phase": "Ready"}
    obj = await api.json("PUT", f"{path}/a/status", obj)
    assert obj["spec"]["replicas"] == 2 and obj["metadata"]["generation"] == 2
    assert obj["status"] == ({"replicas": 2} if kind is WIDGET else {"phase": "Ready"})
    assert await api.json("GET", f"{path}/a") == obj
    assert (await api.json("DELETE", f"{path}/a"))["status"] == "Success"


@BOTH
async def test_server_side_apply_merges_lists_by_key(live: ApiServer, api: Api, kind: Kind[Any], path: str) -> None:
    for manager, part in (("one", {"name": "p", "size": 1}), ("two", {"name": "q", "size": 2})):
        url = f"{path}/a?fieldManager={manager}"
        answer = await api("PATCH", url, made(kind, parts=[part]), content_type=APPLY)
        assert answer.status in (200, 201), answer.body
    obj = await api.json("GET", f"{path}/a")
    assert [part["name"] for part in obj["spec"]["parts"]] == ["p", "q"]
    assert {entry["manager"] for entry in obj["metadata"]["managedFields"]} == {"one", "two"}
    conflict = await api(
        "PATCH", f"{path}/a?fieldManager=two", made(kind, parts=[{"name": "p", "size": 7}]), content_type=APPLY
    )
    assert conflict.status == 409


async def test_only_structs_take_strategic_merge_patches(live: ApiServer, api: Api) -> None:
    await api.json("POST", WIDGETS, made(WIDGET, parts=[{"name": "p", "size": 1}]), status=201)
    await api.json("POST", GADGETS, made(GADGET, parts=[{"name": "p", "size": 1}]), status=201)
    patch = {"spec": {"parts": [{"name": "q", "size": 2}]}}
    merged = await api.json("PATCH", f"{WIDGETS}/a", patch, content_type=STRATEGIC)
    assert [part["name"] for part in merged["spec"]["parts"]] == ["q", "p"]
    refused = await api("PATCH", f"{GADGETS}/a", patch, content_type=STRATEGIC)
    assert refused.status == 415
    assert b"application/strategic-merge-patch+json" not in refused.body
    replaced = await api.json("PATCH", f"{GADGETS}/a", patch, content_type=MERGE)
    assert [part["name"] for part in replaced["spec"]["parts"]] == ["q"]


async def test_a_structural_kind_is_pruned_and_validated(live: ApiServer, api: Api) -> None:
    sent = made(GADGET, unknown=1, extra={"any": {"thing": [1]}}, parts=[{"name": "p", "colour": "red"}])
    answer = await api("POST", GADGETS, sent)
    assert 'unknown field "spec.unknown"' in answer.headers["warning"].replace("\\", "")
    spec = msgspec.json.decode(answer.body)["spec"]
    assert spec["parts"] == [{"name": "p", "size": 3}] and "unknown" not in spec
    assert spec["extra"] == {"any": {"thing": [1]}}
    wrong = made(GADGET, "b", image="X", replicas=11, mode="Odd", port=True, parts="none")
    refused = await api.json("POST", GADGETS, wrong, status=422)
    assert {cause["field"]: cause["message"] for cause in refused["details"]["causes"]} == {
        "spec.image": "Invalid value: \"X\": spec.image in body should match '^[a-z]+$'",
        "spec.replicas": "Invalid value: 11: spec.replicas in body should be less than or equal to 10",
        "spec.mode": 'Unsupported value: "Odd": supported values: "Fast", "Slow"',
        "spec.port": 'Invalid value: "boolean": spec.port in body must be of type integer,string: "boolean"',
        "spec.parts": 'Invalid value: "string": spec.parts in body must be of type array: "string"',
    }
    missing = await api.json("POST", GADGETS, {**made(GADGET, "c"), "spec": {}}, status=422)
    assert missing["message"] == 'Gadget.test.example.com "c" is invalid: spec.image: Required value'
    old = await api.json("GET", f"{GADGETS}/a")
    del old["metadata"]["resourceVersion"]
    refused = await api.json("PUT", f"{GADGETS}/a", old, status=422)
    assert "metadata.resourceVersion: Invalid value: 0: must be specified for an update" in refused["message"]


async def test_scale(live: ApiServer, api: Api) -> None:
    await api.json("POST", WIDGETS, made(WIDGET), status=201)
    scale = await api.json("PATCH", f"{WIDGETS}/a/scale", {"spec": {"replicas": 4}}, content_type=MERGE)
    assert (scale["kind"], scale["spec"]) == ("Scale", {"replicas": 4})


@BOTH
async def test_tables_lists_and_selectors(live: ApiServer, api: Api, kind: Kind[Any], path: str) -> None:
    for name in ("a", "b"):
        await api.json("POST", path, made(kind, name), status=201)
    table = await api.json("GET", path, accept=TABLE)
    assert [column["name"] for column in table["columnDefinitions"]] == [column.name for column in kind.columns]
    assert [row["cells"][0] for row in table["rows"]] == ["a", "b"]
    listed = await api.json("GET", f"{path}?fieldSelector=metadata.name%3Db")
    assert (listed["kind"], [item["metadata"]["name"] for item in listed["items"]]) == (kind.list_kind, ["b"])


@BOTH
async def test_watches_end_with_their_resource(live: ApiServer, api: Api, kind: Kind[Any], path: str) -> None:
    request = Request(method="GET", path=path, query=(("watch", "true"),), headers={}, body=b"")
    answer = await live.handle(request, ADMIN)
    lines = answer.body  # type: ignore[union-attr]
    first = asyncio.ensure_future(anext(lines))
    await asyncio.sleep(0)
    await api.json("POST", path, made(kind), status=201)
    event = msgspec.json.decode(await first)
    assert (event["type"], event["object"]["kind"]) == ("ADDED", kind.name)
    rest = asyncio.ensure_future(anext(lines, b"the end"))
    await asyncio.sleep(0)
    live.context.catalogue.remove(resource_of(kind).name)
    assert await asyncio.wait_for(rest, 5) == b"the end"
    assert (await api("GET", path)).status == 404
    live.context.catalogue.add(resource_of(kind))
    assert (await api.json("GET", f"{path}/a"))["metadata"]["name"] == "a", "stored objects stay"


async def test_a_replaced_resource_has_its_new_schema_at_once(live: ApiServer, api: Api) -> None:
    import dataclasses

    from pybernetes.api.structural import StructuralSchema

    await api.json("POST", GADGETS, made(GADGET), status=201)
    closed = StructuralSchema({"type": "object", "properties": {"spec": {"type": "object", "maxProperties": 0}}})
    live.context.catalogue.replace(resource_of(dataclasses.replace(GADGET, schema=closed)))
    refused = await api.json("POST", GADGETS, made(GADGET, "b"), status=201)
    assert refused["spec"] == {}, "the new schema knows none of the fields"
    v3 = await api.json("GET", "/openapi/v3/apis/test.example.com/v1")
    assert "image" not in str(v3["components"]["schemas"]["com.example.test.v1.Gadget"])


@pytest.mark.slow
async def test_kubectl_works_with_both(live: ApiServer, kubectl: Kubectl) -> None:
    for kind in (WIDGET, GADGET):
        manifest = msgspec.json.encode(made(kind, replicas=2)).decode()
        assert "created" in await kubectl("apply", "-f", "-", stdin=manifest)
        changed = msgspec.json.encode(made(kind, replicas=3)).decode()
        assert "configured" in await kubectl("apply", "-f", "-", stdin=changed)
        assert "serverside-applied" in await kubectl(
            "apply", "--server-side", "--force-conflicts", "-f", "-", stdin=changed
        )
        assert await kubectl("get", kind.plural, "a", "-o", "jsonpath={.spec.replicas}") == "3"
        assert "a" in await kubectl("get", kind.plural)
        assert "replicas" in await kubectl("explain", f"{kind.plural}.spec")
        assert "deleted" in await kubectl("delete", kind.plural, "a")
