"""The structs of SubjectAccessReview and its variants."""

from typing import Annotated

from pybernetes.api.facts import GoType, Required
from pybernetes.api.meta import FieldSelectorRequirement, LabelSelectorRequirement, Object, Struct, always

ExtraValue = Annotated[list[str], GoType("v1.ExtraValue")]
"""The values of one further attribute of a user."""


class NonResourceAttributes(Struct, kw_only=True):
    """An action on a URL path that is not a resource."""

    path: str = ""
    verb: str = ""


class FieldSelectorAttributes(Struct, kw_only=True):
    """The field selector of the reviewed request."""

    raw_selector: str = ""
    requirements: list[FieldSelectorRequirement] = []


class LabelSelectorAttributes(Struct, kw_only=True):
    """The label selector of the reviewed request."""

    raw_selector: str = ""
    requirements: list[LabelSelectorRequirement] = []


class ResourceAttributes(Struct, kw_only=True):
    """An action on a resource; empty fields and `*` mean all."""

    field_selector: FieldSelectorAttributes | None = None
    group: str = ""
    label_selector: LabelSelectorAttributes | None = None
    name: str = ""
    namespace: str = ""
    resource: str = ""
    subresource: str = ""
    verb: str = ""
    version: str = ""


class SubjectAccessReviewSpec(Struct, kw_only=True):
    """The user and the action; exactly one kind of attributes is set."""

    extra: Annotated[dict[str, ExtraValue], GoType("map[string]v1.ExtraValue")] = {}
    groups: list[str] = []
    non_resource_attributes: NonResourceAttributes | None = None
    resource_attributes: ResourceAttributes | None = None
    uid: str = ""
    user: str = ""


class SubjectAccessReviewStatus(Struct, kw_only=True):
    """The decision and its reason."""

    allowed: bool = always(bool)
    denied: bool | None = None
    evaluation_error: str = ""
    reason: str = ""


class SubjectAccessReview(Object, kw_only=True):
    """Checks whether a user or group may perform an action."""

    spec: Annotated[SubjectAccessReviewSpec, Required()] = always(SubjectAccessReviewSpec)
    status: SubjectAccessReviewStatus = always(SubjectAccessReviewStatus)


class SelfSubjectAccessReviewSpec(Struct, kw_only=True):
    """The action to be checked for the requesting user."""

    non_resource_attributes: NonResourceAttributes | None = None
    resource_attributes: ResourceAttributes | None = None


class SelfSubjectAccessReview(Object, kw_only=True):
    """Checks whether the requesting user may perform an action."""

    spec: Annotated[SelfSubjectAccessReviewSpec, Required()] = always(SelfSubjectAccessReviewSpec)
    status: SubjectAccessReviewStatus = always(SubjectAccessReviewStatus)


class LocalSubjectAccessReview(Object, kw_only=True):
    """Checks whether a user or group may perform an action in one namespace."""

    spec: Annotated[SubjectAccessReviewSpec, Required()] = always(SubjectAccessReviewSpec)
    status: SubjectAccessReviewStatus = always(SubjectAccessReviewStatus)
