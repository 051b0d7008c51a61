"""Resource usage of containers in the formats of /stats/summary and /metrics. Pure."""

from collections.abc import Iterable
from typing import Any

from pybernetes.kubelet.runtime import PodRef, Usage


def summary(node_name: str, usage: Iterable[Usage]) -> dict[str, Any]:
    """The part of /stats/summary that metrics-server reads."""
    pods: dict[PodRef, list[dict[str, Any]]] = {}
    for item in usage:
        container = {
            "name": item.container,
            "cpu": {"usageCoreNanoSeconds": item.cpu_nanoseconds},
            "memory": {"workingSetBytes": item.working_set},
        }
        pods.setdefault(item.pod, []).append(container)
    return {
        "node": {"nodeName": node_name},
        "pods": [
            {"podRef": {"name": ref.name, "namespace": ref.namespace, "uid": ref.uid}, "containers": containers}
            for ref, containers in pods.items()
        ],
    }


def metrics(pods: int, usage: Iterable[Usage]) -> str:
    """Metrics in Prometheus' text format."""
    items = list(usage)
    lines = ["# TYPE kubelet_running_pods gauge", f"kubelet_running_pods {pods}"]
    lines += ["# TYPE kubelet_running_containers gauge", f"kubelet_running_containers {len(items)}"]
    lines.append("# TYPE container_memory_working_set_bytes gauge")
    lines += [f"container_memory_working_set_bytes{_labels(i)} {i.working_set}" for i in items]
    lines.append("# TYPE container_cpu_usage_seconds_total counter")
    lines += [f"container_cpu_usage_seconds_total{_labels(i)} {i.cpu_nanoseconds / 1e9}" for i in items]
    return "\n".join(lines) + "\n"


def _labels(item: Usage) -> str:
    return f'{{container="{item.container}",namespace="{item.pod.namespace}",pod="{item.pod.name}"}}'
