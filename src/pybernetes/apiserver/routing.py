"""Which function answers a request about a resource: one table for the object itself, one for subresources."""

from collections.abc import Awaitable, Callable, Mapping

from pybernetes.apiserver import errors, media, reading
from pybernetes.apiserver.admission.request import Admission
from pybernetes.apiserver.call import Call, Core
from pybernetes.apiserver.deleting import Deleter
from pybernetes.apiserver.replacing import Replacer
from pybernetes.apiserver.requests import RequestInfo
from pybernetes.apiserver.types import StreamResponse, User
from pybernetes.apiserver.watching import Watching
from pybernetes.apiserver.writing import Writer
from pybernetes.client.transport import Request, Response

Answer = Response | StreamResponse
Verb = Callable[[Call], Awaitable[Answer]]


class Router:
    """Routes requests about resources."""

    def __init__(self, core: Core, admission: Admission) -> None:
        self._core = core
        writer = Writer(core, admission, {})
        deleter = Deleter(core, admission, writer)
        replacer = Replacer(core, writer)
        self.watching = Watching(core)
        self._verbs: Mapping[str, Verb] = {
            "get": self._get,
            "list": self._list,
            "watch": self._watch,
            "create": replacer.create,
            "update": replacer.update,
            "patch": replacer.patch,
            "delete": deleter.delete,
            "deletecollection": deleter.delete_collection,
        }

    async def route(self, request: Request, user: User, info: RequestInfo, query: Mapping[str, str]) -> Answer:
        """Answer a request about a resource. Raises ApiError."""
        found = self._core.resources.get((info.group, info.version, info.resource))
        if found is None:
            raise errors.no_such_path()
        kind = found.kind
        if kind.namespaced and not info.namespace and info.name:
            raise errors.no_such_path()
        form = media.negotiate(request.headers.get("accept", ""))
        call = Call(request=request, user=user, info=info, query=query, resource=found, form=form)
        if info.subresource:
            raise errors.no_such_path()
        verb = self._verbs.get(info.verb)
        if verb is None or info.verb not in kind.verbs:
            raise errors.method_not_allowed()
        if info.verb == "create" and info.name:
            raise errors.method_not_allowed()
        if info.verb == "create" and kind.namespaced and not info.namespace:
            raise errors.bad_request("an empty namespace may not be set during creation")
        return with_warnings(await verb(call), call.warnings)

    async def _get(self, call: Call) -> Answer:
        return await reading.get(self._core, call)

    async def _list(self, call: Call) -> Answer:
        return await reading.list_(self._core, call)

    async def _watch(self, call: Call) -> Answer:
        return self.watching.start(call)


def with_warnings(answer: Answer, warnings: list[str]) -> Answer:
    """The answer with Warning headers, as kubectl prints them."""
    if not warnings:
        return answer
    texts = (w.replace("\\", "\\\\").replace('"', '\\"') for w in warnings)
    header = ", ".join(f'299 - "{text}"' for text in texts)
    if isinstance(answer, StreamResponse):
        return StreamResponse(answer.status, {**answer.headers, "warning": header}, answer.body)
    return Response(answer.status, {**answer.headers, "warning": header}, answer.body)
