"""TODOC authentication/self_subject_review.py"""

from pybernetes.api.authentication.user_info import UserInfo
from pybernetes.api.kind import Kind
from pybernetes.api.meta import Object, Struct, always


class SelfSubjectReviewStatus(Struct, kw_only=True):
    """TODOC SelfSubjectReviewStatus"""

    user_info: UserInfo | None = None


class SelfSubjectReview(Object, kw_only=True):
    """TODOC SelfSubjectReview"""

    status: SelfSubjectReviewStatus = always(SelfSubjectReviewStatus)


KIND = Kind(
    group="authentication.k8s.io",
    version="v1",
    name="SelfSubjectReview",
    plural="selfsubjectreviews",
    singular="selfsubjectreview",
    struct=SelfSubjectReview,
    namespaced=False,
    stored=False,
    verbs=("create",),
)
