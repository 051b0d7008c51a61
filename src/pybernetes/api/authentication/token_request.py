"""TODOC authentication/token_request.py"""

from pybernetes.api.kind import Kind
from pybernetes.api.meta import Object, Struct, Time, always


class BoundObjectReference(Struct, kw_only=True):
    """TODOC BoundObjectReference"""

    api_version: str = ""
    kind: str = ""
    name: str = ""
    uid: str = ""


class TokenRequestSpec(Struct, kw_only=True):
    """TODOC TokenRequestSpec"""

    attestations: dict[str, str] = {}
    audiences: list[str] = []
    bound_object_ref: BoundObjectReference | None = None
    expiration_seconds: int | None = None


class TokenRequestStatus(Struct, kw_only=True):
    """TODOC TokenRequestStatus"""

    expiration_timestamp: Time = ""
    token: str = ""


class TokenRequest(Object, kw_only=True):
    """TODOC TokenRequest"""

    spec: TokenRequestSpec = always(TokenRequestSpec)
    status: TokenRequestStatus = always(TokenRequestStatus)


KIND = Kind(
    group="authentication.k8s.io",
    version="v1",
    name="TokenRequest",
    plural="tokenrequests",
    singular="tokenrequest",
    struct=TokenRequest,
    stored=False,
    verbs=(),
)
