"""SubjectAccessReview and its variants: whether a user may perform an action."""

from pybernetes.api.authorization.access_review_object import (
    FieldSelectorAttributes,
    LabelSelectorAttributes,
    LocalSubjectAccessReview,
    NonResourceAttributes,
    ResourceAttributes,
    SelfSubjectAccessReview,
    SelfSubjectAccessReviewSpec,
    SubjectAccessReview,
    SubjectAccessReviewSpec,
    SubjectAccessReviewStatus,
)
from pybernetes.api.authorization.validation import validate_local_review, validate_self_review, validate_subject_review
from pybernetes.api.kind import Kind
from pybernetes.api.schema import StructSchema

__all__ = [
    "LOCAL_SUBJECT_ACCESS_REVIEW",
    "SELF_SUBJECT_ACCESS_REVIEW",
    "SUBJECT_ACCESS_REVIEW",
    "FieldSelectorAttributes",
    "LabelSelectorAttributes",
    "LocalSubjectAccessReview",
    "NonResourceAttributes",
    "ResourceAttributes",
    "SelfSubjectAccessReview",
    "SelfSubjectAccessReviewSpec",
    "SubjectAccessReview",
    "SubjectAccessReviewSpec",
    "SubjectAccessReviewStatus",
]

SUBJECT_ACCESS_REVIEW = Kind(
    group="authorization.k8s.io",
    version="v1",
    name="SubjectAccessReview",
    plural="subjectaccessreviews",
    singular="subjectaccessreview",
    schema=StructSchema(SubjectAccessReview, validate=validate_subject_review),
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
    schema=StructSchema(SelfSubjectAccessReview, validate=validate_self_review),
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
    schema=StructSchema(LocalSubjectAccessReview, validate=validate_local_review),
    namespaced=True,
    stored=False,
    verbs=("create",),
)
