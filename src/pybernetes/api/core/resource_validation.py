"""Validation of resource requests and limits: names, quantities, and their relation."""

from pybernetes.api import names
from pybernetes.api.core.container import ResourceRequirements
from pybernetes.api.field import Errors, Path
from pybernetes.api.meta import Quantity
from pybernetes.api.meta_validation import NOT_NEGATIVE
from pybernetes.api.quantity import canonical, milli, parse

STANDARD = frozenset(("cpu", "memory", "ephemeral-storage"))
_KNOWN = STANDARD | {"storage", "pods", "services", "replicationcontrollers", "resourcequotas", "secrets", "configmaps"}
HUGE = "hugepages-"


def validate_resources(resources: ResourceRequirements, path: Path, errors: Errors) -> None:
    """Limits and requests of a container."""
    for name, amount in resources.limits.items():
        place = path / "limits" @ name
        _name(name, place, errors)
        amount_of(name, amount, place, errors)
        _huge_page_size(name, amount, place, errors)
    for name, amount in resources.requests.items():
        place = path / "requests" @ name
        _name(name, place, errors)
        amount_of(name, amount, place, errors)
        _against_limit(name, amount, resources, path, errors)
    asked = {*resources.limits, *resources.requests}
    if any(name.startswith(HUGE) for name in asked) and not asked & {"cpu", "memory"}:
        errors.forbidden(path, "HugePages require cpu or memory")
    seen: set[str] = set()
    for index, claim in enumerate(resources.claims):
        if not claim.name:
            errors.required(path / "claims" @ index / "name")
        elif claim.name in seen:
            errors.duplicate(path / "claims" @ index, claim.name)
        seen.add(claim.name)


def _name(name: str, path: Path, errors: Errors) -> None:
    messages = names.qualified_name(name)
    for message in messages:
        errors.invalid(path, name, message)
    if messages or "/" in name or name.startswith(HUGE):
        return
    if name not in _KNOWN:
        errors.invalid(path, name, "must be a standard resource type or fully qualified")
    if name not in STANDARD:
        errors.invalid(path, name, "must be a standard resource for containers")


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
    if name.startswith(HUGE) and not names.qualified_name(name):
        try:
            size = parse(name.removeprefix(HUGE)).nanos
        except ValueError:
            return
        if size <= 0 or parse(amount).nanos % size:
            errors.invalid(path, amount, "must be an integer multiple of page size")


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
