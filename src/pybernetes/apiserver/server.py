"""The server behind HTTP: the stages of a request, and `build_server`, which wires the parts.

    parse -> (authenticate: `http`) -> impersonate -> authorize -> route -> one of the verbs -> respond

A stage refuses a request by raising a `client.errors.ApiError`, which becomes a Status body here, and only here.
"""

import asyncio
import logging
import random
import time
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime

from pybernetes.api.kinds import KINDS
from pybernetes.apiserver import bootstrap, default_rbac, errors, requests
from pybernetes.apiserver.admission.plugin import Admission, Plugin
from pybernetes.apiserver.admission.plugins import plugins
from pybernetes.apiserver.auth.impersonation import impersonate
from pybernetes.apiserver.auth.messages import forbidden_message
from pybernetes.apiserver.auth.rbac import Rbac
from pybernetes.apiserver.auth.reviews import Reviews
from pybernetes.apiserver.auth.tokens import ServiceAccountTokens
from pybernetes.apiserver.catalogue import Catalogue
from pybernetes.apiserver.config import ServerConfig
from pybernetes.apiserver.context import ServerContext
from pybernetes.apiserver.feed import Feed, stored
from pybernetes.apiserver.health import Health
from pybernetes.apiserver.inprocess import InProcessTransport
from pybernetes.apiserver.metrics import Metrics, is_long_running
from pybernetes.apiserver.paths import Paths
from pybernetes.apiserver.rendering import refusal
from pybernetes.apiserver.requests import RequestInfo
from pybernetes.apiserver.resource import resource_of
from pybernetes.apiserver.routing import Router
from pybernetes.apiserver.types import SERVER, Attributes, Authenticator, Authorizer, StreamResponse, Tunnel, User
from pybernetes.client.client import Client
from pybernetes.client.errors import ApiError
from pybernetes.client.transport import Request, Response
from pybernetes.store import errors as store_errors
from pybernetes.store.types import Store

log = logging.getLogger(__name__)

Answer = Response | StreamResponse | Tunnel


class ApiServer:
    """A `types.Handler`. `authenticator` is used by the HTTP front only."""

    def __init__(
        self,
        context: ServerContext,
        *,
        authenticator: Authenticator,
        authorizer: Authorizer,
        router: Router,
        paths: Paths,
        metrics: Metrics,
        rbac: Rbac | None,
    ) -> None:
        self.context = context
        self.authenticator = authenticator
        self._authorizer = authorizer
        self._router = router
        self._paths = paths
        self._metrics = metrics
        self._rbac = rbac
        self._upkeep: asyncio.Task[None] | None = None
        self.started = False
        self.tokens: ServiceAccountTokens | None = None
        """mints tokens of service accounts, for components in this process"""

    async def start(self) -> None:
        """Write the objects that every cluster has, and start to follow roles. Call once, before serving."""
        await bootstrap.run(self, self.context.config)
        if self._rbac is not None:
            client, store = Client(InProcessTransport(self, SERVER)), self.context.store
            feed = Feed(store, default_rbac.KINDS, self._rbac)
            feed.load()
            await default_rbac.write_defaults(client, stored(store, default_rbac.KINDS))
            await default_rbac.write_aggregates(client, store)
            feed.load()
            self._upkeep = asyncio.create_task(_upkeep(client, store, feed), name="apiserver upkeep")
        self.started = True

    async def close(self) -> None:
        """Stop the server's own tasks. The caller closes the store."""
        self.started = False
        if self._upkeep is not None:
            self._upkeep.cancel()
            await asyncio.gather(self._upkeep, return_exceptions=True)
        await self._router.nodes.close()

    async def handle(self, request: Request, user: User) -> Answer:
        """Handle one request. Errors are responses, too."""
        query: dict[str, str] = {}
        for name, value in request.query:
            query.setdefault(name, value)
        try:
            info = requests.parse(request.method, request.path, query)
        except ApiError as error:
            return refusal(error)
        start = time.perf_counter()
        answer = await self._answer(request, user, info, query)
        code = 101 if isinstance(answer, Tunnel) else answer.status
        self._metrics.observe(info, code, time.perf_counter() - start)
        return answer

    async def _answer(self, request: Request, user: User, info: RequestInfo, query: Mapping[str, str]) -> Answer:
        kind = "readOnly" if info.verb in ("get", "list", "watch") else "mutating"
        inflight = self._metrics.inflight
        inflight[kind] += 1
        try:
            async with asyncio.timeout(None if is_long_running(info) else self.context.config.request_seconds):
                return await self._handle(request, user, info, query)
        except ApiError as error:
            return refusal(error)
        except (store_errors.WriteFailed, store_errors.StoreClosed) as error:
            return refusal(errors.unavailable(f"the store cannot take the write: {error}"))
        except TimeoutError:
            return refusal(errors.timeout("request did not complete within requested timeout"))
        except Exception:
            # An unexpected error in one request must not affect others, and the client needs a Status.
            log.exception("%s %s failed", request.method, request.path)
            return refusal(errors.internal("the request could not be processed; see the server's log"))
        finally:
            inflight[kind] -= 1

    async def _handle(self, request: Request, user: User, info: RequestInfo, query: Mapping[str, str]) -> Answer:
        user = self._impersonate(request, user)
        self._require(info.attributes(user, query.get("labelSelector", ""), query.get("fieldSelector", "")))
        if info.is_resource:
            return await self._router.route(request, user, info, query)
        return await self._paths.answer(request, info)

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


async def _upkeep(client: Client, store: Store, feed: Feed) -> None:
    """The server's background tasks. If they end before `close`, that is an error, and is logged."""
    try:
        async with asyncio.TaskGroup() as group:
            group.create_task(feed.run(), name="rbac feed")
            group.create_task(default_rbac.keep_aggregates(client, store), name="aggregated cluster roles")
    except Exception:
        log.exception("roles are no longer followed: changes of permissions have no effect until a restart")
        raise


def build_server(
    config: ServerConfig,
    store: Store,
    authenticator: Authenticator,
    authorizer: Authorizer,
    *,
    tokens: ServiceAccountTokens | None = None,
    reviews: Reviews | None = None,
    rbac: Rbac | None = None,
    more_plugins: Iterable[Plugin] = (),
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
    rng: random.Random | None = None,
) -> ApiServer:
    """An API server on an open store, whose `stamp` is `codec.stamp`. Call `await server.start()` before serving.

    `rbac` is the authorizer's, which the server keeps current with the stored roles. `more_plugins` run after those of
    `admission.plugins`. `assembly` makes a server with all of this.
    """
    config.check()
    context = ServerContext(
        config=config,
        store=store,
        catalogue=Catalogue(map(resource_of, KINDS)),
        now=now,
        # For names and uids, which are no secrets. os.urandom would release the interpreter lock for each of them.
        random=rng or random.Random(),
    )
    router = Router(
        context, Admission((*plugins(context, authorizer, rbac), *more_plugins)), tokens=tokens, reviews=reviews
    )
    metrics = Metrics(_gauges(context, router))
    health = Health(
        live={"ping": lambda: "", "log": lambda: "", "etcd": lambda: _store_is_open(store)},
        ready={"poststarthook/bootstrap": lambda: "" if server.started else "not finished"},
    )
    server = ApiServer(
        context,
        authenticator=authenticator,
        authorizer=authorizer,
        router=router,
        paths=Paths(context, health, metrics, tokens),
        metrics=metrics,
        rbac=rbac,
    )
    server.tokens = tokens
    return server


def _store_is_open(store: Store) -> str:
    try:
        store.watch("/registry/none/").close()
    except store_errors.StoreError as error:
        return str(error)
    return ""


def _gauges(context: ServerContext, router: Router) -> dict[str, tuple[str, Callable[[], float]]]:
    store, watching = context.store, router.watching
    return {
        "apiserver_registered_watchers": ("Watches under way.", lambda: watching.active),
        "apiserver_storage_objects_total": ("Stored objects.", lambda: store.count("/registry/")),
        "etcd_debugging_store_revision": ("The latest revision.", lambda: store.revision),
    }
