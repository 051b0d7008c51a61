"""Selects the function that handles a request about a resource."""

from collections.abc import Mapping
from functools import partial
from typing import Any

from pybernetes.api.kind import Kind
from pybernetes.api.subresource import Subresource
from pybernetes.apiserver import errors, media, reading, rendering
from pybernetes.apiserver.admission.plugin import Admission
from pybernetes.apiserver.auth.reviews import Reviews
from pybernetes.apiserver.auth.tokens import ServiceAccountTokens
from pybernetes.apiserver.context import ResourceRequest, ServerContext
from pybernetes.apiserver.deleting import Deleter
from pybernetes.apiserver.kubelet import Nodes
from pybernetes.apiserver.pools import pools
from pybernetes.apiserver.replacing import Replacer
from pybernetes.apiserver.requests import RequestInfo
from pybernetes.apiserver.reviews import ReviewHandler
from pybernetes.apiserver.subresources.endpoints import Answer, Parts, Verb, collections, endpoints
from pybernetes.apiserver.types import StreamResponse, Tunnel, User
from pybernetes.apiserver.watching import Watching
from pybernetes.apiserver.writing import Writer
from pybernetes.client.errors import ApiError
from pybernetes.client.transport import Request, Response


class Router:
    """Routes requests about resources. Without `tokens` or `reviews` the endpoints that need them return 404."""

    def __init__(
        self,
        context: ServerContext,
        admission: Admission,
        *,
        tokens: ServiceAccountTokens | None,
        reviews: Reviews | None,
    ) -> None:
        self._context = context
        writer = Writer(context, admission, pools(context))
        self._replacer = Replacer(context, writer)
        deleter = Deleter(context, admission, writer)
        self.watching = Watching(context)
        self.nodes = Nodes(context)
        self._reviews = ReviewHandler(context, reviews) if reviews is not None else None
        self._verbs: Mapping[str, Verb] = {
            "get": self._replacer.get,
            "list": self._list,
            "watch": self._watch,
            "create": self._replacer.create,
            "update": self._replacer.update,
            "patch": self._replacer.patch,
            "delete": deleter.delete,
            "deletecollection": deleter.delete_collection,
        }
        parts = Parts(context=context, writer=writer, deleter=deleter, nodes=self.nodes, tokens=tokens)
        self._endpoints = endpoints(parts)
        self._collections = collections(parts)

    async def route(self, http: Request, user: User, info: RequestInfo, query: Mapping[str, str]) -> Answer:
        """Handle a request about a resource. Raises ApiError."""
        resource = self._context.catalogue.get(info.group, info.version, info.resource)
        if resource is None:
            raise errors.no_such_path()
        request = ResourceRequest(http=http, user=user, info=info, query=query, resource=resource)
        if resource.kind.deprecated:
            request.warnings.append(resource.kind.deprecated)
        try:
            answer = await self._serve(request)
        except ApiError as error:
            if not request.warnings:
                raise
            answer = rendering.refusal(error)
        return with_warnings(answer, request.warnings)

    async def _serve(self, request: ResourceRequest) -> Answer:
        kind, info = request.resource.kind, request.info
        if not kind.stored:
            return await self._unstored(request)
        if kind.namespaced and not info.namespace and info.name:
            raise errors.no_such_path()
        subresource = self._subresource(kind, info) if info.subresource else None
        if subresource is None or not subresource.raw:
            transforms = subresource is None or "get" in subresource.verbs
            request.form = media.negotiate(request.http.headers.get("accept", ""), transforms=transforms)
        verb = self._verb(kind, info) if subresource is None else self._subresource_verb(subresource, info)
        return await verb(request)

    def _verb(self, kind: Kind[Any], info: RequestInfo) -> Verb:
        verb = self._verbs.get(info.verb)
        if verb is None or info.verb not in kind.verbs or (info.verb == "create" and info.name):
            raise errors.method_not_allowed()
        if info.verb in ("update", "patch") and not info.name:
            raise errors.method_not_allowed()
        if info.verb == "create" and kind.namespaced and not info.namespace:
            raise errors.bad_request("an empty namespace may not be set during creation")
        return verb

    def _subresource(self, kind: Kind[Any], info: RequestInfo) -> Subresource[Any]:
        found = kind.subresource(info.subresource)
        if found is None or (info.rest and not found.has_path):
            raise errors.no_such_path()
        return found

    def _subresource_verb(self, subresource: Subresource[Any], info: RequestInfo) -> Verb:
        """The handler of a subresource: from `endpoints`, or else the one for objects."""
        own = self._endpoints.get(subresource.name)
        if own is not None:
            verb = own.get(info.verb)
        elif subresource.body is not None or info.verb not in subresource.verbs:
            verb = None
        else:
            writers = {"update": self._replacer.update, "patch": self._replacer.patch}
            write = writers.get(info.verb)
            verb = partial(write, subresource=subresource) if write is not None else self._replacer.get
        if verb is None:
            raise errors.method_not_allowed()
        return verb

    async def _unstored(self, request: ResourceRequest) -> Answer:
        """Reviews, and POST to /bindings."""
        kind, info = request.resource.kind, request.info
        if not kind.verbs or info.name:
            raise errors.no_such_path()
        if info.verb != "create":
            raise errors.method_not_allowed()
        own = self._collections.get(kind.resource)
        if own is not None:
            return await own(request)
        if self._reviews is None:
            raise errors.no_such_path()
        return await self._reviews.answer(request)

    async def _list(self, request: ResourceRequest) -> Answer:
        return await reading.list_(self._context, request)

    async def _watch(self, request: ResourceRequest) -> Answer:
        return self.watching.start(request)


def with_warnings(answer: Answer, warnings: list[str]) -> Answer:
    """The response with Warning headers, which kubectl prints."""
    if not warnings or isinstance(answer, Tunnel):
        return answer
    texts = (w.replace("\\", "\\\\").replace('"', '\\"') for w in warnings)
    header = ", ".join(f'299 - "{text}"' for text in texts)
    if isinstance(answer, StreamResponse):
        return StreamResponse(answer.status, {**answer.headers, "warning": header}, answer.body)
    return Response(answer.status, {**answer.headers, "warning": header}, answer.body)
