"""The downward API: values of a pod's fields and of its containers' resources. Pure."""

import re
from collections.abc import Mapping

from pybernetes.api.core.container import ResourceRequirements
from pybernetes.api.core.pod import Pod
from pybernetes.api.core.selectors import ResourceFieldSelector
from pybernetes.api.meta import Quantity
from pybernetes.api.quantity import parse
from pybernetes.kubelet.podspec import find_container

_KEYED = re.compile(r"^metadata\.(labels|annotations)\['(.*)'\]$")


class BadFieldPath(ValueError):
    """The field does not exist, or the downward API does not offer it."""


def field_value(pod: Pod, path: str) -> str:
    """The value of a pod's field as text; raises BadFieldPath."""
    meta, spec, status = pod.metadata, pod.spec, pod.status
    keyed = _KEYED.match(path)
    if keyed:
        return (meta.labels if keyed[1] == "labels" else meta.annotations).get(keyed[2], "")
    simple = {
        "metadata.name": meta.name,
        "metadata.namespace": meta.namespace,
        "metadata.uid": meta.uid,
        "spec.nodeName": spec.node_name,
        "spec.serviceAccountName": spec.service_account_name,
        "status.hostIP": status.host_ip,
        "status.podIP": status.pod_ip,
        "status.hostIPs": ",".join(ip.ip for ip in status.host_ips),
        "status.podIPs": ",".join(ip.ip for ip in status.pod_ips),
    }
    if path in simple:
        return simple[path]
    if path in ("metadata.labels", "metadata.annotations"):
        return _map_text(meta.labels if path == "metadata.labels" else meta.annotations)
    raise BadFieldPath(f"unsupported fieldPath: {path}")


def _map_text(values: dict[str, str]) -> str:
    return "\n".join(f"{key}={_quote(values[key])}" for key in sorted(values))


def _quote(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n").replace("\t", "\\t")
    return f'"{escaped}"'


def resource_value(pod: Pod, selector: ResourceFieldSelector, container: str, allocatable: Mapping[str, str]) -> str:
    """A container's limit or request in units of the divisor. Without a limit, the node's allocatable counts."""
    name = selector.container_name or container
    found = find_container(pod, name)
    if found is None:
        raise BadFieldPath(f"container {name} not found")
    section, _, resource = selector.resource.partition(".")
    if section not in ("limits", "requests") or resource not in ("cpu", "memory", "ephemeral-storage"):
        raise BadFieldPath(f"unsupported container resource : {selector.resource}")
    amount = _amount(found.resources, section, resource, allocatable)
    divisor = selector.divisor if selector.divisor not in (None, "0", 0, "") else "1"
    return str(-(-parse(amount).nanos // parse(divisor or "1").nanos))


def _amount(resources: ResourceRequirements, section: str, resource: str, allocatable: Mapping[str, str]) -> Quantity:
    if section == "requests":
        return resources.requests.get(resource, resources.limits.get(resource, "0"))
    return resources.limits.get(resource, allocatable.get(resource, "0"))
