"""Validation of resource requests and limits: names, quantities, and their relation."""

from pybernetes.api import names, rules
from pybernetes.api.core.container import ResourceClaim, ResourceRequirements
from pybernetes.api.field import Errors, Path
from pybernetes.api.meta import Quantity
from pybernetes.api.meta_validation import NOT_NEGATIVE
from pybernetes.api.quantity import canonical, milli, parse

STANDARD = frozenset(("cpu", "memory", "ephemeral-storage"))
_KNOWN = (
    STANDARD
    | {f"{kind}.{name}" for kind in ("limits", "requests") for name in STANDARD}
    | {
        "configmaps",
        "persistentvolumeclaims",
        "pods",
        "replicationcontrollers",
        "requests.storage",
        "resourcequotas",
        "secrets",
        "services",
        "services.loadbalancers",
        "services.nodeports",
        "storage",
    }
)
HUGE = "hugepages-"
POD_RESOURCES = ("cpu", "hugepages-", "memory")


def validate_resources(
    resources: ResourceRequirements, claims: frozenset[str], path: Path, errors: Errors, *, of_pod: bool = False
) -> None:
    """Limits and requests of a container, or of a pod as a whole. `claims`: the resource claims of the pod."""
    check = _pod_name if of_pod else validate_container_name
    for name, amount in resources.limits.items():
        place = path / "limits" @ name
        check(name, place, errors)
        amount_of(name, amount, place, errors)
        _huge_page_size(name, amount, place, errors)
    for name, amount in resources.requests.items():
        place = path / "requests" @ name
        check(name, place, errors)
        amount_of(name, amount, place, errors)
        _against_limit(name, amount, resources, path, errors)
        _huge_page_size(name, amount, place, errors)
    asked = {*resources.limits, *resources.requests}
    if any(name.startswith(HUGE) for name in asked) and not asked & {"cpu", "memory"}:
        errors.forbidden(path, "HugePages require cpu or memory")
    _claims(resources.claims, claims, path / "claims", errors)


def _claims(used: list[ResourceClaim], claims: frozenset[str], path: Path, errors: Errors) -> None:
    seen: set[str] = set()
    # Claims of which single requests are used.
    partly: set[str] = set()
    for index, claim in enumerate(used):
        name, place = claim.name, path @ index
        if not name:
            errors.required(place)
            continue
        key = f"{name}/{claim.request}" if claim.request else name
        if name in seen:
            errors.duplicate(place, name)
        else:
            if claim.request:
                rules.follows(claim.request, names.dns_label, place / "request", errors)
            if key in seen:
                errors.duplicate(place, key)
            elif not claim.request and name in partly:
                errors.duplicate(place, name)
            seen.add(key)
            if claim.request:
                partly.add(name)
        if name not in claims:
            known = f": {', '.join(sorted(claims))}" if claims else " which is empty"
            errors.not_found(place, name, f"must be one of the names in pod.spec.resourceClaims{known}")


def _name(name: str, path: Path, errors: Errors) -> bool:
    messages = names.qualified_name(name)
    for message in messages:
        errors.invalid(path, name, message)
    if not messages and "/" not in name and not name.startswith(HUGE) and name not in _KNOWN:
        errors.invalid(path, name, "must be a standard resource type or fully qualified")
        return False
    return not messages


def validate_container_name(name: str, path: Path, errors: Errors) -> None:
    """The name of a resource that a container can ask for."""
    _name(name, path, errors)
    if "/" not in name:
        if name not in STANDARD and not name.startswith(HUGE):
            errors.invalid(path, name, "must be a standard resource for containers")
    elif "kubernetes.io/" not in name and not _is_extended_name(name):
        errors.invalid(path, name, "doesn't follow extended resource name standard")


def _is_extended_name(name: str) -> bool:
    return is_extended(name) and not names.qualified_name(f"requests.{name}")


def _pod_name(name: str, path: Path, errors: Errors) -> None:
    if _name(name, path, errors) and not is_pod_resource(name):
        errors.not_supported(path, name, list(POD_RESOURCES))


def is_pod_resource(name: str) -> bool:
    """Whether a pod as a whole can ask for a resource."""
    return name in POD_RESOURCES or name.startswith(HUGE)


def is_extended(name: str) -> bool:
    """Whether a resource is an extended resource: counted in whole units, never overcommitted."""
    return "/" in name and "kubernetes.io/" not in name and not name.startswith("requests.")


def amount_of(name: str, amount: Quantity, path: Path, errors: Errors) -> None:
    """A quantity is 0 or more, and integral for resources that cannot be divided."""
    if parse(amount).nanos < 0:
        errors.invalid(path, canonical(amount), NOT_NEGATIVE)
    if (is_extended(name) or name == "pods") and milli(amount) % 1000:
        errors.invalid(path, amount, "must be an integer")


def _huge_page_size(name: str, amount: Quantity, path: Path, errors: Errors) -> None:
    if not name.startswith(HUGE):
        return
    try:
        size = parse(name.removeprefix(HUGE)).nanos
    except ValueError:
        size = 0
    if size <= 0 or parse(amount).nanos % size:
        shown = canonical(amount)
        errors.invalid(path, shown, f"{shown} is not positive integer multiple of {name}")


def _against_limit(name: str, amount: Quantity, resources: ResourceRequirements, path: Path, errors: Errors) -> None:
    whole_only = is_extended(name) or name.startswith(HUGE)
    limit = resources.limits.get(name)
    if limit is None:
        if whole_only:
            errors.required(path / "limits", "Limit must be set for non overcommitable resources")
        return
    requested, allowed = parse(amount).nanos, parse(limit).nanos
    if whole_only and requested != allowed:
        errors.invalid(path / "requests", canonical(amount), f"must be equal to {name} limit of {canonical(limit)}")
    elif requested > allowed:
        text = f"must be less than or equal to {name} limit of {canonical(limit)}"
        errors.invalid(path / "requests", canonical(amount), text)
