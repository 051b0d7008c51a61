"""delete and deletecollection."""

import pytest

from .conftest import Api
from .objects import CMS, PODS, SERVICES, config_map, pod, service

MERGE = "application/merge-patch+json"


async def running_pod(api: Api, name: str = "web") -> dict:
    return await api.json("POST", PODS, {**pod(name), "spec": {**pod()["spec"], "nodeName": "n1"}}, status=201)


async def test_delete_returns_a_status(api: Api) -> None:
    made = await api.json("POST", CMS, config_map(), status=201)
    answer = await api.json("DELETE", f"{CMS}/cm")
    assert (answer["kind"], answer["status"]) == ("Status", "Success")
    assert answer["details"] == {"name": "cm", "kind": "configmaps", "uid": made["metadata"]["uid"]}
    await api.json("DELETE", f"{CMS}/cm", status=404)


async def test_delete_of_a_service_returns_the_service(api: Api) -> None:
    await api.json("POST", SERVICES, service(), status=201)
    assert (await api.json("DELETE", f"{SERVICES}/web"))["kind"] == "Service"


async def test_a_pod_without_a_node_is_removed_at_once(api: Api) -> None:
    await api.json("POST", PODS, pod(), status=201)
    assert (await api.json("DELETE", f"{PODS}/web"))["kind"] == "Pod"
    await api.json("GET", f"{PODS}/web", status=404)


async def test_a_running_pod_has_a_grace_period(api: Api) -> None:
    await running_pod(api)
    gone = await api.json("DELETE", f"{PODS}/web")
    assert gone["metadata"]["deletionGracePeriodSeconds"] == 30
    assert gone["metadata"]["deletionTimestamp"]
    again = await api.json("DELETE", f"{PODS}/web")
    assert again["metadata"]["resourceVersion"] == gone["metadata"]["resourceVersion"]
    shorter = await api.json("DELETE", f"{PODS}/web", {"gracePeriodSeconds": 5})
    assert shorter["metadata"]["deletionGracePeriodSeconds"] == 5
    assert shorter["metadata"]["deletionTimestamp"] < gone["metadata"]["deletionTimestamp"]
    await api.json("DELETE", f"{PODS}/web?gracePeriodSeconds=0")
    await api.json("GET", f"{PODS}/web", status=404)


async def test_finalizers_keep_an_object(api: Api) -> None:
    await api.json("POST", CMS, config_map(finalizers=["example.com/f"]), status=201)
    held = await api.json("DELETE", f"{CMS}/cm")
    assert held["metadata"]["deletionTimestamp"]
    assert held["metadata"]["deletionGracePeriodSeconds"] == 0
    more = {"metadata": {"finalizers": ["example.com/f", "example.com/g"]}}
    status = await api.json("PATCH", f"{CMS}/cm", more, status=422, content_type=MERGE)
    assert "no new finalizers can be added" in status["message"]
    await api.json("PATCH", f"{CMS}/cm", {"metadata": {"finalizers": []}}, content_type=MERGE)
    await api.json("GET", f"{CMS}/cm", status=404)


@pytest.mark.parametrize(
    ("options", "finalizers", "code"),
    [
        ({"propagationPolicy": "Foreground"}, ["foregroundDeletion"], 202),
        ({"propagationPolicy": "Orphan"}, ["orphan"], 200),
        ({"orphanDependents": True}, ["orphan"], 200),
    ],
)
async def test_propagation_policies(api: Api, options: dict, finalizers: list[str], code: int) -> None:
    await api.json("POST", CMS, config_map(), status=201)
    held = await api.json("DELETE", f"{CMS}/cm", options, status=code)
    assert held["metadata"]["finalizers"] == finalizers
    gone = await api("DELETE", f"{CMS}/cm", {"propagationPolicy": "Background"})
    assert gone.status == 200
    await api.json("GET", f"{CMS}/cm", status=404)


@pytest.mark.parametrize(
    ("options", "code"),
    [
        ({"preconditions": {"uid": "0"}}, 409),
        ({"preconditions": {"resourceVersion": "1"}}, 409),
        ({"propagationPolicy": "Sideways"}, 422),
        ({"propagationPolicy": "Orphan", "orphanDependents": True}, 422),
        ({"dryRun": ["Maybe"]}, 422),
        (b"{", 400),
        ({"gracePeriodSeconds": "x"}, 400),
    ],
)
async def test_refused_deletions(api: Api, options: object, code: int) -> None:
    await api.json("POST", CMS, config_map(), status=201)
    await api.json("DELETE", f"{CMS}/cm", options, status=code)
    await api.json("GET", f"{CMS}/cm")


async def test_dry_run(api: Api) -> None:
    await api.json("POST", CMS, config_map(), status=201)
    await api.json("DELETE", f"{CMS}/cm?dryRun=All")
    await api.json("GET", f"{CMS}/cm")


async def test_delete_collection_by_label(api: Api) -> None:
    for name, label in (("a", "x"), ("b", "y"), ("c", "x")):
        await api.json("POST", CMS, config_map(name, labels={"l": label}), status=201)
    gone = await api.json("DELETE", f"{CMS}?labelSelector=l%3Dx")
    assert gone["kind"] == "ConfigMapList"
    assert [item["metadata"]["name"] for item in gone["items"]] == ["a", "c"]
    left = await api.json("GET", CMS)
    assert [item["metadata"]["name"] for item in left["items"]] == ["b"]


async def test_eviction(api: Api) -> None:
    await running_pod(api)
    eviction = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": "web", "namespace": "default"}}
    answer = await api.json("POST", f"{PODS}/web/eviction", eviction, status=201)
    assert answer["status"] == "Success"
    assert (await api.json("GET", f"{PODS}/web"))["metadata"]["deletionTimestamp"]
    await api.json("POST", f"{PODS}/none/eviction", {**eviction, "metadata": {}}, status=404)


async def test_a_namespace_is_removed_when_it_is_finalized(api: Api) -> None:
    body = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "ns"}}
    made = await api.json("POST", "/api/v1/namespaces", body, status=201)
    assert made["spec"]["finalizers"] == ["kubernetes"]
    assert made["status"]["phase"] == "Active"
    held = await api.json("DELETE", "/api/v1/namespaces/ns")
    assert held["status"]["phase"] == "Terminating"
    status = await api.json("POST", "/api/v1/namespaces/ns/configmaps", config_map(), status=403)
    assert "unable to create new content in namespace ns because it is being terminated" in status["message"]
    assert status["details"]["causes"][0]["reason"] == "NamespaceTerminating"
    held["spec"]["finalizers"] = []
    await api.json("PUT", "/api/v1/namespaces/ns/finalize", held)
    await api.json("GET", "/api/v1/namespaces/ns", status=404)


async def test_system_namespaces_can_not_be_deleted(api: Api) -> None:
    status = await api.json("DELETE", "/api/v1/namespaces/default", status=403)
    assert status["message"] == 'namespaces "default" is forbidden: this namespace may not be deleted'


async def test_create_in_a_missing_namespace(api: Api) -> None:
    status = await api.json("POST", "/api/v1/namespaces/none/configmaps", config_map(), status=404)
    assert status["message"] == 'namespaces "none" not found'
