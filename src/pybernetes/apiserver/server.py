"""The server behind HTTP: a request's way from parse to respond, and `build_server`, which wires the parts.

    parse -> (authenticate: `http`) -> impersonate -> authorize -> route -> one of the verbs -> respond

A refusal anywhere is a `client.errors.ApiError` and becomes a Status body here, and only here.
"""

import logging
import random
from collections.abc import Callable
from datetime import UTC, datetime

from pybernetes.apiserver import codec, errors, requests, resource
from pybernetes.apiserver.admission.plugins import plugins
from pybernetes.apiserver.admission.request import Admission
from pybernetes.apiserver.call import Core
from pybernetes.apiserver.config import ServerConfig
from pybernetes.apiserver.impersonation import impersonate
from pybernetes.apiserver.media import JSON
from pybernetes.apiserver.paths import Paths
from pybernetes.apiserver.routing import Router
from pybernetes.apiserver.types import Authenticator, Authorizer, StreamResponse, User
from pybernetes.client.errors import ApiError
from pybernetes.client.transport import Request, Response
from pybernetes.store import errors as store_errors
from pybernetes.store.types import Store

log = logging.getLogger(__name__)

Answer = Response | StreamResponse


class ApiServer:
    """A `types.Handler`. `authenticator` is used by the HTTP front only."""

    def __init__(
        self, core: Core, *, authenticator: Authenticator, authorizer: Authorizer, router: Router, paths: Paths
    ) -> None:
        self.core = core
        self.authenticator = authenticator
        self._authorizer = authorizer
        self._router = router
        self._paths = paths

    async def handle(self, request: Request, user: User) -> Answer:
        """Answer one request; refusals are answers too."""
        try:
            return await self._handle(request, user)
        except ApiError as error:
            return refusal(error)
        except (store_errors.WriteFailed, store_errors.StoreClosed) as error:
            return refusal(errors.unavailable(f"the store cannot take the write: {error}"))

    async def _handle(self, request: Request, user: User) -> Answer:
        query: dict[str, str] = {}
        for name, value in request.query:
            query.setdefault(name, value)
        info = requests.parse(request.method, request.path, query)
        user = impersonate(request.headers, user, self._authorizer)
        self._authorize(info, user, query)
        if info.is_resource:
            return await self._router.route(request, user, info, query)
        return await self._paths.answer(request, user, info)

    def _authorize(self, info: requests.RequestInfo, user: User, query: dict[str, str]) -> None:
        asked = info.attributes(user, query.get("labelSelector", ""), query.get("fieldSelector", ""))
        decision = self._authorizer.authorize(asked)
        if decision.allowed:
            return
        why = f": {decision.reason}" if decision.reason else ""
        if not info.is_resource:
            raise errors.forbidden_path(f'User "{user.name}" cannot {info.verb} path "{info.path}"{why}')
        named = f"{info.resource}/{info.subresource}" if info.subresource else info.resource
        scope = f'in the namespace "{info.namespace}"' if info.namespace else "at the cluster scope"
        if info.resource == "namespaces":
            scope = f'in the namespace "{info.name}"' if info.name else "at the cluster scope"
        raise errors.forbidden(
            info.group,
            info.resource,
            info.name,
            f'User "{user.name}" cannot {info.verb} resource "{named}" in API group "{info.group}" {scope}{why}',
        )


def refusal(error: ApiError) -> Response:
    """The answer that stands for an error."""
    headers = {"content-type": JSON, "cache-control": "no-cache, private"}
    details = error.status.details
    if details is not None and details.retry_after_seconds:
        headers["retry-after"] = str(details.retry_after_seconds)
    return Response(error.status.code or 500, headers, codec.encode(error.status))


def build_server(
    config: ServerConfig,
    store: Store,
    authenticator: Authenticator,
    authorizer: Authorizer,
    *,
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
    rng: random.Random | None = None,
) -> ApiServer:
    """One API server on an open store whose `stamp` is `codec.stamp`. Call `bootstrap.run` once before serving."""
    config.check()
    core = Core(
        config=config,
        store=store,
        resources=resource.resources(),
        now=now,
        random=rng or random.SystemRandom(),
    )
    admission = Admission(plugins(core, authorizer))
    router = Router(core, admission)
    return ApiServer(core, authenticator=authenticator, authorizer=authorizer, router=router, paths=Paths(core, router))
