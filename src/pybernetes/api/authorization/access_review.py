"""SubjectAccessReview and its variants: whether a user may perform an action."""

from typing import Annotated

from pybernetes.api.facts import Required
from pybernetes.api.kind import Kind
from pybernetes.api.meta import FieldSelectorRequirement, LabelSelectorRequirement, Object, Struct, always
from pybernetes.api.schema import StructSchema


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

    extra: dict[str, list[str]] = {}
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


SUBJECT_ACCESS_REVIEW = Kind(
    group="authorization.k8s.io",
    version="v1",
    name="SubjectAccessReview",
    plural="subjectaccessreviews",
    singular="subjectaccessreview",
    schema=StructSchema(SubjectAccessReview),
    namespaced=False,
    stored=False,
    verbs=("create",),
)


SELF_SUBJECT_ACCESS_REVIEW = Kind(
    group="authorization.k8s.io",
    version="v1",
    name="SelfSubjectAccessReview",
    plural="selfsubjectaccessreviews",
    singular="selfsubjectaccessreview",
    schema=StructSchema(SelfSubjectAccessReview),
    namespaced=False,
    stored=False,
    verbs=("create",),
)


LOCAL_SUBJECT_ACCESS_REVIEW = Kind(
    group="authorization.k8s.io",
    version="v1",
    name="LocalSubjectAccessReview",
    plural="localsubjectaccessreviews",
    singular="localsubjectaccessreview",
    schema=StructSchema(LocalSubjectAccessReview),
    namespaced=True,
    stored=False,
    verbs=("create",),
)
