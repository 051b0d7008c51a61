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
_CPU_DIVISORS = frozenset(("0", "1", "1m"))
_BYTE_DIVISORS = frozenset(
    ("0", "1", "1k", "1M", "1G", "1T", "1P", "1E", "1Ki", "1Mi", "1Gi", "1Ti", "1Pi", "1Ei", "1024")
)


def validate_field_ref(ref: ObjectFieldSelector, allowed: tuple[str, ...], path: Path, errors: Errors) -> None:
    """The field is one of the allowed ones; `metadata.labels['key']` selects one label."""
    if not ref.api_version:
        errors.required(path / "apiVersion")
        return
    if not ref.field_path:
        errors.required(path / "fieldPath")
        return
    place = path / "fieldPath"
    subscript = _SUBSCRIPT.fullmatch(ref.field_path)
    if subscript is not None:
        base, key = subscript.groups()
        rules.follows(key.lower() if base.endswith("annotations") else key, names.qualified_name, place, errors)
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
    divisor = canonical(ref.divisor) if ref.divisor is not None else "0"
    if ref.resource.endswith(".cpu"):
        if divisor not in _CPU_DIVISORS:
            errors.invalid(
                path / "divisor", divisor, "only divisor's values 1m and 1 are supported with the cpu resource"
            )
    elif divisor not in _BYTE_DIVISORS:
        errors.invalid(
            path / "divisor",
            divisor,
            "only divisor's values 1, 1k, 1M, 1G, 1T, 1P, 1E, 1Ki, 1Mi, 1Gi, 1Ti, 1Pi, 1Ei are supported with the "
            "memory resource",
        )
