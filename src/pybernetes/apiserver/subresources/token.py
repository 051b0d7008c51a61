"""token: issues a token for a service account, optionally bound to a pod, secret or node."""

from pybernetes.api import time
from pybernetes.api.authentication.token_request import KIND, TokenRequest
from pybernetes.api.core.node import KIND as NODE
from pybernetes.api.core.node import Node
from pybernetes.api.core.pod import KIND as POD
from pybernetes.api.core.pod import Pod
from pybernetes.api.core.secret import KIND as SECRET
from pybernetes.api.core.secret import Secret
from pybernetes.api.core.service_account import ServiceAccount
from pybernetes.api.field import Errors
from pybernetes.apiserver import codec, errors, reading, rendering
from pybernetes.apiserver.auth.tokens import DEFAULT_SECONDS, MIN_SECONDS, Grant, Ref, ServiceAccountTokens
from pybernetes.apiserver.context import ResourceRequest, ServerContext
from pybernetes.apiserver.replacing import write_options
from pybernetes.apiserver.writing import Writer
from pybernetes.client.transport import Response

_MAX_SECONDS = 1 << 32


class TokenSubresource:
    """POST to serviceaccounts/<name>/token."""

    def __init__(self, context: ServerContext, writer: Writer, tokens: ServiceAccountTokens) -> None:
        self._context = context
        self._writer = writer
        self._tokens = tokens

    async def create(self, request: ResourceRequest) -> Response:
        """Issue a token. Raises NotFound, Invalid, Conflict."""
        requested = codec.object_from(codec.json_body(request.http.body, request.content_type), KIND)
        account: ServiceAccount = await request.resource.read(reading.find(self._context, request))
        if requested.spec.expiration_seconds is None:
            requested.spec.expiration_seconds = DEFAULT_SECONDS
        await self._writer.admit(request, requested, options=write_options(request, "CreateOptions"))
        _check(requested, request.info.name)
        grant = self._grant(request, requested, account)
        token, expires = self._tokens.mint(grant)
        requested.spec.audiences = requested.spec.audiences or list(self._tokens.audiences)
        requested.status.token, requested.status.expiration_timestamp = token, time.seconds(expires)
        requested.metadata.name, requested.metadata.namespace = account.metadata.name, account.metadata.namespace
        requested.metadata.creation_timestamp = self._context.timestamp()
        return rendering.response(201, codec.encode(requested), request.form)

    def _grant(self, request: ResourceRequest, requested: TokenRequest, account: ServiceAccount) -> Grant:
        pod, secret, node = self._bound(request, requested, account)
        return Grant(
            namespace=account.metadata.namespace,
            service_account=Ref(account.metadata.name, account.metadata.uid),
            audiences=tuple(requested.spec.audiences),
            seconds=requested.spec.expiration_seconds or DEFAULT_SECONDS,
            pod=pod,
            secret=secret,
            node=node,
        )

    def _bound(
        self, request: ResourceRequest, requested: TokenRequest, account: ServiceAccount
    ) -> tuple[Ref | None, Ref | None, Ref | None]:
        """(pod, secret, node) that the token is bound to. Raises NotFound, BadRequest, Conflict."""
        wanted = requested.spec.bound_object_ref
        if wanted is None:
            return None, None, None
        if (wanted.api_version, wanted.kind) == ("v1", "Pod"):
            return self._pod(request, wanted.name, wanted.uid, account)
        if (wanted.api_version, wanted.kind) == ("v1", "Secret"):
            kv = self._context.store.get(SECRET.key(request.namespace, wanted.name))
            if kv is None:
                raise errors.not_found(SECRET, wanted.name)
            secret = codec.decode(kv.value, Secret)
            _same_uid(request, wanted.uid, secret.metadata.uid)
            return None, Ref(secret.metadata.name, secret.metadata.uid), None
        if (wanted.api_version, wanted.kind) == ("v1", "Node"):
            kv = self._context.store.get(NODE.key("", wanted.name))
            if kv is None:
                raise errors.not_found(NODE, wanted.name)
            node = codec.decode(kv.value, Node)
            _same_uid(request, wanted.uid, node.metadata.uid)
            return None, None, Ref(node.metadata.name, node.metadata.uid)
        raise errors.bad_request(f"cannot bind token to object of type {wanted.api_version}, Kind={wanted.kind}")

    def _pod(
        self, request: ResourceRequest, name: str, uid: str, account: ServiceAccount
    ) -> tuple[Ref | None, Ref | None, Ref | None]:
        kv = self._context.store.get(POD.key(request.namespace, name))
        if kv is None:
            raise errors.not_found(POD, name)
        pod = codec.decode(kv.value, Pod)
        _same_uid(request, uid, pod.metadata.uid)
        if pod.spec.service_account_name != account.metadata.name:
            raise errors.bad_request(
                f"cannot bind token for serviceaccount {account.metadata.name!r} to pod running with different "
                f"serviceaccount name."
            )
        kv = self._context.store.get(NODE.key("", pod.spec.node_name)) if pod.spec.node_name else None
        node = codec.decode(kv.value, Node).metadata if kv is not None else None
        return Ref(pod.metadata.name, pod.metadata.uid), None, Ref(node.name, node.uid) if node else None


def _same_uid(request: ResourceRequest, wanted: str, found: str) -> None:
    if wanted and wanted != found:
        why = (
            f"the UID in the bound object reference ({wanted}) does not match the UID in record. "
            "The object might have been deleted and then recreated"
        )
        raise errors.conflict(request.resource.kind, request.info.name, why)


def _check(requested: TokenRequest, name: str) -> None:
    found = Errors()
    seconds = requested.spec.expiration_seconds or 0
    if seconds < MIN_SECONDS:
        found.invalid("spec.expirationSeconds", seconds, "may not specify a duration less than 10 minutes")
    if seconds > _MAX_SECONDS:
        found.invalid("spec.expirationSeconds", seconds, "may not specify a duration larger than 2^32 seconds")
    if found:
        raise errors.invalid(KIND, name, found.items)
