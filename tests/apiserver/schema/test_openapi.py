"""OpenAPI: documents are complete, hashes agree, and real versions of kubectl can read them."""

import json
from pathlib import Path
from typing import Any

import pytest

from pybernetes.api.kinds import KINDS
from pybernetes.apiserver.schema.openapi import V2_PROTOBUF, V2_PROTOBUF_ANSWER, OpenApi
from support.kubectls import kubectls

from .kubectl import run, schema_server

OPENAPI = OpenApi(KINDS)


def read(path: str) -> Any:
    document = OPENAPI.get(path)
    assert document is not None
    return json.loads(document.body)


def refs(value: Any) -> set[str]:
    if isinstance(value, dict):
        own = {value["$ref"]} if isinstance(value.get("$ref"), str) else set()
        return own.union(*(refs(v) for v in value.values()))
    return set().union(*(refs(v) for v in value)) if isinstance(value, list) else set()


def test_index_contains_hashes_of_documents() -> None:
    paths = read("/openapi/v3")["paths"]
    assert {"api/v1", "apis/apps/v1", "apis/rbac.authorization.k8s.io/v1"} <= set(paths)
    for name, entry in paths.items():
        document = OPENAPI.get(f"/openapi/v3/{name}")
        assert document is not None
        assert entry["serverRelativeURL"] == f"/openapi/v3/{name}?hash={document.etag.strip(chr(34))}"


@pytest.mark.parametrize("name", sorted(OPENAPI.group_versions()))
def test_v3_documents_define_every_reference(name: str) -> None:
    document = read(f"/openapi/v3/{name}")
    known = {f"#/components/schemas/{n}" for n in document["components"]["schemas"]}
    assert refs(document) <= known
    assert all(schema for schema in document["components"]["schemas"].values())
    ids = [op["operationId"] for item in document["paths"].values() for k, op in item.items() if k != "parameters"]
    assert len(ids) == len(set(ids))


def test_v2_document_defines_every_reference() -> None:
    document = read("/openapi/v2")
    assert refs(document) <= {f"#/definitions/{n}" for n in document["definitions"]}
    assert "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta" in document["definitions"]


def test_facts_are_published() -> None:
    schemas = read("/openapi/v3/apis/apps/v1")["components"]["schemas"]
    spec = schemas["io.k8s.api.core.v1.PodSpec"]["properties"]
    assert spec["containers"]["x-kubernetes-list-map-keys"] == ["name"]
    assert spec["containers"]["x-kubernetes-patch-merge-key"] == "name"
    assert spec["volumes"]["x-kubernetes-patch-strategy"] == "merge,retainKeys"
    assert spec["tolerations"]["x-kubernetes-list-type"] == "atomic"
    assert spec["nodeSelector"]["x-kubernetes-map-type"] == "atomic"
    assert "containers" in schemas["io.k8s.api.core.v1.PodSpec"]["required"]
    port = schemas["io.k8s.api.core.v1.ContainerPort"]
    assert port["required"] == ["containerPort"] and port["properties"]["protocol"]["default"] == "TCP"
    deployment = schemas["io.k8s.api.apps.v1.Deployment"]
    gvk = {"group": "apps", "kind": "Deployment", "version": "v1"}
    assert deployment["x-kubernetes-group-version-kind"] == [gvk]
    strategy = schemas["io.k8s.api.apps.v1.DeploymentSpec"]["properties"]["strategy"]
    assert strategy["x-kubernetes-patch-strategy"] == "retainKeys" and strategy["allOf"]
    limits = schemas["io.k8s.api.core.v1.ResourceRequirements"]["properties"]["limits"]
    assert limits["additionalProperties"]["$ref"].endswith("resource.Quantity")
    surge = schemas["io.k8s.api.apps.v1.RollingUpdateDeployment"]["properties"]["maxSurge"]
    assert surge["allOf"][0]["$ref"].endswith("intstr.IntOrString")
    assert schemas["io.k8s.api.core.v1.LocalObjectReference"]["x-kubernetes-map-type"] == "atomic"


def test_operations() -> None:
    paths = read("/openapi/v3/apis/apps/v1")["paths"]
    patch = paths["/apis/apps/v1/namespaces/{namespace}/deployments/{name}"]["patch"]
    assert {"dryRun", "fieldManager", "fieldValidation", "force"} <= {p["name"] for p in patch["parameters"]}
    assert patch["x-kubernetes-action"] == "patch"
    assert "application/apply-patch+yaml" in patch["requestBody"]["content"]
    assert paths["/apis/apps/v1/deployments"].keys() == {"get", "parameters"}
    scale = paths["/apis/apps/v1/namespaces/{namespace}/deployments/{name}/scale"]["get"]
    assert scale["x-kubernetes-group-version-kind"]["kind"] == "Scale"
    core = read("/openapi/v3/api/v1")["paths"]
    assert set(core["/api/v1/namespaces/{namespace}/pods/{name}/exec"]) == {"get", "post", "parameters"}
    assert set(core["/api/v1/namespaces/{namespace}/pods/{name}/log"]) == {"get", "parameters"}
    assert set(core["/api/v1/namespaces/{namespace}/pods/{name}/eviction"]) == {"post", "parameters"}
    assert set(core["/api/v1/nodes/{name}"]) == {"get", "put", "patch", "delete", "parameters"}
    assert set(core["/api/v1/namespaces/{namespace}/bindings"]) == {"post", "parameters"}


@pytest.mark.parametrize("path", ["/openapi", "/openapi/v1", "/openapi/v3/apis/nope/v1", "/openapi/v3/", "/x"])
def test_unknown_paths(path: str) -> None:
    found = OPENAPI.get(path)
    assert (found is not None) == (path == "/openapi/v3/")


def test_protobuf_on_request() -> None:
    document = OPENAPI.get("/openapi/v2", f"{V2_PROTOBUF},application/json")
    assert document is not None and document.content_type == V2_PROTOBUF_ANSWER
    assert document.body.startswith(b"\x0a\x032.0")


def test_building_in_slices_gives_the_same_documents() -> None:
    other = OpenApi(KINDS)
    assert len(list(other.prepare())) == len(other.group_versions()) + 1
    index, same = other.get("/openapi/v3"), OPENAPI.get("/openapi/v3")
    assert index is not None and same is not None and index.body == same.body


@pytest.mark.slow
@pytest.mark.parametrize("kubectl", kubectls(), ids=lambda p: Path(p).name)
@pytest.mark.parametrize("v3", [True, False], ids=["v3", "v2-protobuf"])
async def test_kubectl_explains(kubectl: str, v3: bool, tmp_path: Path) -> None:
    async with schema_server(v3=v3) as server:
        text = await run(kubectl, server, tmp_path, "explain", "deployments", "--recursive")
        assert "readinessProbe" in text and "maxSurge" in text
        text = await run(kubectl, server, tmp_path, "explain", "pods.spec.containers")
        assert "livenessProbe" in text and "imagePullPolicy" in text
        assert "clusterroles" in await run(kubectl, server, tmp_path, "api-resources")
