"""The resources that a pod requests: the amounts that are reserved for it on a node.

Containers run at the same time, so their requests add up. Init containers run before them, one by one, each together
with the sidecars (init containers that restart always) started so far, so the largest request counts. Resources set for
the pod as a unit replace the sum. The overhead of the pod's runtime class is added.
"""

from collections.abc import Mapping

from pybernetes.api import quantity
from pybernetes.api.core.container import Container
from pybernetes.api.core.pod import PodSpec
from pybernetes.api.meta import Quantity

CPU, MEMORY, EPHEMERAL_STORAGE, PODS = "cpu", "memory", "ephemeral-storage", "pods"

NON_ZERO = {CPU: 100, MEMORY: 200 * 1024 * 1024}
"""The requests that scores assume for a container without requests: 100 millicores, 200 MiB."""

_LIMIT = 1 << 53
"""The upper bound of an amount, so that sums over a node and products with 100 stay within 64 bits."""

Requests = dict[str, int]
"""Resource name -> amount: CPU in thousandths, everything else in whole units."""


def amount(resource: str, wanted: Quantity) -> int:
    """A quantity in the unit of its resource, rounded up.

    API servers reject malformed quantities. If one occurs anyway it counts as 0, so that one broken object cannot
    stop the scheduling of all other pods.
    """
    try:
        number = quantity.milli(wanted) if resource == CPU else quantity.value(wanted)
    except quantity.QuantityError:
        return 0
    return max(0, min(number, _LIMIT))


def amounts(resources: Mapping[str, Quantity]) -> Requests:
    """A resource list in integers."""
    return {name: amount(name, wanted) for name, wanted in resources.items()}


def pod_requests(spec: PodSpec, missing: Mapping[str, int] = {}) -> Requests:
    """The requests of a pod. `missing` has the amounts to assume for containers that do not request a resource."""
    total: Requests = {}
    for container in spec.containers:
        _add(total, _container(container, missing))
    sidecars: Requests = {}
    largest: Requests = {}
    for container in spec.init_containers:
        wanted = _container(container, missing)
        _add(wanted, sidecars)
        if container.restart_policy == "Always":
            _add(total, _container(container, missing))
            sidecars = dict(wanted)
        _raise(largest, wanted)
    _raise(total, largest)
    if spec.resources is not None:
        total.update(amounts({name: q for name, q in spec.resources.requests.items() if _settable_for_pod(name)}))
    _add(total, amounts(spec.overhead))
    return total


def _settable_for_pod(name: str) -> bool:
    return name in (CPU, MEMORY) or name.startswith("hugepages-")


def _container(container: Container, missing: Mapping[str, int]) -> Requests:
    return {**missing, **amounts(container.resources.requests)}


def _add(total: Requests, more: Requests) -> None:
    for name, number in more.items():
        total[name] = total.get(name, 0) + number


def _raise(total: Requests, other: Requests) -> None:
    for name, number in other.items():
        total[name] = max(total.get(name, 0), number)


def is_extended(name: str) -> bool:
    """Whether a resource is an extended one, such as `example.com/gpu`, not one that Kubernetes itself defines."""
    return "/" in name and "kubernetes.io/" not in name and not name.startswith("requests.")


def is_scalar(name: str) -> bool:
    """Whether a resource is counted only on nodes that list it and for pods that request it."""
    return name not in (CPU, MEMORY, EPHEMERAL_STORAGE)
