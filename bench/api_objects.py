"""What one 2 KB Pod costs: decoding, encoding, and the steps that a write adds (defaults, validation, a table row)."""

from __future__ import annotations

import json
import timeit
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import msgspec

from pybernetes.api.codec import decode, decoder
from pybernetes.api.core.pod import KIND, Pod
from pybernetes.api.field import Errors

NOW = datetime(2026, 1, 2, 16, 0, tzinfo=UTC)
MOMENT = "2026-01-02T15:04:05Z"
TARGET_DECODE, TARGET_ENCODE = 5.0, 2.0


def pod() -> dict[str, Any]:
    """A pod of a Deployment as it is stored when it runs."""
    container = {
        "name": "web",
        "image": "registry.example.com/team/web:1.25.3",
        "ports": [{"containerPort": 80, "protocol": "TCP"}],
        "env": [{"name": f"SETTING_{i}", "value": "x" * 8} for i in range(4)],
        "resources": {"limits": {"cpu": "500m", "memory": "128Mi"}, "requests": {"cpu": "100m", "memory": "64Mi"}},
        "volumeMounts": [{"name": "token", "mountPath": "/var/run/secrets/token", "readOnly": True}],
        "readinessProbe": {"httpGet": {"path": "/", "port": 80, "scheme": "HTTP"}, "periodSeconds": 10},
        "terminationMessagePath": "/dev/termination-log",
        "terminationMessagePolicy": "File",
        "imagePullPolicy": "IfNotPresent",
    }
    conditions = [{"type": t, "status": "True", "lastTransitionTime": MOMENT} for t in ("Initialized", "Ready")]
    token = {"serviceAccountToken": {"expirationSeconds": 3607, "path": "token"}}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "resourceVersion": "123456",
            "name": "web-6d4b75cb6d-hx7zq",
            "namespace": "default",
            "uid": "0b1f5e1e-6b1c-4d38-9c8e-1f2a3b4c5d6e",
            "creationTimestamp": MOMENT,
            "labels": {"app": "web", "pod-template-hash": "6d4b75cb6d"},
            "ownerReferences": [{"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "web-6d4b75cb6d", "uid": "u"}],
        },
        "spec": {
            "containers": [container],
            "volumes": [{"name": "token", "projected": {"defaultMode": 420, "sources": [token]}}],
            "tolerations": [{"key": "node.kubernetes.io/not-ready", "operator": "Exists", "effect": "NoExecute"}],
            "restartPolicy": "Always",
            "terminationGracePeriodSeconds": 30,
            "dnsPolicy": "ClusterFirst",
            "serviceAccountName": "default",
            "nodeName": "node-1",
            "schedulerName": "default-scheduler",
        },
        "status": {"phase": "Running", "podIP": "10.244.1.3", "conditions": conditions, "qosClass": "Burstable"},
    }


def micros(work: Callable[[], object], times: int = 5000) -> float:
    """The best of three rounds, in microseconds."""
    return round(min(timeit.repeat(work, number=times, repeat=3)) / times * 1e6, 2)


def run() -> list[dict[str, Any]]:
    """One row per step."""
    data = msgspec.json.encode(pod())
    read = decoder(Pod).decode
    obj = read(data)
    steps: list[tuple[str, Callable[[], object], float | None]] = [
        ("decode and type-check", lambda: read(data), TARGET_DECODE),
        ("encode", lambda: msgspec.json.encode(obj), TARGET_ENCODE),
        ("decode a client's (times checked)", lambda: decode(data, Pod), None),
        ("defaults", lambda: KIND.default(obj), None),
        ("validate", lambda: KIND.validate(obj, Errors()), None),
        ("table row", lambda: KIND.row is not None and KIND.row(obj, NOW), None),
    ]
    return [
        {"figure": f"pod of {len(data)} bytes: {name}", "target": target, "value": micros(work), "unit": "µs"}
        for name, work, target in steps
    ]


if __name__ == "__main__":
    for row in run():
        print(json.dumps(row))
