"""The cells of `kubectl get -o wide`."""

from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest

from pybernetes.api.codec import decode
from pybernetes.api.core.pod import KIND as POD
from pybernetes.api.kind import Cell
from pybernetes.api.kinds import BY_NAME

NOW = datetime(2026, 1, 2, 12, 0, 0, tzinfo=UTC)
CREATED = "2026-01-02T11:55:00Z"  # five minutes ago


def row(api_version: str, kind_name: str, **fields: Any) -> list[Cell]:
    """The row of an object given as JSON fields; `labels` goes into metadata."""
    kind = BY_NAME[api_version, kind_name]
    meta = {"name": "x", "creationTimestamp": CREATED, **fields.pop("metadata", {})}
    obj = decode(msgspec.json.encode({"metadata": meta, **fields}), kind.schema.type)
    assert kind.row is not None
    return kind.row(obj, NOW)


def running(name: str = "a", *, ready: bool = True, restarts: int = 0, last: str = "") -> dict[str, Any]:
    status = {
        "name": name,
        "ready": ready,
        "restartCount": restarts,
        "state": {"running": {}},
        "started": True,
        "image": "",
        "imageID": "",
    }
    if last:
        status["lastState"] = {"terminated": {"exitCode": 1, "finishedAt": last}}
    return status


def waiting(reason: str, restarts: int = 0) -> dict[str, Any]:
    return {**running(ready=False, restarts=restarts), "state": {"waiting": {"reason": reason}}, "started": False}


def ended(code: int, reason: str = "", signal: int | None = None) -> dict[str, Any]:
    state = {"terminated": {"exitCode": code, "reason": reason, "signal": signal}}
    return {**running(ready=False), "state": state, "started": False}


def pod(
    *statuses: dict[str, Any],
    init: tuple[dict[str, Any], ...] = (),
    init_specs: tuple[dict[str, Any], ...] = (),
    phase: str = "Running",
    metadata: dict[str, Any] | None = None,
    **status: Any,
) -> str:
    """Ready, Status and Restarts of a pod."""
    cells = row(
        "v1",
        "Pod",
        metadata=metadata or {},
        spec={
            "containers": [{"name": s["name"]} for s in statuses] or [{"name": "a"}],
            "initContainers": list(init_specs) or [{"name": s["name"]} for s in init],
        },
        status={"phase": phase, "containerStatuses": list(statuses), "initContainerStatuses": list(init), **status},
    )
    return " ".join(str(cell) for cell in cells[1:4])


SIDECAR = ({"name": "s", "restartPolicy": "Always"},)
DELETED = {"deletionTimestamp": CREATED}


@pytest.mark.parametrize(
    ("shown", "wants"),
    [
        (pod(phase="Pending"), "0/1 Pending 0"),
        (pod(running()), "1/1 Running 0"),
        (pod(running(), running("b", ready=False)), "1/2 Running 0"),
        (pod(waiting("ContainerCreating"), phase="Pending"), "0/1 ContainerCreating 0"),
        (pod(waiting("CrashLoopBackOff", 3)), "0/1 CrashLoopBackOff 3"),
        (pod(running(restarts=3, last=CREATED)), "1/1 Running 3 (5m ago)"),
        (pod(ended(0, "Completed"), phase="Succeeded"), "0/1 Completed 0"),
        (pod(ended(1, "Error"), phase="Failed"), "0/1 Error 0"),
        (pod(ended(3)), "0/1 ExitCode:3 0"),
        (pod(ended(137, signal=9)), "0/1 Signal:9 0"),
        (pod(running(), ended(0, "Completed"), conditions=[{"type": "Ready", "status": "True"}]), "1/2 Running 0"),
        (pod(ended(0, "Completed"), running("b"), conditions=[{"type": "Ready", "status": "True"}]), "1/2 Running 0"),
        (pod(ended(0, "Completed"), running("b")), "1/2 NotReady 0"),
        (pod(waiting("PodInitializing"), init=(running("i"),), phase="Pending"), "0/1 Init:0/1 0"),
        (pod(init=(ended(0), {**running("j"), "name": "j"}), phase="Pending"), "0/1 Init:1/2 0"),
        (pod(init=(waiting("ImagePullBackOff"),), phase="Pending"), "0/1 Init:ImagePullBackOff 0"),
        (pod(init=(waiting("PodInitializing"),), phase="Pending"), "0/1 Init:0/1 0"),
        (pod(init=(ended(1, "Error"),), phase="Pending"), "0/1 Init:Error 0"),
        (pod(init=(ended(2),), phase="Pending"), "0/1 Init:ExitCode:2 0"),
        (pod(running(), init=(ended(0),)), "1/1 Running 0"),
        (pod(running(), init=(running("s", restarts=2),), init_specs=SIDECAR), "2/2 Running 2"),
        (pod(running(), metadata=DELETED), "1/1 Terminating 0"),
        (pod(ended(0, "Completed"), phase="Succeeded", metadata=DELETED), "0/1 Completed 0"),
        (pod(running(), reason="NodeLost", metadata=DELETED), "1/1 Unknown 0"),
        (pod(phase="Failed", reason="Evicted"), "0/1 Evicted 0"),
        (
            pod(phase="Pending", conditions=[{"type": "PodScheduled", "status": "False", "reason": "SchedulingGated"}]),
            "0/1 SchedulingGated 0",
        ),
    ],
)
def test_pod_status(shown: str, wants: str) -> None:
    assert shown == wants


def test_pod_wide() -> None:
    cells = row(
        "v1",
        "Pod",
        spec={"nodeName": "n1", "readinessGates": [{"conditionType": "a"}, {"conditionType": "b"}]},
        status={
            "podIPs": [{"ip": "10.0.0.1"}],
            "nominatedNodeName": "n2",
            "conditions": [{"type": "a", "status": "True"}],
        },
    )
    assert cells[4:] == ["5m", "10.0.0.1", "n1", "n2", "1/2"]
    assert row("v1", "Pod")[5:] == ["<none>"] * 4
    names = [c.name for c in POD.columns]
    assert names[:5] == ["Name", "Ready", "Status", "Restarts", "Age"]
    assert names[5:] == ["IP", "Node", "Nominated Node", "Readiness Gates"]
    assert [c.priority for c in POD.columns] == [0] * 5 + [1] * 4


TEMPLATE = {"spec": {"containers": [{"name": "a", "image": "i:1"}, {"name": "b", "image": "j"}]}}
SELECTOR = {"matchLabels": {"app": "x"}}


@pytest.mark.parametrize(
    ("api_version", "kind", "fields", "cells"),
    [
        (
            "apps/v1",
            "Deployment",
            {
                "spec": {"replicas": 3, "selector": SELECTOR, "template": TEMPLATE},
                "status": {"readyReplicas": 1, "updatedReplicas": 2, "availableReplicas": 1},
            },
            ["x", "1/3", 2, 1, "5m", "a,b", "i:1,j", "app=x"],
        ),
        (
            "apps/v1",
            "ReplicaSet",
            {"spec": {"replicas": 3, "selector": SELECTOR, "template": TEMPLATE}, "status": {"replicas": 2}},
            ["x", 3, 2, 0, "5m", "a,b", "i:1,j", "app=x"],
        ),
        (
            "v1",
            "ReplicationController",
            {"spec": {"replicas": 3, "selector": {"b": "1", "a": "2"}, "template": TEMPLATE}},
            ["x", 3, 0, 0, "5m", "a,b", "i:1,j", "a=2,b=1"],
        ),
        (
            "apps/v1",
            "DaemonSet",
            {"spec": {"selector": SELECTOR, "template": TEMPLATE}, "status": {"desiredNumberScheduled": 3}},
            ["x", 3, 0, 0, 0, 0, "<none>", "5m", "a,b", "i:1,j", "app=x"],
        ),
        (
            "apps/v1",
            "ControllerRevision",
            {
                "revision": 2,
                "metadata": {
                    "ownerReferences": [
                        {"apiVersion": "apps/v1", "kind": "DaemonSet", "name": "d", "uid": "u", "controller": True}
                    ]
                },
            },
            ["x", "daemonset.apps/d", 2, "5m"],
        ),
        (
            "v1",
            "Service",
            {
                "spec": {
                    "type": "NodePort",
                    "clusterIP": "10.96.0.1",
                    "ports": [{"port": 80, "nodePort": 30000, "protocol": "TCP"}, {"port": 53, "protocol": "UDP"}],
                    "selector": {"app": "x"},
                }
            },
            ["x", "NodePort", "10.96.0.1", "<none>", "80:30000/TCP,53/UDP", "5m", "app=x"],
        ),
        (
            "v1",
            "Service",
            {"spec": {"type": "LoadBalancer", "clusterIP": "10.96.0.1"}},
            ["x", "LoadBalancer", "10.96.0.1", "<pending>", "<none>", "5m", "<none>"],
        ),
        (
            "v1",
            "Service",
            {"spec": {"type": "ExternalName", "externalName": "a.example"}},
            ["x", "ExternalName", "<none>", "a.example", "<none>", "5m", "<none>"],
        ),
        (
            "v1",
            "Endpoints",
            {"subsets": [{"addresses": [{"ip": f"10.0.0.{i}"} for i in range(5)], "ports": [{"port": 80}]}]},
            ["x", "10.0.0.0:80,10.0.0.1:80,10.0.0.2:80 + 2 more...", "5m"],
        ),
        ("v1", "Endpoints", {}, ["x", "<none>", "5m"]),
        (
            "v1",
            "Endpoints",
            {"subsets": [{"addresses": [{"ip": "fd::1"}], "ports": [{"port": 1}]}]},
            ["x", "[fd::1]:1", "5m"],
        ),
        (
            "discovery.k8s.io/v1",
            "EndpointSlice",
            {"addressType": "IPv4", "endpoints": [{"addresses": ["10.0.0.1"]}], "ports": [{"port": 80}, {}]},
            ["x", "IPv4", "80,*", "10.0.0.1", "5m"],
        ),
        ("discovery.k8s.io/v1", "EndpointSlice", {"addressType": "IPv4"}, ["x", "IPv4", "<unset>", "<unset>", "5m"]),
        (
            "v1",
            "Node",
            {
                "metadata": {"labels": {"node-role.kubernetes.io/control-plane": "", "kubernetes.io/role": "a"}},
                "spec": {"unschedulable": True},
                "status": {
                    "conditions": [{"type": "Ready", "status": "True"}],
                    "addresses": [{"type": "InternalIP", "address": "10.0.0.1"}],
                    "nodeInfo": {
                        "kubeletVersion": "v1.34.0",
                        "osImage": "Debian",
                        "kernelVersion": "6",
                        "containerRuntimeVersion": "containerd://1.6",
                    },
                },
            },
            [
                *("x", "Ready,SchedulingDisabled", "a,control-plane", "5m", "v1.34.0"),
                *("10.0.0.1", "<none>", "Debian", "6", "containerd://1.6"),
            ],
        ),
        (
            "v1",
            "Node",
            {"status": {"conditions": [{"type": "Ready", "status": "Unknown"}]}},
            ["x", "NotReady", "<none>", "5m", "", "<none>", "<none>", "<unknown>", "<unknown>", "<unknown>"],
        ),
        ("v1", "Namespace", {"status": {"phase": "Active"}}, ["x", "Active", "5m"]),
        ("v1", "Secret", {"type": "Opaque", "data": {"a": ""}}, ["x", "Opaque", 1, "5m"]),
        ("v1", "ConfigMap", {"data": {"a": ""}, "binaryData": {"b": ""}}, ["x", 2, "5m"]),
        ("v1", "ServiceAccount", {"secrets": [{"name": "a"}]}, ["x", 1, "5m"]),
        ("coordination.k8s.io/v1", "Lease", {"spec": {"holderIdentity": "n1"}}, ["x", "n1", "5m"]),
        (
            "policy/v1",
            "PodDisruptionBudget",
            {"spec": {"minAvailable": "50%"}, "status": {"disruptionsAllowed": 2}},
            ["x", "50%", "N/A", 2, "5m"],
        ),
        ("policy/v1", "PodDisruptionBudget", {"spec": {"maxUnavailable": 0}}, ["x", "N/A", "0", 0, "5m"]),
        ("rbac.authorization.k8s.io/v1", "Role", {}, ["x", CREATED]),
        (
            "rbac.authorization.k8s.io/v1",
            "RoleBinding",
            {
                "roleRef": {"kind": "ClusterRole", "name": "view"},
                "subjects": [
                    {"kind": "User", "name": "u"},
                    {"kind": "User", "name": "v"},
                    {"kind": "ServiceAccount", "name": "s", "namespace": "n"},
                ],
            },
            ["x", "ClusterRole/view", "5m", "u, v", "", "n/s"],
        ),
        (
            "v1",
            "Event",
            {
                "involvedObject": {"kind": "Pod", "name": "p", "fieldPath": "spec.containers{a}"},
                "type": "Normal",
                "reason": "Pulled",
                "message": " done\n",
                "source": {"component": "kubelet", "host": "n1"},
                "firstTimestamp": "2026-01-02T11:00:00Z",
                "lastTimestamp": CREATED,
                "count": 3,
            },
            ["5m", "Normal", "Pulled", "pod/p", "spec.containers{a}", "kubelet, n1", "done", "60m", 3, "x"],
        ),
        (
            "events.k8s.io/v1",
            "Event",
            {
                "regarding": {"kind": "Pod", "name": "p"},
                "type": "Warning",
                "reason": "Failed",
                "note": "no",
                "reportingController": "c",
                "eventTime": "2026-01-02T11:00:00.000000Z",
                "series": {"count": 7, "lastObservedTime": "2026-01-02T11:59:00.000000Z"},
            },
            ["60s", "Warning", "Failed", "pod/p", "", "c", "no", "60m", 7, "x"],
        ),
    ],
)
def test_rows(api_version: str, kind: str, fields: dict[str, Any], cells: list[Cell]) -> None:
    assert row(api_version, kind, **fields) == cells
