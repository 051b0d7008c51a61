"""Server-side apply and managedFields through the API server."""

from .conftest import Api
from .objects import CMS, config_map

APPLY = "application/apply-patch+yaml"
MERGE = "application/merge-patch+json"


def wanted(**data: str) -> dict:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "cm"}, "data": data}


async def apply(api: Api, manager: str, body: object, *, status: int = 200, force: bool = False) -> dict:
    url = f"{CMS}/cm?fieldManager={manager}" + ("&force=true" if force else "")
    return await api.json("PATCH", url, body, status=status, content_type=APPLY)


async def test_apply_creates_then_changes_nothing(api: Api) -> None:
    made = await apply(api, "me", wanted(a="1"), status=201)
    entry = made["metadata"]["managedFields"][0]
    assert (entry["manager"], entry["operation"], entry["apiVersion"]) == ("me", "Apply", "v1")
    assert entry["fieldsV1"] == {"f:data": {"f:a": {}}}
    again = await apply(api, "me", wanted(a="1"))
    assert again["metadata"]["resourceVersion"] == made["metadata"]["resourceVersion"]


async def test_yaml_and_omitted_fields(api: Api) -> None:
    await apply(api, "me", wanted(a="1", b="2"), status=201)
    text = b"apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: cm\ndata:\n  a: '1'\n"
    assert (await apply(api, "me", text))["data"] == {"a": "1"}


async def test_conflicts_name_the_owner(api: Api) -> None:
    await apply(api, "me", wanted(a="1"), status=201)
    status = await apply(api, "you", wanted(a="2"), status=409)
    assert status["reason"] == "Conflict"
    assert status["message"] == 'Apply failed with 1 conflict: conflict with "me": .data.a'
    assert status["details"]["causes"] == [
        {"reason": "FieldManagerConflict", "message": 'conflict with "me"', "field": ".data.a"}
    ]
    made = await apply(api, "you", wanted(a="2"), force=True)
    assert made["data"] == {"a": "2"}
    assert [entry["manager"] for entry in made["metadata"]["managedFields"]] == ["you"]


async def test_updates_are_tracked(api: Api) -> None:
    made = await api.json("POST", f"{CMS}?fieldManager=maker", config_map(), status=201)
    assert [(e["manager"], e["operation"]) for e in made["metadata"]["managedFields"]] == [("maker", "Update")]
    patch = {"data": {"b": "2"}}
    made = await api.json("PATCH", f"{CMS}/cm?fieldManager=other", patch, content_type=MERGE)
    owners = {e["manager"]: e["fieldsV1"] for e in made["metadata"]["managedFields"]}
    assert owners["other"] == {"f:data": {"f:b": {}}}
    status = await apply(api, "me", wanted(b="3"), status=409)
    assert 'conflict with "other" using v1: .data.b' in status["message"]


async def test_the_manager_defaults_to_the_user_agent(api: Api) -> None:
    made = await api.json("POST", CMS, config_map(), status=201, user_agent="kubectl/v1.30 (linux)")
    assert made["metadata"]["managedFields"][0]["manager"] == "kubectl"


async def test_apply_refused(api: Api) -> None:
    await apply(api, "", wanted(a="1"), status=422)
    await apply(api, "me", {**wanted(a="1"), "kind": "Secret"}, status=400)
    await apply(api, "me", {**wanted(a="1"), "metadata": {"name": "other"}}, status=400)
    await apply(api, "me", [], status=400)
    await apply(api, "me", b"{", status=400)
    await apply(api, "me", {**wanted(), "metadata": {"name": "cm", "managedFields": [{"manager": "x"}]}}, status=400)
    status = await api.json("PATCH", f"{CMS}/cm?force=true", {}, status=422, content_type=MERGE)
    assert "may not be specified for non-apply patch" in status["message"]
