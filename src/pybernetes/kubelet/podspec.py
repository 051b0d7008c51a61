"""Properties of a pod that follow from its spec. Pure."""

import hashlib
from collections.abc import Iterator
from typing import Literal

from pybernetes.api.core.container import Container, EphemeralContainer
from pybernetes.api.core.pod import Pod
from pybernetes.api.core.reference import ObjectReference
from pybernetes.kubelet.names import CONFIG_SOURCE

QosClass = Literal["Guaranteed", "Burstable", "BestEffort"]
AnyContainer = Container | EphemeralContainer


def is_sidecar(container: AnyContainer) -> bool:
    """Whether an init container is a sidecar, which keeps running with the regular containers."""
    return container.restart_policy == "Always"


def all_containers(pod: Pod) -> Iterator[AnyContainer]:
    """The init, regular and ephemeral containers."""
    yield from pod.spec.init_containers
    yield from pod.spec.containers
    yield from pod.spec.ephemeral_containers


def find_container(pod: Pod, name: str) -> AnyContainer | None:
    """The container with this name."""
    return next((c for c in all_containers(pod) if c.name == name), None)


def container_reference(pod: Pod, name: str) -> ObjectReference:
    """The involved object of an event about a container: the pod, with the field path `spec.containers{web}`."""
    if any(c.name == name for c in pod.spec.init_containers):
        section = "initContainers"
    elif any(c.name == name for c in pod.spec.ephemeral_containers):
        section = "ephemeralContainers"
    else:
        section = "containers"
    meta = pod.metadata
    return ObjectReference(
        kind="Pod",
        namespace=meta.namespace,
        name=meta.name,
        uid=meta.uid,
        api_version="v1",
        resource_version=meta.resource_version,
        field_path=f"spec.{section}{{{name}}}",
    )


def is_static(pod: Pod) -> bool:
    """Whether the pod is a static pod, from a manifest on this node."""
    return pod.metadata.annotations.get(CONFIG_SOURCE, "api") != "api"


def container_hash(container: AnyContainer) -> str:
    """A hash that changes when a running container must be replaced: its name or its image has changed."""
    digest = hashlib.blake2b(f"{container.name}\0{container.image}".encode(), digest_size=4)
    return digest.hexdigest()


def grace_period(pod: Pod) -> int:
    """The termination grace period in seconds: that of the deletion if the pod is being deleted, else the spec's."""
    if pod.metadata.deletion_timestamp and pod.metadata.deletion_grace_period_seconds is not None:
        return pod.metadata.deletion_grace_period_seconds
    given = pod.spec.termination_grace_period_seconds
    return 30 if given is None else given


def qos_class(pod: Pod) -> QosClass:
    """The pod's QoS class, from its containers' cpu and memory."""
    containers = [*pod.spec.init_containers, *pod.spec.containers]
    requests = limits = False
    guaranteed = bool(containers)
    for container in containers:
        for name in ("cpu", "memory"):
            limit = container.resources.limits.get(name)
            request = container.resources.requests.get(name, limit)
            requests = requests or _positive(request)
            limits = limits or _positive(limit)
            if not _positive(limit) or str(request) != str(limit):
                guaranteed = False
    if not requests and not limits:
        return "BestEffort"
    return "Guaranteed" if guaranteed else "Burstable"


def _positive(quantity: str | int | float | None) -> bool:
    return quantity is not None and str(quantity) not in ("0", "0m", "")
