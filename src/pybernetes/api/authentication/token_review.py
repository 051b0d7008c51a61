"""TokenReview: authenticates a token."""

from typing import Annotated

from pybernetes.api.authentication.user_info import UserInfo
from pybernetes.api.facts import Required
from pybernetes.api.kind import Kind
from pybernetes.api.meta import Object, Struct, always
from pybernetes.api.schema import StructSchema


class TokenReviewSpec(Struct, kw_only=True):
    """The token, and the audiences that it must be valid for."""

    token: Annotated[str, Required()] = ""
    audiences: list[str] = []


class TokenReviewStatus(Struct, kw_only=True):
    """Whether the token is valid, and its user."""

    audiences: list[str] = []
    authenticated: bool | None = None
    error: str = ""
    user: UserInfo = always(UserInfo)


class TokenReview(Object, kw_only=True):
    """Requests the authentication of a token."""

    spec: Annotated[TokenReviewSpec, Required()] = always(TokenReviewSpec)
    status: TokenReviewStatus = always(TokenReviewStatus)


KIND = Kind(
    group="authentication.k8s.io",
    version="v1",
    name="TokenReview",
    plural="tokenreviews",
    singular="tokenreview",
    schema=StructSchema(TokenReview),
    namespaced=False,
    stored=False,
    verbs=("create",),
)
