"""Validation of Nodes, and what is dropped from them."""

import ipaddress
import re

from pybernetes.api import names, rules
from pybernetes.api.core.node_object import Node, Taint
from pybernetes.api.core.placement_validation import EFFECTS
from pybernetes.api.core.resource_validation import amount_of
from pybernetes.api.field import Errors, Path

_FEATURE = re.compile(r"[A-Z][A-Za-z0-9]*(/[A-Za-z0-9]+)*")
_SPEC, _STATUS = Path("spec"), Path("status")


def drop_unused(new: Node, old: Node | None = None) -> None:
    """Fields of features that were removed or are off cannot be set."""
    if old is None or old.spec.config_source is None:
        new.spec.config_source = None
    if old is None:
        new.status.config = None
    if old is None or old.spec.pod_preemption_policy is None:
        new.spec.pod_preemption_policy = None


def drop_unused_status(new: Node, old: Node) -> None:
    """The same, of a write to the status."""
    if old.status.config is None:
        new.status.config = None


def validate(obj: Node, errors: Errors) -> None:
    """Taints, pod address ranges and quantities are valid."""
    _taints(obj.spec.taints, errors)
    for name, amounts in (("capacity", obj.status.capacity), ("allocatable", obj.status.allocatable)):
        for resource, amount in amounts.items():
            amount_of(resource, amount, _STATUS / name / resource, errors)
    _features(obj.status.declared_features, _STATUS / "declaredFeatures", errors)
    _ranges(obj.spec.pod_cidrs, _SPEC / "podCIDRs", errors)


def _taints(taints: list[Taint], errors: Errors) -> None:
    seen: set[tuple[str, str]] = set()
    for index, taint in enumerate(taints):
        path = Path("metadata") / "taints" @ index  # The path that kube-apiserver reports.
        rules.follows(taint.key, names.qualified_name, path / "key", errors)
        if complaints := names.label_value(taint.value):
            errors.invalid(path / "value", taint.value, ";".join(complaints))
        rules.one_of(taint.effect, EFFECTS, path / "effect", errors)
        if (taint.key, taint.effect) in seen:
            shown = {
                "Key": taint.key,
                "Value": taint.value,
                "Effect": taint.effect,
                "TimeAdded": taint.time_added or None,
            }
            errors.duplicate(path, shown, "taints must be unique by key and effect pair")
        seen.add((taint.key, taint.effect))


def _features(features: list[str], path: Path, errors: Errors) -> None:
    for index, feature in enumerate(features):
        if not _FEATURE.fullmatch(feature):
            text = (
                f'invalid feature name "{feature}": must start with an UpperCamelCase segment, with subsequent '
                "segments separated by '/' (e.g., MyFeature or MyFeature/mySubFeature), and contain only alphanumeric "
                "characters and slashes"
            )
            errors.invalid(path @ index, feature, text)
        following = features[index + 1] if index + 1 < len(features) else None
        if following == feature:
            errors.duplicate(path @ (index + 1), feature)
        elif following is not None and following < feature:
            errors.invalid(path @ (index + 1), following, "list must be sorted alphabetically")


def _ranges(ranges: list[str], path: Path, errors: Errors) -> None:
    for index, value in enumerate(ranges):
        rules.cidr(value, path @ index, errors)
    if len(ranges) < 2:
        return
    wrong = next(((i, value) for i, value in enumerate(ranges) if not rules.is_cidr(value)), None)
    if wrong is not None:
        text = f"invalid CIDR[{wrong[0]}]: <nil> (invalid CIDR address: {wrong[1]})"
        errors.internal(path, f"invalid PodCIDRs. failed to check with dual stack with error:{text}")
    families = set() if wrong is not None else {ipaddress.ip_network(value, strict=False).version for value in ranges}
    if len(families) < 2 or len(ranges) > 2:
        errors.invalid(path, ranges, "may specify no more than one CIDR for each IP family")


def validate_update(new: Node, old: Node, errors: Errors) -> None:
    """Pod address ranges and the provider ID cannot change once set."""
    if old.spec.pod_cidrs and new.spec.pod_cidrs != old.spec.pod_cidrs:
        errors.forbidden(_SPEC / "podCIDRs", 'node updates may not change podCIDR except from "" to valid')
    if new.spec.external_id != old.spec.external_id:
        errors.forbidden(_SPEC / "externalID", "may not be updated")
    if old.spec.provider_id and new.spec.provider_id != old.spec.provider_id:
        text = "field cannot be modified once set" if new.spec.provider_id else "field cannot be cleared once set"
        errors.last.invalid(_SPEC / "providerID", None, text)
    validate_addresses(new, errors)


def validate_status(new: Node, old: Node, errors: Errors) -> None:
    """Quantities and features are valid, and no address occurs twice."""
    validate(new, errors)
    validate_addresses(new, errors)


def validate_addresses(obj: Node, errors: Errors) -> None:
    """No address occurs twice."""
    seen: set[tuple[str, str]] = set()
    for index, address in enumerate(obj.status.addresses):
        if (address.type, address.address) in seen:
            shown = {"Type": address.type, "Address": address.address}
            errors.duplicate(_STATUS / "addresses" @ index, shown)
        seen.add((address.type, address.address))


def warnings(new: Node, old: Node | None) -> list[str]:
    """What kube-apiserver warns about."""
    if not new.spec.external_id:
        return []
    return ["spec.externalID: this field is deprecated, and is unused by Kubernetes"]
