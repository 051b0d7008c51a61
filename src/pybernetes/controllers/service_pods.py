"""Which pods a Service selects, and what the endpoint controllers need to know of each.

Shared by Endpoints and EndpointSlice. Pods are found through an index of label pairs, so that the cost of a pass grows
with the pods of the Service, not with the pods of its namespace.
"""

from collections.abc import Iterable, Sequence
from ipaddress import ip_address

from pybernetes.api.core.container import Container
from pybernetes.api.core.pod import Pod
from pybernetes.api.core.reference import ObjectReference
from pybernetes.api.core.service import Service, ServicePort
from pybernetes.client.informer import Cache, key_of
from pybernetes.controllers import pods as podfacts
from pybernetes.controllers.selectors import contains

LAST_CHANGE = "endpoints.kubernetes.io/last-change-trigger-time"
BY_LABEL = "namespace and label"
"""index: `namespace/key=value` -> objects that carry the label"""


def index_by_label(pods: Cache[Pod]) -> None:
    """Add the index `BY_LABEL` to a cache."""
    pods.add_index(BY_LABEL, lambda pod: [f"{pod.metadata.namespace}/{k}={v}" for k, v in pod.metadata.labels.items()])


def selected(service: Service, pods: Cache[Pod]) -> list[Pod]:
    """The pods that a Service selects; none when it has no selector."""
    selector = service.spec.selector
    if not selector:
        return []
    labels = [f"{service.metadata.namespace}/{key}={value}" for key, value in selector.items()]
    rarest = min(labels, key=lambda label: pods.count(BY_LABEL, label))
    found = pods.by_index(BY_LABEL, rarest)
    return found if len(selector) == 1 else [pod for pod in found if contains(pod.metadata.labels, selector)]


def services_of(pod: Pod, services: Cache[Service]) -> list[str]:
    """The keys of the Services that select a pod."""
    labels = pod.metadata.labels
    return [
        key_of(service)
        for service in services.by_index("namespace", pod.metadata.namespace)
        if service.spec.selector and contains(labels, service.spec.selector)
    ]


def affected(old: Pod | None, new: Pod | None, services: Cache[Service]) -> list[str]:
    """The keys of the Services whose endpoints may change because of a change of a pod."""
    if old is not None and new is not None:
        if _view(old) == _view(new):
            return []
        if old.metadata.labels != new.metadata.labels:
            return list({*services_of(old, services), *services_of(new, services)})
    pod = new or old
    return services_of(pod, services) if pod is not None else []


def _view(pod: Pod) -> tuple[object, ...]:
    """All fields of a pod that an endpoint depends on."""
    return (
        pod.metadata.labels,
        pod.metadata.uid,
        bool(pod.metadata.deletion_timestamp),
        pod.status.phase,
        pod.status.pod_ip,
        pod.status.pod_ips,
        podfacts.is_ready(pod),
        pod.spec.node_name,
        pod.spec.hostname,
        pod.spec.subdomain,
    )


def is_headless(service: Service) -> bool:
    """Whether the Service has no cluster IP."""
    return service.spec.cluster_ip == "None"


def families(service: Service) -> list[str]:
    """`IPv4`, `IPv6` or both; the server fills in spec.ipFamilies."""
    if service.spec.ip_families:
        return service.spec.ip_families
    return ["IPv6"] if ":" in service.spec.cluster_ip else ["IPv4"]


def addresses(pod: Pod, family: str) -> list[str]:
    """The pod's addresses of a family."""
    found = [item.ip for item in pod.status.pod_ips] or ([pod.status.pod_ip] if pod.status.pod_ip else [])
    version = 6 if family == "IPv6" else 4
    return [ip for ip in found if ip_address(ip).version == version]


def belongs(pod: Pod, *, terminating: bool) -> bool:
    """Whether a pod can be an endpoint: it has an address, has not ended, and isn't terminating unless terminating pods
    are included."""
    if pod.status.phase in ("Succeeded", "Failed") or not (pod.status.pod_ip or pod.status.pod_ips):
        return False
    return terminating or not pod.metadata.deletion_timestamp


def hostname(pod: Pod, service: Service) -> str:
    """The pod's hostname below a headless Service that is its subdomain."""
    return pod.spec.hostname if pod.spec.hostname and pod.spec.subdomain == service.metadata.name else ""


def target(pod: Pod) -> ObjectReference:
    """A reference to the pod."""
    meta = pod.metadata
    return ObjectReference(kind="Pod", namespace=meta.namespace, name=meta.name, uid=meta.uid)


def resolve_port(pod: Pod, port: ServicePort) -> int | None:
    """The container port of a Service's port. A name is looked up in this pod, where it may be missing."""
    wanted = port.target_port if port.target_port not in (None, 0, "") else port.port
    if isinstance(wanted, int):
        return wanted
    for container in _serving(pod):
        for candidate in container.ports:
            if candidate.name == wanted and (candidate.protocol or "TCP") == (port.protocol or "TCP"):
                return candidate.container_port
    return None


def _serving(pod: Pod) -> Iterable[Container]:
    yield from pod.spec.containers
    yield from (container for container in pod.spec.init_containers if container.restart_policy == "Always")


class TriggerTimes:
    """When something changed a Service's endpoints: clients measure with it how fast networks are programmed.

    The annotation has the time of the earliest change since the last pass, and is left out when none is known.
    """

    def __init__(self) -> None:
        self._seen: dict[str, tuple[str, str]] = {}
        """key -> (creation of the Service, newest readiness change of its pods)"""

    def next(self, service: Service, pods: Sequence[Pod]) -> str:
        """The time of the earliest new change, or an empty string."""
        key = key_of(service)
        born, newest = self._seen.get(key, ("", ""))
        times = [ready.last_transition_time for pod in pods if (ready := podfacts.condition(pod, "Ready"))]
        created = service.metadata.creation_timestamp
        fresh = [when for when in times if when > newest]
        if created != born:
            fresh.append(created)
        self._seen[key] = (created, max([newest, *times]))
        return min(filter(None, fresh), default="")

    def forget(self, key: str) -> None:
        """Forget a Service that was deleted."""
        self._seen.pop(key, None)
