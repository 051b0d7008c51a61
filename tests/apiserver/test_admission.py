"""What the admission plugins add and refuse."""

import pytest

from pybernetes.apiserver.types import User

from .conftest import Api
from .objects import PODS, pod

NODES = "/api/v1/nodes"
KUBELET = User("system:node:n1", ("system:nodes", "system:masters"))


def node(name: str = "n1", **meta: object) -> dict:
    return {"apiVersion": "v1", "kind": "Node", "metadata": {"name": name, **meta}}


async def test_a_pod_gets_a_token_volume(api: Api) -> None:
    spec = (await api.json("POST", PODS, pod(), status=201))["spec"]
    volume = spec["volumes"][0]
    assert volume["name"].startswith("kube-api-access-")
    sources = volume["projected"]["sources"]
    assert sources[0]["serviceAccountToken"] == {"expirationSeconds": 3607, "path": "token"}
    assert sources[1]["configMap"]["name"] == "kube-root-ca.crt"
    assert sources[2]["downwardAPI"]["items"][0]["fieldRef"]["fieldPath"] == "metadata.namespace"
    assert (
        spec["containers"][0]["volumeMounts"]
        == [
            {
                "name": volume["name"],
                "readOnly": True,
                "mountPath": "/var/run/secrets/kubernetes.io/serviceaccount",
            }
        ]
        or spec["containers"][0]["volumeMounts"][0]["name"] == volume["name"]
    )


async def test_no_token_volume_without_automount(api: Api) -> None:
    body = pod()
    body["spec"]["automountServiceAccountToken"] = False
    assert "volumes" not in (await api.json("POST", PODS, body, status=201))["spec"]


async def test_a_missing_service_account(api: Api) -> None:
    body = pod()
    body["spec"]["serviceAccountName"] = "none"
    status = await api.json("POST", PODS, body, status=403)
    assert status["message"] == (
        'pods "web" is forbidden: error looking up service account default/none: serviceaccount "none" not found'
    )


async def test_tolerations_and_priority(api: Api) -> None:
    spec = (await api.json("POST", PODS, pod(), status=201))["spec"]
    assert [(t["key"], t["tolerationSeconds"]) for t in spec["tolerations"]] == [
        ("node.kubernetes.io/not-ready", 300),
        ("node.kubernetes.io/unreachable", 300),
    ]
    assert (spec["priority"], spec["preemptionPolicy"]) == (0, "PreemptLowerPriority")


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        ({"priorityClassName": "none"}, "no PriorityClass with name none was found"),
        ({"priority": 7}, "the integer value of priority (7) must not be provided in pod spec"),
    ],
)
async def test_invalid_priorities(api: Api, spec: dict, words: str) -> None:
    body = pod()
    body["spec"].update(spec)
    assert words in (await api.json("POST", PODS, body, status=403))["message"]


async def test_a_system_priority_class(api: Api) -> None:
    body = pod()
    body["spec"]["priorityClassName"] = "system-node-critical"
    assert (await api.json("POST", PODS, body, status=201))["spec"]["priority"] == 2_000_001_000


async def test_a_new_node_is_tainted(api: Api) -> None:
    made = await api.json("POST", NODES, node(), status=201)
    assert made["spec"]["taints"] == [{"key": "node.kubernetes.io/not-ready", "effect": "NoSchedule"}] or made["spec"][
        "taints"
    ] == [{"effect": "NoSchedule", "key": "node.kubernetes.io/not-ready"}]


async def test_a_kubelet_changes_its_own_objects_only(api: Api) -> None:
    await api.json("POST", NODES, node(), status=201, user=KUBELET)
    status = await api.json("POST", NODES, node("n2"), status=403, user=KUBELET)
    assert 'node "n1" is not allowed to modify node "n2"' in status["message"]
    await api.json("POST", PODS, pod(), status=403, user=KUBELET)
    await api.json("POST", PODS, pod(), status=201)
    await api.json("DELETE", f"{PODS}/web", status=403, user=KUBELET)
    binding = {"metadata": {"name": "web"}, "target": {"kind": "Node", "name": "n1"}}
    await api.json("POST", f"{PODS}/web/binding", binding, status=201)
    merge = "application/merge-patch+json"
    patch = {"status": {"phase": "Running"}}
    await api.json("PATCH", f"{PODS}/web/status", patch, user=KUBELET, content_type=merge)
    await api.json(
        "PATCH", f"{PODS}/web", {"metadata": {"labels": {"a": "b"}}}, status=403, user=KUBELET, content_type=merge
    )
    taken = {"metadata": {"labels": {"node-restriction.kubernetes.io/x": "y"}}}
    await api.json("PATCH", f"{NODES}/n1", taken, status=403, user=KUBELET, content_type=merge)


async def test_a_mirror_pod_may_not_refer_to_secrets(api: Api) -> None:
    body = pod(annotations={"kubernetes.io/config.mirror": "x"})
    body["spec"]["nodeName"] = "n1"
    made = await api.json("POST", PODS, body, status=201, user=KUBELET)
    assert "volumes" not in made["spec"]
    body["metadata"]["name"] = "two"
    body["spec"]["serviceAccountName"] = "default"
    await api.json("POST", PODS, body, status=403, user=KUBELET)
