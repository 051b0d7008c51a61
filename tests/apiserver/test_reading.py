"""get and list: pages, selectors, revisions, forms."""

import asyncio
import base64
import json

import msgspec
import pytest

from .conftest import Api
from .objects import CMS, PODS, config_map, pod


async def make(api: Api, count: int) -> None:
    for i in range(count):
        await api.json("POST", CMS, config_map(f"c{i:03}", labels={"n": str(i % 2)}), status=201)


async def test_get_returns_what_create_returned(api: Api) -> None:
    made = await api("POST", CMS, config_map())
    got = await api("GET", f"{CMS}/cm")
    assert got.body == made.body
    assert got.headers["content-type"] == "application/json"


async def test_get_of_a_missing_object_has_kube_apiservers_message(api: Api) -> None:
    status = await api.json("GET", f"{CMS}/none", status=404)
    assert status["message"] == 'configmaps "none" not found'
    assert status["reason"] == "NotFound"
    assert status["details"] == {"name": "none", "kind": "configmaps"}


async def test_a_list_has_the_kind_the_revision_and_the_items(api: Api) -> None:
    await make(api, 2)
    found = await api.json("GET", CMS)
    assert found["kind"] == "ConfigMapList"
    assert found["apiVersion"] == "v1"
    assert int(found["metadata"]["resourceVersion"]) >= 2
    assert [item["metadata"]["name"] for item in found["items"]] == ["c000", "c001"]


async def test_pages_show_one_snapshot(api: Api) -> None:
    await make(api, 5)
    first = await api.json("GET", f"{CMS}?limit=2")
    assert first["metadata"]["remainingItemCount"] == 3
    await api("DELETE", f"{CMS}/c003")
    await api.json("POST", CMS, config_map("c0025"), status=201)
    second = await api.json("GET", f"{CMS}?limit=2&continue={first['metadata']['continue']}")
    third = await api.json("GET", f"{CMS}?limit=2&continue={second['metadata']['continue']}")
    names = [item["metadata"]["name"] for page in (first, second, third) for item in page["items"]]
    assert names == ["c000", "c001", "c002", "c003", "c004"]
    assert first["metadata"]["resourceVersion"] == third["metadata"]["resourceVersion"]
    assert "continue" not in third["metadata"]


async def test_an_expired_continue_token_offers_an_inconsistent_rest(api: Api) -> None:
    await make(api, 4)
    first = await api.json("GET", f"{CMS}?limit=2")
    await api.json("POST", CMS, config_map("c0015"), status=201)
    await api.server.context.store.compact(api.server.context.store.revision)
    status = await api.json("GET", f"{CMS}?limit=2&continue={first['metadata']['continue']}", status=410)
    assert status["reason"] == "Expired"
    assert status["message"].startswith("The provided continue parameter is too old")
    rest = await api.json("GET", f"{CMS}?continue={status['metadata']['continue']}")
    assert [item["metadata"]["name"] for item in rest["items"]] == ["c0015", "c002", "c003"]


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("labelSelector=n%3D0", ["c000", "c002"]),
        ("labelSelector=n+in+(1)", ["c001"]),
        ("labelSelector=!n", ["kube"]),
        ("fieldSelector=metadata.name%3Dc001", ["c001"]),
        ("fieldSelector=metadata.name!%3Dc001", ["c000", "c002", "kube"]),
        ("labelSelector=n%3D0&limit=1", ["c000"]),
    ],
)
async def test_selectors(api: Api, query: str, names: list[str]) -> None:
    await make(api, 3)
    await api.json("POST", CMS, config_map("kube"), status=201)
    found = await api.json("GET", f"{CMS}?{query}")
    assert [item["metadata"]["name"] for item in found["items"]] == names
    assert "remainingItemCount" not in found["metadata"]


async def test_all_namespaces_and_a_field_of_the_kind(api: Api) -> None:
    await api.json("POST", PODS, pod("a"), status=201)
    await api.json("POST", PODS, {**pod("b"), "spec": {**pod()["spec"], "nodeName": "n1"}}, status=201)
    found = await api.json("GET", "/api/v1/pods?fieldSelector=spec.nodeName%3Dn1")
    assert [item["metadata"]["name"] for item in found["items"]] == ["b"]
    found = await api.json("GET", "/api/v1/pods?fieldSelector=spec.nodeName%3D,metadata.namespace%3Ddefault")
    assert [item["metadata"]["name"] for item in found["items"]] == ["a"]


async def test_an_exact_revision_returns_the_past_state(api: Api) -> None:
    await make(api, 2)
    then = (await api.json("GET", CMS))["metadata"]["resourceVersion"]
    await api("DELETE", f"{CMS}/c000")
    past = await api.json("GET", f"{CMS}?resourceVersion={then}&resourceVersionMatch=Exact")
    assert len(past["items"]) == 2
    now = await api.json("GET", f"{CMS}?resourceVersion={then}&resourceVersionMatch=NotOlderThan")
    assert len(now["items"]) == 1


@pytest.mark.parametrize(
    ("query", "code", "words"),
    [
        ("limit=x", 400, "limit"),
        ("resourceVersion=x", 422, "resourceVersion: Invalid value"),
        ("resourceVersionMatch=Exact", 422, "resourceVersionMatch is forbidden unless resourceVersion is provided"),
        ("resourceVersion=1&resourceVersionMatch=Maybe", 422, "Unsupported value"),
        ("resourceVersion=0&resourceVersionMatch=Exact", 422, 'forbidden for resourceVersion "0"'),
        ("resourceVersion=99999999", 504, "Too large resource version: 99999999"),
        ("continue=!!", 400, "continue key is not valid"),
        ("labelSelector=a%3D%3D%3Db", 400, "unable to parse requirement"),
        ("labelSelector=" + "a," * 5000, 400, ""),
        ("fieldSelector=spec.x%3Db", 400, "field label not supported: spec.x"),
        ("fieldSelector=a", 400, "invalid selector"),
    ],
)
async def test_invalid_queries(api: Api, query: str, code: int, words: str) -> None:
    status = await api.json("GET", f"{CMS}?{query}", status=code)
    assert words in status["message"]


async def test_a_continue_token_can_not_leave_the_collection(api: Api) -> None:
    for token in ({"v": "meta.k8s.io/v1", "rv": 5, "start": "../secrets/"}, {"v": "v0", "rv": 1, "start": "a"}, 7):
        text = base64.urlsafe_b64encode(json.dumps(token).encode()).decode()
        await api.json("GET", f"{CMS}?limit=1&continue={text}", status=400)


async def test_tables(api: Api) -> None:
    await api.json("POST", PODS, pod(), status=201)
    accept = "application/json;as=Table;v=v1;g=meta.k8s.io,application/json"
    table = await api.json("GET", PODS, accept=accept)
    assert table["kind"] == "Table"
    assert table["columnDefinitions"][0]["name"] == "Name"
    assert table["rows"][0]["cells"][0] == "web"
    assert table["rows"][0]["object"]["kind"] == "PartialObjectMetadata"
    assert "object" not in (await api.json("GET", f"{PODS}?includeObject=None", accept=accept))["rows"][0]
    whole = await api.json("GET", f"{PODS}/web?includeObject=Object", accept=accept)
    assert whole["rows"][0]["object"]["kind"] == "Pod"
    assert whole["metadata"]["resourceVersion"]


async def test_partial_metadata(api: Api) -> None:
    await api.json("POST", CMS, config_map(), status=201)
    one = await api.json("GET", f"{CMS}/cm", accept="application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io")
    assert one["kind"] == "PartialObjectMetadata"
    assert "data" not in one
    many = await api.json("GET", CMS, accept="application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io")
    assert many["kind"] == "PartialObjectMetadataList"
    assert many["items"][0]["metadata"]["name"] == "cm"


@pytest.mark.parametrize(
    "accept",
    [
        "application/vnd.kubernetes.protobuf",
        "text/html",
        "application/json;as=Table;v=v9;g=meta.k8s.io",
        "application/json;as=Nonsense;v=v1;g=meta.k8s.io",
    ],
)
async def test_unsupported_forms(api: Api, accept: str) -> None:
    status = await api.json("GET", CMS, status=406, accept=accept)
    assert status["reason"] == "NotAcceptable"


async def test_protobuf_falls_back_to_json_if_the_client_accepts_it(api: Api) -> None:
    answer = await api("GET", CMS, accept="application/vnd.kubernetes.protobuf,application/json")
    assert answer.headers["content-type"] == "application/json"


async def test_yaml(api: Api) -> None:
    body = b"apiVersion: v1\nkind: ConfigMap\nmetadata: {name: y}\ndata: {day: 2020-01-01}\n"
    await api("POST", CMS, body, content_type="application/yaml")
    answer = await api("GET", f"{CMS}/y", accept="application/yaml")
    assert b"day: '2020-01-01'" in answer.body or b"day: 2020-01-01" in answer.body
    assert answer.headers["content-type"] == "application/yaml"


async def test_long_lists_are_streamed_completely(api: Api) -> None:
    store = api.server.context.store
    values = [(f"c{i:03}", msgspec.json.encode(config_map(f"c{i:03}"))) for i in range(450)]
    await asyncio.gather(*(store.put(f"/registry/configmaps/default/{name}", value) for name, value in values))
    found = await api.json("GET", CMS)
    assert len(found["items"]) == 450


async def test_both_versions_of_event_show_the_same_object(api: Api) -> None:
    old = {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"name": "e", "namespace": "default"},
        "involvedObject": {"kind": "Pod", "name": "web", "namespace": "default"},
        "reason": "Started",
        "message": "hello",
        "type": "Normal",
        "count": 3,
    }
    await api.json("POST", "/api/v1/namespaces/default/events", old, status=201)
    new = await api.json("GET", "/apis/events.k8s.io/v1/namespaces/default/events/e")
    assert new["apiVersion"] == "events.k8s.io/v1"
    assert (new["note"], new["regarding"]["name"], new["deprecatedCount"]) == ("hello", "web", 3)
    listed = await api.json("GET", "/apis/events.k8s.io/v1/events")
    assert listed["kind"] == "EventList"
    assert listed["items"][0]["note"] == "hello"
    found = await api.json("GET", "/api/v1/events?fieldSelector=involvedObject.name%3Dweb")
    assert msgspec.json.encode(found["items"][0]["count"]) == b"3"
