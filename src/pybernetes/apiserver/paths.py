"""Everything that is not a resource: version, health, discovery, schemas, metrics."""

from pybernetes.api.kinds import KINDS
from pybernetes.apiserver import errors, version
from pybernetes.apiserver.call import Core
from pybernetes.apiserver.requests import RequestInfo
from pybernetes.apiserver.routing import Router
from pybernetes.apiserver.schema.discovery import Discovery
from pybernetes.apiserver.types import User
from pybernetes.client.transport import Request, Response

_JSON = {"content-type": "application/json"}


class Paths:
    """Answers paths that name no resource."""

    def __init__(self, core: Core, router: Router) -> None:
        config = core.config
        self._discovery = Discovery(KINDS, f"{config.advertise_address}:{config.advertise_port}")

    async def answer(self, request: Request, user: User, info: RequestInfo) -> Response:
        """Raises NotFound, MethodNotAllowed."""
        if request.method not in ("GET", "HEAD"):
            raise errors.method_not_allowed() if self._known(info.path) else errors.no_such_path()
        path = info.path.rstrip("/") or "/"
        if path == "/version":
            return Response(200, _JSON, version.document())
        document = self._discovery.get(path, request.headers.get("accept", ""))
        if document is not None:
            return Response(200, {"content-type": document.content_type, "vary": "Accept"}, document.body)
        raise errors.no_such_path()

    def _known(self, path: str) -> bool:
        return path == "/version" or self._discovery.get(path.rstrip("/")) is not None
