"""The recipe of docs/extending/kind.md, performed: its code runs, and the kinds work."""

import re
from pathlib import Path
from typing import Any

import pytest

from pybernetes.apiserver.resource import resource_of
from pybernetes.apiserver.server import ApiServer

from .conftest import Api

PAGE = Path(__file__).parents[2] / "docs" / "extending" / "kind.md"
BACKUPS = "/apis/backup.example.com/v1/namespaces/default/backups"
RESTORES = "/apis/backup.example.com/v1/namespaces/default/restores"


@pytest.fixture(scope="module")
def page() -> dict[str, Any]:
    """What the code of the page defines."""
    names: dict[str, Any] = {"__name__": "pybernetes.api.backup.backup"}
    for block in re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL):
        exec(compile(block, str(PAGE), "exec", dont_inherit=True), names)
    return names


async def test_the_kind_with_a_struct(server: ApiServer, api: Api, page: dict[str, Any]) -> None:
    page["serve"](server)
    obj = await api.json("POST", BACKUPS, {"metadata": {"name": "a"}, "spec": {"schedule": "@daily"}}, status=201)
    assert obj["spec"] == {"schedule": "@daily", "keep": 7}
    obj["spec"] = {"schedule": "@hourly", "paused": True, "keep": 1}
    refused = await api.json("PUT", f"{BACKUPS}/a", obj, status=422)
    assert 'spec.schedule: Invalid value: "@hourly": field is immutable' in refused["message"]
    paused = await api.json("PUT", f"{BACKUPS}/a/pause", obj)
    assert paused["spec"] == {"schedule": "@daily", "keep": 7, "paused": True}
    assert paused["metadata"]["generation"] == 2
    assert (await api("PATCH", f"{BACKUPS}/a/pause", {}, content_type="application/merge-patch+json")).status == 405
    page["withdraw"](server)
    assert (await api("GET", f"{BACKUPS}/a")).status == 404


async def test_the_kind_without_a_struct(server: ApiServer, api: Api, page: dict[str, Any]) -> None:
    server.context.catalogue.add(resource_of(page["RESTORE"]))
    obj = await api.json("POST", RESTORES, {"metadata": {"name": "a"}, "spec": {"from": "x", "to": "y"}}, status=201)
    assert obj["spec"] == {"from": "x", "dryRun": True}
    obj["status"] = {"anything": [1]}
    assert (await api.json("PUT", f"{RESTORES}/a/status", obj))["status"] == {"anything": [1]}
    refused = await api.json("POST", RESTORES, {"metadata": {"name": "b"}, "spec": {}}, status=422)
    assert refused["message"] == 'Restore.backup.example.com "b" is invalid: spec.from: Required value'
