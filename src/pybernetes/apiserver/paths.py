"""Paths that are not resources: version, health, discovery, OpenAPI, metrics, the keys of service-account tokens."""

import asyncio

import msgspec

from pybernetes.apiserver import errors, metrics, version
from pybernetes.apiserver.auth.tokens import ServiceAccountTokens
from pybernetes.apiserver.context import ServerContext
from pybernetes.apiserver.health import Health
from pybernetes.apiserver.metrics import Metrics
from pybernetes.apiserver.requests import RequestInfo
from pybernetes.apiserver.schema.discovery import Discovery, Document
from pybernetes.apiserver.schema.openapi import OpenApi
from pybernetes.client.transport import Request, Response

_JSON = {"content-type": "application/json", "cache-control": "no-cache, private"}


class Paths:
    """Answers paths that name no resource."""

    def __init__(
        self, context: ServerContext, health: Health, counted: Metrics, tokens: ServiceAccountTokens | None
    ) -> None:
        config = context.config
        self._catalogue = context.catalogue
        self._address = f"{config.advertise_address}:{config.advertise_port}"
        self._generation = -1
        self._known_discovery = Discovery(())
        self._known_openapi = OpenApi(())
        self._building = asyncio.Lock()
        self._health = health
        self._metrics = counted
        self._tokens = tokens

    @property
    def _discovery(self) -> Discovery:
        """The discovery documents of the current catalogue."""
        self._refresh()
        return self._known_discovery

    @property
    def _openapi(self) -> OpenApi:
        """The OpenAPI documents of the current catalogue."""
        self._refresh()
        return self._known_openapi

    def _refresh(self) -> None:
        """Drop documents if the catalogue has changed since they were built."""
        if self._generation != self._catalogue.generation:
            self._generation = self._catalogue.generation
            self._known_discovery = Discovery(self._catalogue.kinds, self._address)
            self._known_openapi = OpenApi(self._catalogue.kinds, self._known_openapi)

    async def answer(self, request: Request, info: RequestInfo) -> Response:
        """Raises NotFound, MethodNotAllowed."""
        path = info.path.rstrip("/") or "/"
        if request.method not in ("GET", "HEAD"):
            raise errors.method_not_allowed() if self._is_known(path) else errors.no_such_path()
        if self._health.knows(path):
            requested = [name for name, _ in request.query]
            exclude = [value for name, value in request.query if name == "exclude"]
            return self._health.answer(path, verbose="verbose" in requested, exclude=exclude)
        found = self._own(path)
        if found is not None:
            return found
        document = await self._document(path, request.headers.get("accept", ""))
        if document is None:
            raise errors.no_such_path()
        return _conditional(request, document)

    def _own(self, path: str) -> Response | None:
        if path == "/version":
            return Response(200, _JSON, version.document())
        if path == "/metrics":
            return Response(200, {"content-type": metrics.CONTENT_TYPE}, self._metrics.expose())
        if path == "/":
            return Response(200, _JSON, msgspec.json.encode({"paths": self._listed()}))
        if self._tokens is not None and path == "/.well-known/openid-configuration":
            return Response(200, _JSON, self._tokens.openid_configuration())
        if self._tokens is not None and path == "/openid/v1/jwks":
            return Response(200, {**_JSON, "content-type": "application/jwk-set+json"}, self._tokens.jwks())
        return None

    async def _document(self, path: str, accept: str) -> Document | None:
        if not path.startswith("/openapi/"):
            return self._discovery.get(path, accept)
        # An OpenAPI document takes tens of milliseconds to build: do it once, in a thread, to keep the event loop free.
        async with self._building:
            return await asyncio.to_thread(self._openapi.get, path, accept)

    def _is_known(self, path: str) -> bool:
        return (
            path in ("/", "/version", "/metrics") or self._health.knows(path) or self._discovery.get(path) is not None
        )

    def _listed(self) -> list[str]:
        kinds = self._catalogue.kinds
        groups = {kind.group for kind in kinds if kind.group}
        versions = {kind.api_version for kind in kinds if kind.group}
        listed = ["/api", "/api/v1", "/apis", *(f"/apis/{name}" for name in groups | versions)]
        own = ["/healthz", "/livez", "/readyz", "/metrics", "/openapi/v2", "/openapi/v3", "/version"]
        return sorted([*listed, *own])


def _conditional(request: Request, document: Document) -> Response:
    """The document, or 304 if the client has it already."""
    headers = {"content-type": document.content_type, "vary": "Accept"}
    if document.etag:
        headers["etag"] = document.etag
        if request.headers.get("if-none-match") == document.etag:
            return Response(304, headers, b"")
    return Response(200, headers, document.body)
