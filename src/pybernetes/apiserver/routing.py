"""Which function answers a request about a resource: one table for the object itself, one for subresources."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from pybernetes.api.kind import Kind
from pybernetes.api.kinds import BY_RESOURCE
from pybernetes.apiserver import errors, media, reading
from pybernetes.apiserver.admission.request import Admission
from pybernetes.apiserver.auth.reviews import Reviews
from pybernetes.apiserver.auth.tokens import ServiceAccountTokens
from pybernetes.apiserver.context import ResourceRequest, ServerContext
from pybernetes.apiserver.deleting import Deleter
from pybernetes.apiserver.kubelet import Nodes
from pybernetes.apiserver.replacing import Replacer
from pybernetes.apiserver.requests import RequestInfo
from pybernetes.apiserver.reviews import ReviewHandler
from pybernetes.apiserver.service_reserve import ServiceReserve
from pybernetes.apiserver.subresources import pod_parts
from pybernetes.apiserver.subresources.binding import BindingSubresource
from pybernetes.apiserver.subresources.connect import Connect
from pybernetes.apiserver.subresources.eviction import EvictionSubresource
from pybernetes.apiserver.subresources.finalize import FinalizeSubresource
from pybernetes.apiserver.subresources.proxy import Proxy
from pybernetes.apiserver.subresources.scale import ScaleSubresource
from pybernetes.apiserver.subresources.token import TokenSubresource
from pybernetes.apiserver.types import StreamResponse, Tunnel, User
from pybernetes.apiserver.watching import Watching
from pybernetes.apiserver.writing import Writer
from pybernetes.client.transport import Request, Response

Answer = Response | StreamResponse | Tunnel
Verb = Callable[[ResourceRequest], Awaitable[Answer]]
_WRITES = frozenset({"create", "update", "patch", "delete", "deletecollection"})
_PROXY_VERBS = ("get", "create", "update", "patch", "delete", "options")


class Router:
    """Routes requests about resources. Without `tokens` or `reviews` the kinds that need them answer 404."""

    def __init__(
        self,
        context: ServerContext,
        admission: Admission,
        *,
        tokens: ServiceAccountTokens | None,
        reviews: Reviews | None,
    ) -> None:
        self._context = context
        pools = {"services": ServiceReserve(context)}
        self._pooled = frozenset(pools)
        self._writing: set[asyncio.Future[Answer]] = set()
        self._writer = Writer(context, admission, dict(pools))
        self._replacer = Replacer(context, self._writer)
        deleter = Deleter(context, admission, self._writer)
        self.watching = Watching(context)
        self.nodes = Nodes(context)
        self._reviews = ReviewHandler(context, reviews) if reviews is not None else None
        self._verbs: Mapping[str, Verb] = {
            "get": self._get,
            "list": self._list,
            "watch": self._watch,
            "create": self._replacer.create,
            "update": self._replacer.update,
            "patch": self._replacer.patch,
            "delete": deleter.delete,
            "deletecollection": deleter.delete_collection,
        }
        self._binding = BindingSubresource(context, self._writer)
        self._subresources = self._table(deleter, tokens)

    def _table(self, deleter: Deleter, tokens: ServiceAccountTokens | None) -> dict[tuple[str, str], Verb]:
        """(subresource, verb) -> answer. Which kinds have which is said by the kinds themselves."""
        context, writer, replacer = self._context, self._writer, self._replacer
        scale = ScaleSubresource(context, writer)
        connect = Connect(context, self.nodes)
        proxy = Proxy(context, self.nodes)
        ephemeral = pod_parts.PodPart(
            context, writer, replacer, "ephemeralcontainers", pod_parts.take_ephemeral, pod_parts.check_ephemeral
        )
        resize = pod_parts.PodPart(
            context, writer, replacer, "resize", pod_parts.take_resources, pod_parts.check_resize
        )
        table: dict[tuple[str, str], Verb] = {
            ("status", "get"): self._get,
            ("status", "update"): lambda request: replacer.update(request, subresource="status"),
            ("status", "patch"): lambda request: replacer.patch(request, subresource="status"),
            ("scale", "get"): scale.get,
            ("scale", "update"): scale.update,
            ("scale", "patch"): scale.patch,
            ("binding", "create"): self._binding.create,
            ("eviction", "create"): EvictionSubresource(context, writer, deleter).create,
            ("finalize", "update"): FinalizeSubresource(writer, replacer).update,
            ("log", "get"): connect.log,
        }
        for name, part in (("ephemeralcontainers", ephemeral), ("resize", resize)):
            table |= {(name, "get"): part.get, (name, "update"): part.update, (name, "patch"): part.patch}
        for name, stream in (
            ("exec", connect.exec),
            ("attach", connect.attach),
            ("portforward", connect.port_forward),
        ):
            table |= {(name, "get"): stream, (name, "create"): stream}
        table |= {("proxy", verb): proxy.any for verb in _PROXY_VERBS}
        if tokens is not None:
            table["token", "create"] = TokenSubresource(context, tokens).create
        return table

    async def route(self, http: Request, user: User, info: RequestInfo, query: Mapping[str, str]) -> Answer:
        """Answer a request about a resource. Raises ApiError."""
        found = self._context.resources.get((info.group, info.version, info.resource))
        if found is None:
            return await self._unstored(http, user, info, query)
        kind = found.kind
        if kind.namespaced and not info.namespace and info.name:
            raise errors.no_such_path()
        transforms = not info.subresource or info.subresource in ("status", "scale")
        form = media.PLAIN if _is_raw(info) else media.negotiate(http.headers.get("accept", ""), transforms=transforms)
        request = ResourceRequest(http=http, user=user, info=info, query=query, resource=found, form=form)
        verb = self._subresource(kind, info) if info.subresource else self._verb(kind, info)
        if kind.resource in self._pooled and not info.subresource and info.verb in _WRITES:
            return with_warnings(await self._to_the_end(verb(request)), request.warnings)
        return with_warnings(await verb(request), request.warnings)

    async def _to_the_end(self, work: Awaitable[Answer]) -> Answer:
        """Finish a write even if its client goes away: what it reserved must end up either stored or given back."""
        task = asyncio.ensure_future(work)
        self._writing.add(task)
        task.add_done_callback(self._writing.discard)
        return await asyncio.shield(task)

    def _verb(self, kind: Kind[Any], info: RequestInfo) -> Verb:
        verb = self._verbs.get(info.verb)
        if verb is None or info.verb not in kind.verbs or (info.verb == "create" and info.name):
            raise errors.method_not_allowed()
        if info.verb in ("update", "patch") and not info.name:
            raise errors.method_not_allowed()
        if info.verb == "create" and kind.namespaced and not info.namespace:
            raise errors.bad_request("an empty namespace may not be set during creation")
        return verb

    def _subresource(self, kind: Kind[Any], info: RequestInfo) -> Verb:
        if info.subresource not in kind.subresources or (info.rest and info.subresource != "proxy"):
            raise errors.no_such_path()
        verb = self._subresources.get((info.subresource, info.verb))
        if verb is None:
            raise errors.method_not_allowed()
        return verb

    async def _unstored(self, http: Request, user: User, info: RequestInfo, query: Mapping[str, str]) -> Answer:
        """Reviews, and POST to /bindings."""
        kind = BY_RESOURCE.get((info.group, info.version, info.resource))
        if kind is None or not kind.verbs or info.name:
            raise errors.no_such_path()
        if info.verb != "create":
            raise errors.method_not_allowed()
        if kind.name == "Binding":
            return await self._bind(http, user, info, query)
        if self._reviews is None:
            raise errors.no_such_path()
        return await self._reviews.answer(http, user, info, kind)

    async def _bind(self, http: Request, user: User, info: RequestInfo, query: Mapping[str, str]) -> Answer:
        pods = self._context.resources["", "v1", "pods"]
        return await self._binding.create_named(
            ResourceRequest(http=http, user=user, info=info, query=query, resource=pods)
        )

    async def _get(self, request: ResourceRequest) -> Answer:
        return await reading.get(self._context, request)

    async def _list(self, request: ResourceRequest) -> Answer:
        return await reading.list_(self._context, request)

    async def _watch(self, request: ResourceRequest) -> Answer:
        return self.watching.start(request)


def _is_raw(info: RequestInfo) -> bool:
    """Whether the answer is not the server's, and so the Accept header not its concern."""
    return info.subresource in ("log", "exec", "attach", "portforward", "proxy")


def with_warnings(answer: Answer, warnings: list[str]) -> Answer:
    """The answer with Warning headers, as kubectl prints them."""
    if not warnings or isinstance(answer, Tunnel):
        return answer
    texts = (w.replace("\\", "\\\\").replace('"', '\\"') for w in warnings)
    header = ", ".join(f'299 - "{text}"' for text in texts)
    if isinstance(answer, StreamResponse):
        return StreamResponse(answer.status, {**answer.headers, "warning": header}, answer.body)
    return Response(answer.status, {**answer.headers, "warning": header}, answer.body)
