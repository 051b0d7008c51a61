"""SelfSubjectReview: the identity of the requesting user."""

from pybernetes.api.authentication.user_info import UserInfo
from pybernetes.api.kind import Kind
from pybernetes.api.meta import Object, Struct, always
from pybernetes.api.schema import StructSchema


class SelfSubjectReviewStatus(Struct, kw_only=True):
    """The user that the API server has authenticated."""

    user_info: UserInfo = always(UserInfo)


class SelfSubjectReview(Object, kw_only=True):
    """Returns the identity of the requesting user."""

    status: SelfSubjectReviewStatus = always(SelfSubjectReviewStatus)


KIND = Kind(
    group="authentication.k8s.io",
    version="v1",
    name="SelfSubjectReview",
    plural="selfsubjectreviews",
    singular="selfsubjectreview",
    schema=StructSchema(SelfSubjectReview),
    namespaced=False,
    stored=False,
    verbs=("create",),
)
