"""Rules for what the kubelet and other clients report in the status of a pod."""

from collections.abc import Sequence

from pybernetes.api import names, rules
from pybernetes.api.core.container import Container
from pybernetes.api.core.container_status import ContainerStatus
from pybernetes.api.core.pod_object import Pod
from pybernetes.api.core.pod_spec import PodSpec
from pybernetes.api.core.pod_status import HostIP, PodCondition, PodExtendedResourceClaimStatus, PodIP, PodStatus
from pybernetes.api.field import Errors, Path
from pybernetes.api.meta_validation import IMMUTABLE

STATUS = Path("status")
SYSTEM_CONDITIONS = ("PodScheduled", "Ready", "Initialized")
HEALTH = ("Healthy", "Unhealthy", "Unknown")
MAX_UINT32 = 2**32 - 1
MAX_HEALTH_MESSAGE = 1024
NOT_NEGATIVE = "must be a non-negative integer"


def validate_pod_status(new: Pod, old: Pod, errors: Errors) -> None:
    """Rules for an update of a pod's status."""
    now, before, spec = new.status, old.status, old.spec
    _conditions(now.conditions, errors)
    _nominated_node(new, old, errors)
    if now.observed_generation < 0:
        errors.invalid(STATUS / "observedGeneration", now.observed_generation, NOT_NEGATIVE)
    if now.qos_class != before.qos_class:
        errors.invalid(STATUS / "qosClass", now.qos_class, IMMUTABLE)
    _transitions(now, before, spec, errors)
    _claims(now, spec, errors)
    if now.extended_resource_claim_status is not None:
        _extended_claim(now.extended_resource_claim_status, spec, STATUS / "extendedResourceClaimStatus", errors)
    _pod_ips(now, before, errors)
    _host_ips(now, before, errors)
    for statuses, path in _status_lists(now):
        _users(statuses, path, spec, errors)
    _allocated(now.container_statuses, spec.containers, now, STATUS / "containerStatuses", errors)
    _allocated(now.init_container_statuses, spec.init_containers, now, STATUS / "initContainerStatuses", errors)
    for index, status in enumerate(now.ephemeral_container_statuses):
        if status.allocated_resources_status:
            place = STATUS / "ephemeralContainerStatuses" @ index / "allocatedResourcesStatus"
            errors.forbidden(place, "must not be specified in container status")


def _status_lists(status: PodStatus) -> list[tuple[list[ContainerStatus], Path]]:
    return [
        (status.container_statuses, STATUS / "containerStatuses"),
        (status.init_container_statuses, STATUS / "initContainerStatuses"),
        (status.ephemeral_container_statuses, STATUS / "ephemeralContainerStatuses"),
    ]


def _conditions(conditions: list[PodCondition], errors: Errors) -> None:
    for index, condition in enumerate(conditions):
        place = STATUS / "conditions" @ index
        if condition.observed_generation < 0:
            errors.invalid(place / "observedGeneration", condition.observed_generation, NOT_NEGATIVE)
        if condition.type not in SYSTEM_CONDITIONS:
            rules.follows(condition.type, names.qualified_name, place / "Type", errors)


def _nominated_node(new: Pod, old: Pod, errors: Errors) -> None:
    node, path = new.status.nominated_node_name, STATUS / "nominatedNodeName"
    if not node or node == old.status.nominated_node_name:
        return
    rules.follows(node, names.dns_subdomain, path, errors)
    if old.spec.node_name:
        errors.forbidden(path, "may not be set on pods that are already bound to a node")


def _transitions(now: PodStatus, before: PodStatus, spec: PodSpec, errors: Errors) -> None:
    """A container that has terminated must not run again if it is not restarted."""
    all_restart = any(
        rule.action == "RestartAllContainers"
        for container in (*spec.init_containers, *spec.containers)
        for rule in container.restart_policy_rules
    )
    containers: tuple[list[Container] | None, ...] = (spec.containers, spec.init_containers, None)
    for (statuses, path), (old, _), known in zip(_status_lists(now), _status_lists(before), containers, strict=True):
        if all_restart and known is not None:
            continue
        current = {status.name: status for status in statuses}
        by_name = {container.name: container for container in known or ()}
        for index, status in enumerate(old):
            terminated, new = status.state.terminated, current.get(status.name)
            if terminated is None or new is None or new.state.terminated is not None:
                continue
            container = by_name.get(status.name)
            if container is None or not _restarts(container, spec, terminated.exit_code):
                errors.forbidden(path @ index / "state", "may not be transitioned to non-terminated state")


def _restarts(container: Container, spec: PodSpec, exit_code: int) -> bool:
    """Whether the container is restarted after an exit with this code."""
    policy = container.restart_policy or spec.restart_policy
    for rule in container.restart_policy_rules if container.restart_policy else ():
        if rule.exit_codes is not None and (exit_code in rule.exit_codes.values) == (rule.exit_codes.operator == "In"):
            return True
    return policy != "Never" and (policy != "OnFailure" or exit_code != 0)


def _claims(status: PodStatus, spec: PodSpec, errors: Errors) -> None:
    known, taken = {claim.name for claim in spec.resource_claims}, set()
    for index, claim in enumerate(status.resource_claim_statuses):
        place = STATUS / "resourceClaimStatuses" @ index
        if claim.name not in known:
            errors.invalid(place / "name", claim.name, "must match the name of an entry in `spec.resourceClaims`")
        if claim.name in taken:
            errors.duplicate(place / "name", claim.name)
        taken.add(claim.name)
        if claim.resource_claim_name:
            rules.follows(claim.resource_claim_name, names.dns_subdomain, place / "resourceClaimName", errors)


def _extended_claim(status: PodExtendedResourceClaimStatus, spec: PodSpec, path: Path, errors: Errors) -> None:
    containers = {container.name: container for container in (*spec.init_containers, *spec.containers)}
    if not status.request_mappings:
        errors.required(path / "requestMappings", "at least one request mapping is required")
    taken = set()
    for index, mapping in enumerate(status.request_mappings):
        place, container = path / "requestMappings" @ index, containers.get(mapping.container_name)
        if container is None:
            text = "must match the name of an entry in spec.initContainers.name or spec.containers.name"
            errors.invalid(place / "containerName", mapping.container_name, text)
        elif mapping.resource_name not in container.resources.requests:
            text = (
                "must match the extended resource name of an entry in spec.initContainers.resources.requests or "
                "spec.containers.resources.requests"
            )
            errors.invalid(place / "resourceName", mapping.resource_name, text)
        rules.follows(mapping.request_name, names.dns_label, path / "requestName", errors)
        key = (mapping.container_name, mapping.resource_name, mapping.request_name)
        if key in taken:
            for name, value in zip(("containerName", "resourceName", "requestName"), key, strict=True):
                errors.duplicate(place / name, value)
        taken.add(key)
    if not status.resource_claim_name:
        errors.required(path / "resourceClaimName")
    else:
        rules.follows(status.resource_claim_name, names.dns_subdomain, path / "resourceClaimName", errors)


def _pod_ips(now: PodStatus, before: PodStatus, errors: Errors) -> None:
    """`podIP` and the first of `podIPs` are the same; one that is not set follows the other."""
    path = STATUS / "podIPs"
    ips = now.pod_ips or ([PodIP(ip=now.pod_ip)] if now.pod_ip else [])
    _addresses(ips, before.pod_ips, path, errors)
    if not ips:
        return
    first = ips[0].ip
    if not first and not now.pod_ip:
        errors.invalid(path, _shown(ips), "podIP and podIPs must either both be set or both be unset")
    elif now.pod_ip and now.pod_ip != first:
        errors.invalid(path @ 0 / "ip", first, "must be equal to `podIP`")


def _host_ips(now: PodStatus, before: PodStatus, errors: Errors) -> None:
    path = STATUS / "hostIPs"
    if now.host_ips and now.host_ip != now.host_ips[0].ip:
        errors.invalid(path @ 0 / "ip", now.host_ips[0].ip, "must be equal to `hostIP`")
    _addresses(now.host_ips, before.host_ips, path, errors)


def _addresses(new: Sequence[PodIP | HostIP], old: Sequence[PodIP | HostIP], path: Path, errors: Errors) -> None:
    """Addresses that were there before may stay, even if they are not valid."""
    kept = {item.ip for item in old}
    for index, item in enumerate(new):
        if item.ip not in kept:
            rules.ip(item.ip, path @ index, errors)
    if len(new) < 2:
        return
    for index, item in enumerate(new):
        if not rules.is_ip(item.ip):
            errors.internal(path, f"failed to check for dual stack with error:invalid IP[{index}]: {item.ip}")
            break
    if len(new) > 2 or len({":" in item.ip for item in new}) != 2:
        errors.invalid(path, _shown(new), "may specify no more than one IP for each IP family")


def _shown(ips: Sequence[PodIP | HostIP]) -> list[dict[str, str]]:
    return [{"IP": item.ip} for item in ips]


def _users(statuses: list[ContainerStatus], path: Path, spec: PodSpec, errors: Errors) -> None:
    for index, status in enumerate(statuses):
        user = status.user.linux if status.user is not None else None
        if user is None:
            continue
        place = path @ index / "user" / "linux"
        if spec.os is not None and spec.os.name == "windows":
            errors.forbidden(place, "cannot be set for a windows pod")
            continue
        if not 0 <= user.uid <= MAX_UINT32:
            errors.invalid(place / "uid", user.uid, names.in_range(0, MAX_UINT32))
        if not 0 <= user.gid <= rules.MAX_INT32:
            errors.invalid(place / "gid", user.gid, names.in_range(0, rules.MAX_INT32))
        for number, gid in enumerate(user.supplemental_groups):
            if not 0 <= gid <= rules.MAX_INT32:
                errors.invalid(place / "supplementalGroups" @ number, gid, names.in_range(0, rules.MAX_INT32))


def _allocated(
    statuses: list[ContainerStatus], containers: list[Container], pod: PodStatus, path: Path, errors: Errors
) -> None:
    by_name = {container.name: container for container in containers}
    for index, status in enumerate(statuses):
        for number, resource in enumerate(status.allocated_resources_status):
            place = path @ index / "allocatedResourcesStatus" @ number
            container = by_name.get(status.name)
            if container is not None:
                _allocated_name(resource.name, container, pod, place / "name", errors)
            taken = set()
            for position, device in enumerate(resource.resources):
                at = place / "resources" @ position
                if device.health not in HEALTH:
                    errors.not_supported(at / "health", device.health, list(HEALTH))
                if len(device.message.encode()) > MAX_HEALTH_MESSAGE:
                    errors.too_long(at / "message", MAX_HEALTH_MESSAGE)
                if device.resource_id in taken:
                    errors.duplicate(at / "resourceID", device.resource_id)
                taken.add(device.resource_id)


def _allocated_name(name: str, container: Container, pod: PodStatus, path: Path, errors: Errors) -> None:
    """The container must ask for the resource, by its name or by a claim."""
    if not name.startswith("claim:"):
        if name not in container.resources.requests:
            errors.invalid(path, name, "must match one of the container's resource requests")
        return
    claims = [f"claim:{c.name}/{c.request}" if c.request else f"claim:{c.name}" for c in container.resources.claims]
    extended = pod.extended_resource_claim_status
    if extended is not None:
        claims += [
            f"claim:{extended.resource_claim_name}/{mapping.request_name}"
            for mapping in extended.request_mappings
            if mapping.container_name == container.name and mapping.resource_name in container.resources.requests
        ]
    if name not in claims:
        text = (
            "must match one of the container's resource claims as 'claim:<claimName>/<requestName>' when "
            "container.resources.claims[*].request is set or 'claim:<claimName>' when it is empty"
        )
        errors.invalid(path, name, text)
