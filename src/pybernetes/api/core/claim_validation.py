"""Validation of the template of a PersistentVolumeClaim in an ephemeral volume."""

from pybernetes.api import names, rules
from pybernetes.api.core.reference import TypedLocalObjectReference, TypedObjectReference
from pybernetes.api.core.volume import PersistentVolumeClaimSpec, PersistentVolumeClaimTemplate
from pybernetes.api.field import Errors, Path
from pybernetes.api.meta import ObjectMeta
from pybernetes.api.meta_validation import validate_annotations, validate_labels
from pybernetes.api.quantity import canonical, parse

ACCESS_MODES = ("ReadOnlyMany", "ReadWriteMany", "ReadWriteOnce", "ReadWriteOncePod")
VOLUME_MODES = ("Block", "Filesystem")
_FORBIDDEN_METADATA = (
    ("name", "name"),
    ("generate_name", "generateName"),
    ("namespace", "namespace"),
    ("uid", "uID"),
    ("resource_version", "resourceVersion"),
    ("generation", "generation"),
    ("creation_timestamp", "creationTimestamp"),
    ("deletion_timestamp", "deletionTimestamp"),
    ("deletion_grace_period_seconds", "deletionGracePeriodSeconds"),
    ("owner_references", "ownerReferences"),
    ("finalizers", "finalizers"),
    ("managed_fields", "managedFields"),
)
"""(attribute, name in error texts), in the order of the type in Go."""


def validate_claim_template(template: PersistentVolumeClaimTemplate, path: Path, errors: Errors) -> None:
    """Of the metadata, a template has only labels and annotations."""
    _metadata(template.metadata, path, errors)
    _spec(template.spec, path / "spec", errors)


def _metadata(metadata: ObjectMeta, path: Path, errors: Errors) -> None:
    validate_annotations(metadata.annotations, path / "metadata" / "annotations", errors)
    validate_labels(metadata.labels, path / "metadata" / "labels", errors)
    for attribute, name in _FORBIDDEN_METADATA:
        value = getattr(metadata, attribute)
        if value or (attribute == "deletion_grace_period_seconds" and value is not None):
            errors.forbidden(path / "metadata" / name, "cannot be set")


def _spec(spec: PersistentVolumeClaimSpec, path: Path, errors: Errors) -> None:
    if not spec.access_modes:
        errors.required(path / "accessModes", "at least 1 access mode is required")
    if spec.selector is not None:
        rules.label_selector(spec.selector, path / "selector", errors)
    for mode in spec.access_modes:
        if mode not in ACCESS_MODES:
            errors.not_supported(path / "accessModes", mode, list(ACCESS_MODES))
    known = {mode for mode in spec.access_modes if mode in ACCESS_MODES}
    if "ReadWriteOncePod" in known and len(known) > 1:
        errors.forbidden(path / "accessModes", "may not use ReadWriteOncePod with other access modes")
    _storage(spec, path / "resources" @ "storage", errors)
    if spec.storage_class_name:
        rules.follows(spec.storage_class_name, names.dns_subdomain, path / "storageClassName", errors)
    if spec.volume_mode not in VOLUME_MODES:
        errors.not_supported(path / "volumeMode", spec.volume_mode, list(VOLUME_MODES))
    _sources(spec, path, errors)
    if spec.volume_attributes_class_name:
        place = path / "volumeAttributesClassName"
        rules.follows(spec.volume_attributes_class_name, names.dns_subdomain, place, errors)


def _storage(spec: PersistentVolumeClaimSpec, path: Path, errors: Errors) -> None:
    amount = spec.resources.requests.get("storage")
    if amount is None:
        errors.required(path)
    elif parse(amount).nanos <= 0:
        errors.invalid(path, canonical(amount), "must be greater than zero")


def _sources(spec: PersistentVolumeClaimSpec, path: Path, errors: Errors) -> None:
    source, ref = spec.data_source, spec.data_source_ref
    if source is not None:
        _source(source, path / "dataSource", errors)
    if ref is not None:
        _source(ref, path / "dataSourceRef", errors)
        if ref.namespace:
            rules.follows(ref.namespace, names.dns_label, path / "dataSourceRef" / "namespace", errors)
    if source is None or ref is None:
        return
    # kube-apiserver means to show the path of dataSource here.
    if ref.namespace:
        text = "may not be specified when dataSourceRef.namespace is specified"
        errors.invalid(path, {}, text)
    elif (source.api_group, source.kind, source.name) != (ref.api_group, ref.kind, ref.name):
        errors.invalid(path, {}, "must match dataSourceRef")


def _source(source: TypedLocalObjectReference | TypedObjectReference, path: Path, errors: Errors) -> None:
    if not source.name:
        errors.required(path / "name")
    if not source.kind:
        errors.required(path / "kind")
    if source.api_group:
        rules.follows(source.api_group, names.dns_subdomain, path / "apiGroup", errors)
    elif source.kind != "PersistentVolumeClaim":
        text = "must be 'PersistentVolumeClaim' when referencing the default apiGroup"
        errors.invalid(path, source.kind, text)
