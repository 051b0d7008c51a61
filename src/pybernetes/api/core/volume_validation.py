"""Validation of volumes: unique names, one source each, and the rules of each source."""

from collections.abc import Callable
from typing import Any

from pybernetes.api import names, rules
from pybernetes.api.core.field_ref_validation import VOLUME_FIELDS, validate_field_ref, validate_resource_ref
from pybernetes.api.core.selectors import KeyToPath
from pybernetes.api.core.volume import (
    ConfigMapVolumeSource,
    DownwardAPIVolumeFile,
    DownwardAPIVolumeSource,
    EmptyDirVolumeSource,
    EphemeralVolumeSource,
    HostPathVolumeSource,
    ImageVolumeSource,
    NFSVolumeSource,
    PersistentVolumeClaimVolumeSource,
    ProjectedVolumeSource,
    SecretVolumeSource,
    Volume,
    VolumeProjection,
)
from pybernetes.api.field import Errors, Path, show
from pybernetes.api.naming import json_names
from pybernetes.api.quantity import parse

MODE_TEXT = "must be a number between 0 and 0777 (octal), both inclusive"
HOST_PATH_TYPES = (
    "",
    "BlockDevice",
    "CharDevice",
    "Directory",
    "DirectoryOrCreate",
    "File",
    "FileOrCreate",
    "Socket",
)
_SOURCES = tuple(name for name in Volume.__struct_fields__ if name != "name")


def validate_volumes(volumes: list[Volume], path: Path, errors: Errors) -> set[str]:
    """Validate the volumes of a pod. Returns their names, to check the mounts."""
    seen: set[str] = set()
    for index, volume in enumerate(volumes):
        place = path @ index
        rules.named(volume.name, names.dns_label, place / "name", errors)
        if volume.name in seen:
            errors.duplicate(place / "name", volume.name)
        seen.add(volume.name)
        _source(volume, place, errors)
    return seen


def _source(volume: Volume, path: Path, errors: Errors) -> None:
    given = [name for name in _SOURCES if getattr(volume, name) is not None]
    if not given:
        errors.required(path, "must specify a volume type")
    for extra in given[1:]:
        errors.forbidden(path / json_names(Volume)[extra], "may not specify more than 1 volume type")
    for name in given[:1]:
        check = _CHECKS.get(name)
        if check is not None:
            check(getattr(volume, name), path / json_names(Volume)[name], errors)


def _mode(mode: int | None, path: Path, errors: Errors) -> None:
    if mode is not None and not 0 <= mode <= 0o777:
        errors.invalid(path, mode, MODE_TEXT)


def _items(items: list[KeyToPath], path: Path, errors: Errors) -> None:
    for index, item in enumerate(items):
        place = path @ index
        if not item.key:
            errors.required(place / "key")
        _file(item.path, place / "path", errors)
        _mode(item.mode, place / "mode", errors)


def _file(name: str, path: Path, errors: Errors) -> None:
    if not name:
        errors.required(path)
    else:
        rules.relative_path(name, path, errors)
        if name.startswith("..") and ".." not in name.split("/"):
            errors.invalid(path, name, "must not start with '..'")


def _secret(source: SecretVolumeSource, path: Path, errors: Errors) -> None:
    if not source.secret_name:
        errors.required(path / "secretName")
    _mode(source.default_mode, path / "defaultMode", errors)
    _items(source.items, path / "items", errors)


def _config_map(source: ConfigMapVolumeSource, path: Path, errors: Errors) -> None:
    if not source.name:
        errors.required(path / "name")
    _mode(source.default_mode, path / "defaultMode", errors)
    _items(source.items, path / "items", errors)


def _host_path(source: HostPathVolumeSource, path: Path, errors: Errors) -> None:
    if not source.path:
        errors.required(path / "path")
    else:
        rules.no_parent_steps(source.path, path / "path", errors)
    if source.type not in HOST_PATH_TYPES:
        errors.not_supported(path / "type", source.type, list(HOST_PATH_TYPES))


def _empty_dir(source: EmptyDirVolumeSource, path: Path, errors: Errors) -> None:
    if source.size_limit is not None and parse(source.size_limit).nanos < 0:
        errors.forbidden(path / "sizeLimit", "SizeLimit field must be a valid resource quantity")


def _downward(source: DownwardAPIVolumeSource, path: Path, errors: Errors) -> None:
    _mode(source.default_mode, path / "defaultMode", errors)
    _downward_files(source.items, path, errors)


def _downward_files(items: list[DownwardAPIVolumeFile], path: Path, errors: Errors) -> None:
    for index, item in enumerate(items):
        place = path @ index if path.endswith("items") else path
        _file(item.path, place / "path", errors)
        if item.field_ref is not None:
            validate_field_ref(item.field_ref, VOLUME_FIELDS, place / "fieldRef", errors)
            if item.resource_field_ref is not None:
                errors.invalid(place, "resource", "fieldRef and resourceFieldRef can not be specified simultaneously")
        elif item.resource_field_ref is not None:
            validate_resource_ref(item.resource_field_ref, place / "resourceFieldRef", errors, in_volume=True)
        else:
            errors.required(place, "one of fieldRef and resourceFieldRef is required")
        _mode(item.mode, place / "mode", errors)


def _projected(source: ProjectedVolumeSource, path: Path, errors: Errors) -> None:
    _mode(source.default_mode, path / "defaultMode", errors)
    if not source.sources:
        return
    taken: set[str] = set()
    for index, part in enumerate(source.sources):
        place = path / "sources" @ index
        given = [name for name in VolumeProjection.__struct_fields__ if getattr(part, name) is not None]
        if not given:
            errors.required(place, "must specify a volume type")
        for extra in given[1:]:
            errors.forbidden(place / json_names(VolumeProjection)[extra], "may not specify more than 1 volume type")
        _projection(part, place, errors)
        for name in _paths_of(part):
            if name in taken:
                errors.invalid(place, name, f"conflicting duplicate paths: {show(name)}")
            taken.add(name)


def _projection(part: VolumeProjection, path: Path, errors: Errors) -> None:
    if part.secret is not None:
        if not part.secret.name:
            errors.required(path / "secret" / "name")
        _items(part.secret.items, path / "secret" / "items", errors)
    if part.config_map is not None:
        if not part.config_map.name:
            errors.required(path / "configMap" / "name")
        _items(part.config_map.items, path / "configMap" / "items", errors)
    if part.downward_api is not None:
        _downward_files(part.downward_api.items, path / "downwardAPI", errors)
    token = part.service_account_token
    if token is not None:
        place = path / "serviceAccountToken"
        if token.expiration_seconds is not None and token.expiration_seconds < 600:
            errors.invalid(
                place / "expirationSeconds", token.expiration_seconds, "may not specify a duration less than 10 minutes"
            )
        if token.expiration_seconds is not None and token.expiration_seconds > 1 << 32:
            errors.invalid(
                place / "expirationSeconds",
                token.expiration_seconds,
                "may not specify a duration larger than 2^32 seconds",
            )
        _file(token.path, place / "path", errors)


def _paths_of(part: VolumeProjection) -> list[str]:
    found = [item.path for source in (part.secret, part.config_map) if source is not None for item in source.items]
    if part.downward_api is not None:
        found += [item.path for item in part.downward_api.items]
    if part.service_account_token is not None:
        found.append(part.service_account_token.path)
    return found


def _claim(source: PersistentVolumeClaimVolumeSource, path: Path, errors: Errors) -> None:
    if not source.claim_name:
        errors.required(path / "claimName")


def _nfs(source: NFSVolumeSource, path: Path, errors: Errors) -> None:
    if not source.server:
        errors.required(path / "server")
    if not source.path:
        errors.required(path / "path")
    elif not source.path.startswith("/"):
        errors.invalid(path / "path", source.path, "must be an absolute path")


def _image(source: ImageVolumeSource, path: Path, errors: Errors) -> None:
    if not source.reference:
        errors.required(path / "reference")
    rules.one_of(source.pull_policy, ("Always", "IfNotPresent", "Never"), path / "pullPolicy", errors)


def _ephemeral(source: EphemeralVolumeSource, path: Path, errors: Errors) -> None:
    if source.volume_claim_template is None:
        errors.required(path / "volumeClaimTemplate")
    elif not source.volume_claim_template.spec.access_modes:
        errors.required(path / "volumeClaimTemplate" / "spec" / "accessModes", "at least 1 access mode is required")


_CHECKS: dict[str, Callable[[Any, Path, Errors], None]] = {
    "secret": _secret,
    "config_map": _config_map,
    "host_path": _host_path,
    "empty_dir": _empty_dir,
    "downward_api": _downward,
    "projected": _projected,
    "persistent_volume_claim": _claim,
    "nfs": _nfs,
    "image": _image,
    "ephemeral": _ephemeral,
}
