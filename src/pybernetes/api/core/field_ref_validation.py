"""Validation of references to fields and resources of the pod, in environment variables and downward API files."""

import re

from pybernetes.api import names, rules
from pybernetes.api.core.selectors import ObjectFieldSelector, ResourceFieldSelector
from pybernetes.api.field import Errors, Path
from pybernetes.api.quantity import canonical

ENV_FIELDS = (
    "metadata.name",
    "metadata.namespace",
    "metadata.uid",
    "spec.nodeName",
    "spec.serviceAccountName",
    "status.hostIP",
    "status.hostIPs",
    "status.podIP",
    "status.podIPs",
)
VOLUME_FIELDS = ("metadata.annotations", "metadata.labels", "metadata.name", "metadata.namespace", "metadata.uid")
_OTHER_FIELDS = frozenset(("metadata.annotations", "metadata.labels", "spec.restartPolicy", "status.phase"))
RESOURCES = (
    "limits.cpu",
    "limits.ephemeral-storage",
    "limits.memory",
    "requests.cpu",
    "requests.ephemeral-storage",
    "requests.memory",
)
_SUBSCRIPT = re.compile(r"(metadata\.(?:annotations|labels))\['(.*)'\]", re.DOTALL)
_CPU_DIVISORS = ("1", "1m")
_BYTE_DIVISORS = ("1", "1k", "1M", "1G", "1T", "1P", "1E", "1Ki", "1Mi", "1Gi", "1Ti", "1Pi", "1Ei")
_BYTE_RESOURCES = {"memory": "memory", "ephemeral-storage": "local ephemeral storage"}


def validate_field_ref(ref: ObjectFieldSelector, allowed: tuple[str, ...], path: Path, errors: Errors) -> None:
    """The field is one of the allowed ones; `metadata.labels['key']` selects one label."""
    if not ref.api_version:
        errors.required(path / "apiVersion")
        return
    if not ref.field_path:
        errors.required(path / "fieldPath")
        return
    place = path / "fieldPath"
    if ref.api_version != "v1":
        text = f"error converting fieldPath: unsupported pod version: {ref.api_version}"
        errors.invalid(place, ref.field_path, text)
        return
    subscript = _SUBSCRIPT.fullmatch(ref.field_path)
    if subscript is not None:
        base, key = subscript.groups()
        rules.follows(key.lower() if base.endswith("annotations") else key, names.qualified_name, path, errors)
    elif ref.field_path in allowed:
        return
    elif ref.field_path in _OTHER_FIELDS or ref.field_path in ENV_FIELDS:
        errors.not_supported(place, ref.field_path, list(allowed))
    else:
        text = f"error converting fieldPath: field label not supported: {ref.field_path}"
        errors.invalid(place, ref.field_path, text)


def validate_resource_ref(ref: ResourceFieldSelector, path: Path, errors: Errors, *, in_volume: bool) -> None:
    """The resource is known, and its divisor is allowed."""
    if in_volume and not ref.container_name:
        errors.required(path / "containerName")
    elif not ref.resource:
        errors.required(path / "resource")
    elif ref.resource not in RESOURCES and not ref.resource.startswith(("limits.hugepages-", "requests.hugepages-")):
        errors.not_supported(path / "resource", ref.resource, list(RESOURCES))
    _divisor(ref, path / "divisor", errors)


def _divisor(ref: ResourceFieldSelector, path: Path, errors: Errors) -> None:
    divisor = canonical(ref.divisor) if ref.divisor is not None else "0"
    if divisor == "0":
        return
    resource = ref.resource.removeprefix("limits.").removeprefix("requests.")
    if resource == "cpu" and divisor not in _CPU_DIVISORS:
        text = "only divisor's values 1m and 1 are supported with the cpu resource"
        errors.invalid(path, ref.resource, text)
    shown = "hugepages" if resource.startswith("hugepages-") else _BYTE_RESOURCES.get(resource)
    if shown is not None and divisor not in _BYTE_DIVISORS:
        text = f"only divisor's values {', '.join(_BYTE_DIVISORS)} are supported with the {shown} resource"
        errors.invalid(path, ref.resource, text)
