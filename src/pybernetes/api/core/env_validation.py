"""Validation of environment variables."""

from pybernetes.api import names, rules
from pybernetes.api.core.container import EnvFromSource, EnvVar, EnvVarSource
from pybernetes.api.core.field_ref_validation import ENV_FIELDS, validate_field_ref, validate_resource_ref
from pybernetes.api.core.selectors import ConfigMapKeySelector, FileKeySelector, SecretKeySelector
from pybernetes.api.field import Errors, Path

_NO_SOURCE = "must specify one of: `fieldRef`, `resourceFieldRef`, `configMapKeyRef`, `secretKeyRef` or `fileKeyRef`"
_TWO_SOURCES = "may not have more than one field specified at a time"


def validate_env(variables: list[EnvVar], path: Path, errors: Errors) -> None:
    """Names and sources of environment variables."""
    for index, variable in enumerate(variables):
        rules.named(variable.name, names.env_name, path @ index / "name", errors)
        if variable.value_from is not None:
            _source(variable.value_from, variable.value, path @ index / "valueFrom", errors)


def _source(source: EnvVarSource, value: str, path: Path, errors: Errors) -> None:
    if source.field_ref is not None:
        validate_field_ref(source.field_ref, ENV_FIELDS, path / "fieldRef", errors)
    if source.resource_field_ref is not None:
        validate_resource_ref(source.resource_field_ref, path / "resourceFieldRef", errors, in_volume=False)
    if source.config_map_key_ref is not None:
        _key(source.config_map_key_ref, path / "configMapKeyRef", errors)
    if source.secret_key_ref is not None:
        _key(source.secret_key_ref, path / "secretKeyRef", errors)
    if source.file_key_ref is not None:
        _file_key(source.file_key_ref, path / "fileKeyRef", errors)
    given = sum(getattr(source, name) is not None for name in EnvVarSource.__struct_fields__)
    if not given:
        errors.invalid(path, "", _NO_SOURCE)
    elif value:
        errors.invalid(path, "", "may not be specified when `value` is not empty")
    elif given > 1:
        errors.invalid(path, "", _TWO_SOURCES)


def _key(ref: ConfigMapKeySelector | SecretKeySelector, path: Path, errors: Errors) -> None:
    rules.follows(ref.name, names.dns_subdomain, path / "name", errors)
    rules.named(ref.key, names.config_key, path / "key", errors)


def _file_key(ref: FileKeySelector, path: Path, errors: Errors) -> None:
    rules.named(ref.key, names.env_name, path / "key", errors)
    rules.named(ref.volume_name, names.dns_label, path / "volumeName", errors)
    if not ref.path:
        errors.required(path / "path")
    else:
        rules.no_parent_steps(ref.path, path / "path", errors)


def validate_env_from(sources: list[EnvFromSource], path: Path, errors: Errors) -> None:
    """Prefixes and names of ConfigMaps and Secrets."""
    for index, source in enumerate(sources):
        place = path @ index
        if source.prefix:
            rules.follows(source.prefix, names.env_name, place / "prefix", errors)
        given = 0
        for ref, name in ((source.config_map_ref, "configMapRef"), (source.secret_ref, "secretRef")):
            if ref is not None:
                given += 1
                rules.named(ref.name, names.dns_subdomain, place / name / "name", errors)
        # kube-apiserver reports the following at the list.
        if not given:
            errors.invalid(path, "", "must specify one of: `configMapRef` or `secretRef`")
        elif given > 1:
            errors.invalid(path, "", _TWO_SOURCES)
