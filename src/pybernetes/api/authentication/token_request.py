"""TokenRequest: a token for a service account, for a limited time and purpose."""

from typing import Annotated

from pybernetes.api.facts import Optional
from pybernetes.api.kind import Kind
from pybernetes.api.meta import Int64, Object, Struct, Time, always
from pybernetes.api.schema import StructSchema


class BoundObjectReference(Struct, kw_only=True):
    """A Pod, Secret or Node: the token becomes invalid when it is deleted."""

    api_version: str = ""
    kind: str = ""
    name: str = ""
    uid: str = ""


class TokenRequestSpec(Struct, kw_only=True):
    """The audiences and lifetime of the requested token."""

    attestations: dict[str, list[str]] = {}
    audiences: list[str] = []
    bound_object_ref: BoundObjectReference | None = None
    expiration_seconds: Int64 | None = None


class TokenRequestStatus(Struct, kw_only=True):
    """The issued token."""

    expiration_timestamp: Time = ""
    token: Annotated[str, Optional()] = always(str)


class TokenRequest(Object, kw_only=True):
    """Requests a token of a service account."""

    spec: TokenRequestSpec = always(TokenRequestSpec)
    status: TokenRequestStatus = always(TokenRequestStatus)


KIND = Kind(
    group="authentication.k8s.io",
    version="v1",
    name="TokenRequest",
    plural="tokenrequests",
    singular="tokenrequest",
    schema=StructSchema(TokenRequest),
    stored=False,
    verbs=(),
)
