"""TokenReview: whose token is this?"""

from typing import Annotated

from pybernetes.api.authentication.user_info import UserInfo
from pybernetes.api.facts import Required
from pybernetes.api.kind import Kind
from pybernetes.api.meta import Object, Struct, always
from pybernetes.api.schema import StructSchema


class TokenReviewSpec(Struct, kw_only=True):
    """The token, and for which audiences it should be good."""

    token: Annotated[str, Required()] = ""
    audiences: list[str] = []


class TokenReviewStatus(Struct, kw_only=True):
    """Whether the token is good, and whose it is."""

    audiences: list[str] = []
    authenticated: bool | None = None
    error: str = ""
    user: UserInfo = always(UserInfo)


class TokenReview(Object, kw_only=True):
    """Asks the API server to authenticate a token."""

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
