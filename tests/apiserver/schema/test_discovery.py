"""Discovery documents and content negotiation."""

import json
from typing import Any

import pytest

from pybernetes.api.kinds import KINDS
from pybernetes.apiserver.schema.discovery import Discovery, negotiate, storage_version_hash

V2 = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"
V2BETA1 = "application/json;g=apidiscovery.k8s.io;v=v2beta1;as=APIGroupDiscoveryList"
discovery = Discovery(KINDS, "10.0.0.1:6443")


def read(path: str, accept: str = "") -> Any:
    document = discovery.get(path, accept)
    assert document is not None
    return json.loads(document.body)


@pytest.mark.parametrize(
    ("accept", "form"),
    [
        (f"{V2},{V2BETA1},application/json", "v2"),
        (f"{V2BETA1},application/json", "v2beta1"),
        ("application/json", ""),
        ("", ""),
        ("*/*", ""),
        (f"application/json,{V2}", ""),
        (f"application/vnd.kubernetes.protobuf;as=x,{V2}", "v2"),
        ("application/json;g=apidiscovery.k8s.io;v=v9;as=APIGroupDiscoveryList,application/json", ""),
        (";;;=,=", ""),
    ],
)
def test_negotiation(accept: str, form: str) -> None:
    assert negotiate(accept) == form


def test_the_core_group() -> None:
    assert read("/api")["versions"] == ["v1"]
    resources = {r["name"]: r for r in read("/api/v1")["resources"]}
    pods = resources["pods"]
    assert pods["shortNames"] == ["po"] and pods["categories"] == ["all"] and pods["singularName"] == "pod"
    assert pods["storageVersionHash"] == "xPOwRZ+Yhw8="
    assert resources["pods/log"] == {
        "name": "pods/log", "singularName": "", "namespaced": True, "kind": "Pod", "verbs": ["get"],
    }  # fmt: skip
    eviction = resources["pods/eviction"]
    assert (eviction["group"], eviction["version"], eviction["kind"]) == ("policy", "v1", "Eviction")
    assert resources["serviceaccounts/token"]["kind"] == "TokenRequest"
    assert resources["nodes/proxy"]["kind"] == "NodeProxyOptions"
    assert "storageVersionHash" not in resources["bindings"]


def test_groups() -> None:
    groups = {g["name"]: g for g in read("/apis")["groups"]}
    assert groups["apps"]["preferredVersion"] == {"groupVersion": "apps/v1", "version": "v1"}
    assert "autoscaling" not in groups, "a group whose only kinds are subresources has no resources to list"
    assert groups["policy"]["preferredVersion"]["groupVersion"] == "policy/v1", "kubectl drain looks for the group"
    (budgets, status) = read("/apis/policy/v1")["resources"]
    assert (budgets["kind"], budgets["shortNames"], status["verbs"]) == (
        "PodDisruptionBudget", ["pdb"], ["get", "patch", "update"],
    )  # fmt: skip
    assert budgets["storageVersionHash"] == "EVWiDmWqyJw="
    assert read("/apis/apps")["kind"] == "APIGroup"
    resources = {r["name"]: r for r in read("/apis/apps/v1")["resources"]}
    scale = resources["deployments/scale"]
    assert (scale["group"], scale["version"], scale["kind"]) == ("autoscaling", "v1", "Scale")


@pytest.mark.parametrize("path", ["/", "/api/v2", "/apis/nope", "/apis/apps/v9", ""])
def test_unknown_paths(path: str) -> None:
    assert discovery.get(path) is None


@pytest.mark.parametrize(("accept", "version"), [(V2, "v2"), (V2BETA1, "v2beta1")])
def test_aggregated(accept: str, version: str) -> None:
    document = discovery.get("/apis", accept)
    assert document is not None and document.content_type == accept and len(document.etag) == 130
    value = json.loads(document.body)
    assert value["apiVersion"] == f"apidiscovery.k8s.io/{version}"
    apps = next(i for i in value["items"] if i["metadata"]["name"] == "apps")
    deployments = next(r for r in apps["versions"][0]["resources"] if r["resource"] == "deployments")
    assert deployments["scope"] == "Namespaced"
    assert {s["subresource"] for s in deployments["subresources"]} == {"scale", "status"}
    core = read("/api", accept)["items"]
    assert len(core) == 1 and "name" not in core[0]["metadata"]


def test_every_served_kind_is_listed() -> None:
    listed = set()
    for group in [*read("/apis", V2)["items"], *read("/api", V2)["items"]]:
        for version in group["versions"]:
            listed |= {(r["responseKind"]["group"], r["responseKind"]["kind"]) for r in version["resources"]}
    assert listed == {(k.group, k.name) for k in KINDS if k.verbs}


def test_hash_differs_by_kind() -> None:
    assert len({storage_version_hash(k) for k in KINDS}) == len(KINDS)
