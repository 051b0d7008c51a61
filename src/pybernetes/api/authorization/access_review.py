"""The questions of authorization: may this user, or may I, do that?"""

from typing import Annotated

from pybernetes.api.facts import Required
from pybernetes.api.kind import Kind
from pybernetes.api.meta import FieldSelectorRequirement, LabelSelectorRequirement, Object, Struct, always
from pybernetes.api.schema import StructSchema


class NonResourceAttributes(Struct, kw_only=True):
    """An access to a path that is not a resource."""

    path: str = ""
    verb: str = ""


class FieldSelectorAttributes(Struct, kw_only=True):
    """The field selector of the access that is asked about."""

    raw_selector: str = ""
    requirements: list[FieldSelectorRequirement] = []


class LabelSelectorAttributes(Struct, kw_only=True):
    """The label selector of the access that is asked about."""

    raw_selector: str = ""
    requirements: list[LabelSelectorRequirement] = []


class ResourceAttributes(Struct, kw_only=True):
    """An access to a resource; empty fields and `*` mean all."""

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
    """Who wants to do what; exactly one kind of attributes is given."""

    extra: dict[str, list[str]] = {}
    groups: list[str] = []
    non_resource_attributes: NonResourceAttributes | None = None
    resource_attributes: ResourceAttributes | None = None
    uid: str = ""
    user: str = ""


class SubjectAccessReviewStatus(Struct, kw_only=True):
    """The answer, and the reason for it."""

    allowed: bool = always(bool)
    denied: bool | None = None
    evaluation_error: str = ""
    reason: str = ""


class SubjectAccessReview(Object, kw_only=True):
    """Asks whether a user or group may do something."""

    spec: Annotated[SubjectAccessReviewSpec, Required()] = always(SubjectAccessReviewSpec)
    status: SubjectAccessReviewStatus = always(SubjectAccessReviewStatus)


class SelfSubjectAccessReviewSpec(Struct, kw_only=True):
    """What the asking user wants to do."""

    non_resource_attributes: NonResourceAttributes | None = None
    resource_attributes: ResourceAttributes | None = None


class SelfSubjectAccessReview(Object, kw_only=True):
    """Asks whether the asking user may do something."""

    spec: Annotated[SelfSubjectAccessReviewSpec, Required()] = always(SelfSubjectAccessReviewSpec)
    status: SubjectAccessReviewStatus = always(SubjectAccessReviewStatus)


class LocalSubjectAccessReview(Object, kw_only=True):
    """Asks whether a user or group may do something in one namespace."""

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
