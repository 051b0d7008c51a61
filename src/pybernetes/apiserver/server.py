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
from pybernetes.apiserver.auth.impersonation import impersonate
from pybernetes.apiserver.auth.messages import forbidden_message
from pybernetes.apiserver.auth.reviews import Reviews
from pybernetes.apiserver.auth.tokens import ServiceAccountTokens
from pybernetes.apiserver.call import Core
from pybernetes.apiserver.config import ServerConfig
from pybernetes.apiserver.media import JSON
from pybernetes.apiserver.paths import Paths
from pybernetes.apiserver.routing import Router
from pybernetes.apiserver.types import Attributes, Authenticator, Authorizer, StreamResponse, Tunnel, User
from pybernetes.client.errors import ApiError
from pybernetes.client.transport import Request, Response
from pybernetes.store import errors as store_errors
from pybernetes.store.types import Store

log = logging.getLogger(__name__)

Answer = Response | StreamResponse | Tunnel


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
        user = self._impersonate(request, user)
        self._require(info.attributes(user, query.get("labelSelector", ""), query.get("fieldSelector", "")))
        if info.is_resource:
            return await self._router.route(request, user, info, query)
        return await self._paths.answer(request, user, info)

    def _impersonate(self, request: Request, user: User) -> User:
        if not any(name.startswith("impersonate-") for name in request.headers):
            return user
        found = impersonate(requests.header_pairs(request.headers), user)
        if found is None:
            return user
        acting, needed = found
        for attributes in needed:
            self._require(attributes)
        return acting

    def _require(self, attributes: Attributes) -> None:
        """Raises Forbidden."""
        decision = self._authorizer.authorize(attributes)
        if not decision.allowed:
            raise errors.forbidden_message(attributes, forbidden_message(attributes, decision.reason))

    async def close(self) -> None:
        """Stop what the server itself runs. Its store is its owner's."""
        await self._router.nodes.close()


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
    tokens: ServiceAccountTokens | None = None,
    reviews: Reviews | None = None,
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
    admission = Admission(plugins(core))
    router = Router(core, admission, tokens=tokens, reviews=reviews)
    return ApiServer(core, authenticator=authenticator, authorizer=authorizer, router=router, paths=Paths(core, router))
