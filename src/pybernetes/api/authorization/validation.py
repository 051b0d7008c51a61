"""Validation of access reviews."""

from msgspec.structs import replace

from pybernetes.api import names, rules
from pybernetes.api.authorization.access_review_object import (
    FieldSelectorAttributes,
    LabelSelectorAttributes,
    LocalSubjectAccessReview,
    NonResourceAttributes,
    ResourceAttributes,
    SelfSubjectAccessReview,
    SubjectAccessReview,
    SubjectAccessReviewSpec,
)
from pybernetes.api.field import Errors, Path
from pybernetes.api.meta import FieldSelectorRequirement, LabelSelectorRequirement, ObjectMeta

_SPEC = Path("spec")
_RESOURCE = _SPEC / "resourceAttributes"


def validate_subject_review(obj: SubjectAccessReview, errors: Errors) -> None:
    """A review of what any user may do."""
    _subject(obj.spec, errors)
    _no_metadata(obj.metadata, "must be empty", errors)


def validate_self_review(obj: SelfSubjectAccessReview, errors: Errors) -> None:
    """A review of what the requesting user may do."""
    _action(obj.spec.resource_attributes, obj.spec.non_resource_attributes, errors)
    if obj.spec.resource_attributes is not None:
        _selectors(obj.spec.resource_attributes, errors)
    _no_metadata(obj.metadata, "must be empty", errors)


def validate_local_review(obj: LocalSubjectAccessReview, errors: Errors) -> None:
    """A review of what a user may do in the namespace of the request."""
    _subject(obj.spec, errors)
    _no_metadata(obj.metadata, "must be empty except for namespace", errors, namespace=obj.metadata.namespace)
    resource, path = obj.spec.resource_attributes, obj.spec.non_resource_attributes
    if resource is not None and resource.namespace != obj.metadata.namespace:
        errors.invalid(_RESOURCE / "namespace", resource.namespace, "must match metadata.namespace")
    if path is not None:
        errors.invalid(_SPEC / "nonResourceAttributes", _shown(path), "disallowed on this kind of request")


def _subject(spec: SubjectAccessReviewSpec, errors: Errors) -> None:
    _action(spec.resource_attributes, spec.non_resource_attributes, errors)
    if not spec.user and not spec.groups:
        errors.invalid(_SPEC / "user", spec.user, "at least one of user or group must be specified")
    if spec.resource_attributes is not None:
        _selectors(spec.resource_attributes, errors)


def _action(resource: ResourceAttributes | None, path: NonResourceAttributes | None, errors: Errors) -> None:
    if (resource is None) == (path is None):
        text = "exactly one of nonResourceAttributes or resourceAttributes must be specified"
        errors.invalid(_SPEC, None if path is None else _shown(path), text)


def _shown(path: NonResourceAttributes) -> dict[str, str]:
    """The attributes as errors show them, with Go's names."""
    return {"Path": path.path, "Verb": path.verb}


def _no_metadata(meta: ObjectMeta, text: str, errors: Errors, *, namespace: str = "") -> None:
    if replace(meta, managed_fields=[]) != ObjectMeta(namespace=namespace):
        errors.invalid("metadata", meta, text)


def _selectors(resource: ResourceAttributes, errors: Errors) -> None:
    by_field, by_label = resource.field_selector, resource.label_selector
    if by_field is not None:
        path = _RESOURCE / "fieldSelector"
        _raw_or_parsed(by_field, path, errors)
        for index, requirement in enumerate(by_field.requirements):
            _field_requirement(requirement, path / "requirements" @ index, errors)
    if by_label is not None:
        path = _RESOURCE / "labelSelector"
        _raw_or_parsed(by_label, path, errors)
        for index, term in enumerate(by_label.requirements):
            _label_requirement(term, path / "requirements" @ index, errors)


def _raw_or_parsed(selector: FieldSelectorAttributes | LabelSelectorAttributes, path: Path, errors: Errors) -> None:
    if selector.raw_selector and selector.requirements:
        text = "may not specified at the same time as requirements"
        errors.invalid(path / "rawSelector", selector.raw_selector, text)
    if not selector.raw_selector and not selector.requirements:
        text = f"when {path} is specified, requirements or rawSelector is required"
        errors.required(path / "requirements", text)


def _field_requirement(requirement: FieldSelectorRequirement, path: Path, errors: Errors) -> None:
    if not requirement.key:
        errors.required(path / "key", "must be specified")
    rules.values_for_operator(requirement.operator, requirement.values, path, errors)


def _label_requirement(requirement: LabelSelectorRequirement, path: Path, errors: Errors) -> None:
    rules.values_for_operator(requirement.operator, requirement.values, path, errors)
    rules.follows(requirement.key, names.qualified_name, path / "key", errors)
    for number, value in enumerate(requirement.values):
        rules.follows(value, names.label_value, path / "values" @ number, errors)
