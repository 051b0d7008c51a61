"""CPU and memory of pods and containers in the kernel's units. Pure.

One core corresponds to 1024 CPU shares; the minimum is 2. The CPU quota applies to periods of 100 ms; the minimum is
1 ms. The OOM score adjustment is -997 for Guaranteed and 1000 for BestEffort pods; for Burstable pods it decreases
with the memory request.
"""

from collections.abc import Iterable

from pybernetes.api.core.container import ResourceRequirements
from pybernetes.api.core.pod import Pod
from pybernetes.api.quantity import milli, value
from pybernetes.kubelet.podspec import AnyContainer, is_sidecar, qos_class
from pybernetes.kubelet.runtime import Resources
from pybernetes.linux.cgroup import Limits

PERIOD = 100_000
_MIN_QUOTA = 1000
_MIN_SHARES = 2
_MAX_SHARES = 262_144


def cpu_shares(millicores: int) -> int:
    """CPU shares for a request."""
    return min(max(millicores * 1024 // 1000, _MIN_SHARES), _MAX_SHARES)


def cpu_quota(millicores: int) -> int:
    """CPU quota for a limit, in microseconds per period; 0 for no limit."""
    return max(millicores * PERIOD // 1000, _MIN_QUOTA) if millicores else 0


def container_resources(pod: Pod, container: AnyContainer, memory_capacity: int) -> Resources:
    """Requests and limits of a container, for the runtime."""
    needs = container.resources
    request = needs.requests.get("cpu", needs.limits.get("cpu", 0))
    limit = milli(needs.limits.get("cpu", 0))
    return Resources(
        cpu_shares=cpu_shares(milli(request)),
        cpu_quota=cpu_quota(limit),
        cpu_period=PERIOD if limit else 0,
        memory_limit=value(needs.limits.get("memory", 0)),
        oom_score_adj=oom_score(pod, container, memory_capacity),
    )


def oom_score(pod: Pod, container: AnyContainer, memory_capacity: int) -> int:
    """The container's oom_score_adj: the kernel kills processes with high values first."""
    if (pod.spec.priority or 0) >= 2_000_000_000:
        return -997
    qos = qos_class(pod)
    if qos == "Guaranteed":
        return -997
    if qos == "BestEffort" or memory_capacity <= 0:
        return 1000
    request = value(container.resources.requests.get("memory", 0))
    score = 1000 - (1000 * request) // memory_capacity
    return min(max(score, 3), 999)


def pod_limits(pod: Pod) -> Limits:
    """The limits of a pod's cgroup. A resource is limited only if every container has a limit for it."""
    regular = [c.resources for c in pod.spec.containers]
    sidecars = [c.resources for c in pod.spec.init_containers if is_sidecar(c)]
    inits = [c.resources for c in pod.spec.init_containers if not is_sidecar(c)]
    together = regular + sidecars
    cpu = max(_sum(together, "cpu"), *(_request(r, "cpu") for r in inits), 0)
    qos = qos_class(pod)
    if qos == "BestEffort":
        return Limits(cpu_shares=_MIN_SHARES)
    cpu_limit = _limit(together, inits, "cpu")
    memory_limit = _limit(together, inits, "memory")
    return Limits(
        cpu_shares=cpu_shares(cpu),
        cpu_quota=cpu_quota(cpu_limit) if cpu_limit else None,
        memory=memory_limit or None,
    )


def _amount(resource: str, quantity: str | int | float) -> int:
    return milli(quantity) if resource == "cpu" else value(quantity)


def _request(needs: ResourceRequirements, resource: str) -> int:
    return _amount(resource, needs.requests.get(resource, needs.limits.get(resource, 0)))


def _sum(needs: Iterable[ResourceRequirements], resource: str) -> int:
    return sum(_request(n, resource) for n in needs)


def _limit(together: list[ResourceRequirements], inits: list[ResourceRequirements], resource: str) -> int:
    if any(resource not in n.limits for n in [*together, *inits]):
        return 0
    total = sum(_amount(resource, n.limits[resource]) for n in together)
    return max([total, *(_amount(resource, n.limits[resource]) for n in inits)])
