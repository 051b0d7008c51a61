"""Our OpenAPI v3 against that of kube-apiserver 1.37.2: every property of every schema that we publish."""

import json
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from pybernetes.api.kinds import KINDS
from pybernetes.apiserver.schema.openapi import OpenApi

REFERENCE = Path(__file__).parents[2] / "testdata" / "reference" / "openapi"
META = "io.k8s.apimachinery.pkg.apis.meta.v1"

#: (definition, property or keyword) -> why ours differs.
DIFFERENCES = {
    ("io.k8s.api.apps.v1.DaemonSetSpec", "selector"): "a pointer in Go; ours is never None",
    ("io.k8s.api.apps.v1.DeploymentSpec", "selector"): "a pointer in Go; ours is never None",
    ("io.k8s.api.apps.v1.ReplicaSetSpec", "selector"): "a pointer in Go; ours is never None",
    ("io.k8s.api.core.v1.ScaleIOVolumeSource", "secretRef"): "a pointer in Go; ours is never None",
    (f"{META}.DeleteOptions", "x-kubernetes-group-version-kind"): "kube-apiserver registers it in every group version",
    (f"{META}.ListMeta", "resourceVersion"): "always written by us, so that lists can be stamped",
    (f"{META}.Status", "apiVersion"): "always written by us",
    (f"{META}.Status", "kind"): "always written by us",
}


@cache
def reference() -> dict[str, Any]:
    found: dict[str, Any] = {}
    for file in REFERENCE.glob("*.json"):
        found |= json.loads(file.read_bytes())["schemas"]
    return found


@cache
def ours() -> dict[str, Any]:
    openapi = OpenApi(KINDS)
    found: dict[str, Any] = {}
    for name in openapi.group_versions():
        document = openapi.get(f"/openapi/v3/{name}")
        assert document is not None
        found |= json.loads(document.body)["components"]["schemas"]
    return found


def comparable(value: Any, *, names: bool = False) -> Any:
    """A schema without descriptions and enums, which are not compared; required fields are sorted."""
    if isinstance(value, list):
        return [comparable(item) for item in value]
    if not isinstance(value, dict):
        return value
    found = {
        key: comparable(part, names=key == "properties")
        for key, part in value.items()
        if names or key not in ("description", "enum")
    }
    if not names and "required" in found:
        found["required"] = sorted(found["required"])
    return found


def test_every_schema_agrees_with_kube_apiserver() -> None:
    found = {}
    for name, schema in ours().items():
        mine, theirs = comparable(schema), comparable(reference()[name])
        parts = [(mine, theirs), (mine.pop("properties", {}), theirs.pop("properties", {}))]
        for left, right in parts:
            for key in left.keys() | right.keys():
                if left.get(key) != right.get(key):
                    found[name, key] = left.get(key), right.get(key)
    assert {place: found[place] for place in found.keys() - DIFFERENCES.keys()} == {}
    assert found.keys() == DIFFERENCES.keys(), "a difference is gone: take it out of the table"


@pytest.mark.parametrize("kind", [k for k in KINDS if k.verbs], ids=lambda k: f"{k.group}.{k.name}")
def test_lists_are_published(kind: Any) -> None:
    assert any(name.endswith(f".{kind.list_kind}") for name in ours()) == kind.stored
