"""Manifests of the component tests."""

import time


def node(name: str) -> dict[str, object]:
    """A Node without a kubelet."""
    return {"apiVersion": "v1", "kind": "Node", "metadata": {"name": name, "labels": {"kubernetes.io/hostname": name}}}


def ready_status() -> str:
    """The status of a Ready node."""
    now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    return (
        '{"status":{"allocatable":{"cpu":"4","memory":"8Gi","pods":"110"},"capacity":{"cpu":"4","memory":"8Gi",'
        '"pods":"110"},"conditions":[{"type":"Ready","status":"True","reason":"KubeletReady","message":"",'
        f'"lastHeartbeatTime":"{now}","lastTransitionTime":"{now}"}}]}}}}'
    )


def deployment(name: str, replicas: int) -> dict[str, object]:
    """A Deployment whose pods never run."""
    labels = {"app": name}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name, "namespace": "default"},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": labels},
            "template": {
                "metadata": {"labels": labels},
                "spec": {"containers": [{"name": "c", "image": "example.org/c:1"}]},
            },
        },
    }
