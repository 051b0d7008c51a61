"""Validation rules that many kinds share, with the error texts of Kubernetes. Each checks one value."""

import ipaddress
from collections.abc import Callable, Collection
from functools import cache
from operator import attrgetter
from typing import Any

from pybernetes.api import names
from pybernetes.api.field import Errors, Path
from pybernetes.api.meta import IntOrString, LabelSelector, Object
from pybernetes.api.meta_validation import IMMUTABLE, NOT_NEGATIVE, validate_labels
from pybernetes.api.shape import shape_of

MAX_INT32 = 2**31 - 1
IP_TEXT = "must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)"
NameRule = Callable[[str], list[str]]
PROTOCOLS = ("SCTP", "TCP", "UDP")


def named(value: str, rule: Callable[[str], list[str]], path: Path, errors: Errors) -> None:
    """The value is required and must follow a rule for names."""
    if not value:
        errors.required(path)
    else:
        follows(value, rule, path, errors)


def follows(value: str, rule: Callable[[str], list[str]], path: Path, errors: Errors) -> None:
    """The value must follow a rule for names."""
    for message in rule(value):
        errors.invalid(path, value, message)


def one_of(value: str, allowed: Collection[str], path: Path, errors: Errors) -> None:
    """The value is required and must be one of a few."""
    if not value:
        errors.required(path)
    elif value not in allowed:
        errors.not_supported(path, value, list(allowed))


def not_negative(value: int | None, path: Path, errors: Errors) -> None:
    """A number, if set, is 0 or more."""
    if value is not None and value < 0:
        errors.invalid(path, value, NOT_NEGATIVE)


def port(value: int, path: Path, errors: Errors) -> None:
    """A port number."""
    for message in names.port_number(value):
        errors.invalid(path, value, message)


def port_or_name(value: IntOrString, path: Path, errors: Errors) -> None:
    """A port number, or the name of a container's port."""
    messages = names.port_name(value) if isinstance(value, str) else names.port_number(value)
    for message in messages:
        errors.invalid(path, value, message)


def is_ip(value: str) -> bool:
    """Whether a text is an IPv4 or IPv6 address without a zone."""
    try:
        ipaddress.ip_address(value)
    except ValueError:
        return False
    return "%" not in value


def ip(value: str, path: Path, errors: Errors) -> None:
    """An IP address of either family."""
    if not is_ip(value):
        errors.invalid(path, value, IP_TEXT)


def unicast(value: str, path: Path, errors: Errors) -> None:
    """An address that an endpoint can have: not unspecified, loopback, link-local or multicast."""
    ip(value, path, errors)
    if is_ip(value):
        endpoint_ip(value, path, errors)


def endpoint_ip(value: str, path: Path, errors: Errors) -> None:
    """The same, of what `ip` has checked already."""
    if not is_ip(value):
        errors.invalid(path, value, "must be a valid IP address")
        return
    address = ipaddress.ip_address(value)
    if address.is_unspecified:
        errors.invalid(path, value, f"may not be unspecified ({value})")
    if address.is_loopback:
        errors.invalid(path, value, "may not be in the loopback range (127.0.0.0/8, ::1/128)")
    if address.is_link_local:
        errors.invalid(path, value, "may not be in the link-local range (169.254.0.0/16, fe80::/10)")
    if address.is_multicast:
        errors.invalid(path, value, "may not be in the multicast range (224.0.0.0/4, ff00::/10)")


def is_cidr(value: str) -> bool:
    """Whether a text is an address with a prefix length."""
    try:
        ipaddress.ip_network(value, strict=False)
    except ValueError:
        return False
    return "/" in value


def cidr(value: str, path: Path, errors: Errors) -> None:
    """An address with a prefix length."""
    if not is_cidr(value):
        errors.invalid(path, value, "must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)")


def immutable_fields(new: Object, old: Object, errors: Errors) -> None:
    """No field with the fact `Immutable` may change."""
    for get, path in _immutable_places(type(new)):
        if get(new) != get(old):
            errors.invalid(path, get(new), IMMUTABLE)


@cache
def _immutable_places(struct: type[Object]) -> tuple[tuple[Callable[[Any], Any], Path], ...]:
    """(getter, path) of every immutable field that is not in a list or a map."""
    found: list[tuple[Callable[[Any], Any], Path]] = []
    todo = [(shape_of(struct), "", Path(""))]
    while todo:
        shape, attributes, path = todo.pop()
        for name, field in shape.fields.items():
            attribute = f"{attributes}{field.attribute}"
            if field.immutable:
                found.append((attrgetter(attribute), path / name))
            elif field.shape.form == "struct" and field.always:
                todo.append((field.shape, attribute + ".", path / name))
    return tuple(found)


def unique(values: list[str], place: Callable[[int], Path], errors: Errors) -> None:
    """No value other than the empty string occurs twice; `place` returns the path of an index."""
    seen: set[str] = set()
    for index, value in enumerate(values):
        if value and value in seen:
            errors.duplicate(place(index), value)
        seen.add(value)


def relative_path(value: str, path: Path, errors: Errors) -> None:
    """A relative path without `..`."""
    if value.startswith("/"):
        errors.invalid(path, value, "must be a relative path")
    no_parent_steps(value, path, errors)


def no_parent_steps(value: str, path: Path, errors: Errors) -> None:
    """A path without `..` in it."""
    if ".." in value.split("/"):
        errors.invalid(path, value, "must not contain '..'")


def values_for_operator(operator: str, values: list[str], path: Path, errors: Errors) -> bool:
    """In and NotIn have values, Exists and DoesNotExist have none. Returns whether the operator is one of these."""
    if operator in ("In", "NotIn"):
        if not values:
            errors.required(path / "values", "must be specified when `operator` is 'In' or 'NotIn'")
        return True
    if operator in ("Exists", "DoesNotExist"):
        if values:
            errors.forbidden(path / "values", "may not be specified when `operator` is 'Exists' or 'DoesNotExist'")
        return True
    return False


def file_path(value: str, path: Path, errors: Errors) -> None:
    """A relative path of a file in a volume: names that start with `..` are reserved for the kubelet."""
    relative_path(value, path, errors)
    if value.startswith("..") and not value.startswith("../"):
        errors.invalid(path, value, "must not start with '..'")


def identity(value: int | None, path: Path, errors: Errors) -> None:
    """A user or group ID, if set."""
    if value is not None and not 0 <= value <= MAX_INT32:
        errors.invalid(path, value, names.in_range(0, MAX_INT32))


def label_selector(selector: LabelSelector, path: Path, errors: Errors) -> None:
    """Keys, values and operators of a LabelSelector."""
    validate_labels(selector.match_labels, path / "matchLabels", errors)
    for index, expression in enumerate(selector.match_expressions):
        place = path / "matchExpressions" @ index
        if not values_for_operator(expression.operator, expression.values, place, errors):
            errors.invalid(place / "operator", expression.operator, "not a valid selector operator")
        follows(expression.key, names.qualified_name, place / "key", errors)
        for number, value in enumerate(expression.values):
            follows(value, names.label_value, place / "values" @ number, errors)


def int_or_percent(value: IntOrString, path: Path, errors: Errors) -> None:
    """A number of 0 or more, or a percentage."""
    if isinstance(value, str):
        follows(value, names.percent, path, errors)
    else:
        not_negative(value, path, errors)
        if value > MAX_INT32:
            errors.invalid(path, value, f"must be less than or equal to {MAX_INT32}")


def not_above_all(value: IntOrString, path: Path, errors: Errors) -> None:
    """A percentage of at most 100%."""
    if isinstance(value, str) and not names.percent(value) and int(value[:-1]) > 100:
        errors.invalid(path, value, "must not be greater than 100%")
