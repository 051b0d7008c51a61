"""What the stages of a request share: the context of the server, and the request itself."""

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from pybernetes.api import time
from pybernetes.api.meta import Time
from pybernetes.apiserver.catalogue import Catalogue
from pybernetes.apiserver.config import ServerConfig
from pybernetes.apiserver.media import PLAIN, Form
from pybernetes.apiserver.requests import RequestInfo
from pybernetes.apiserver.resource import Resource
from pybernetes.apiserver.types import User
from pybernetes.client.transport import Request
from pybernetes.store.types import Store


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerContext:
    """What every stage works with. Time and randomness come from here, so that tests can set them."""

    config: ServerConfig
    store: Store
    catalogue: Catalogue
    now: Callable[[], datetime]
    random: random.Random

    def timestamp(self) -> Time:
        """The current time in the format of metadata."""
        return time.seconds(self.now())


@dataclass(slots=True, kw_only=True)
class ResourceRequest:
    """A request about a resource. The client gets `warnings` as Warning headers."""

    http: Request
    user: User
    info: RequestInfo
    query: Mapping[str, str]
    resource: Resource
    form: Form = PLAIN
    warnings: list[str] = field(default_factory=list)

    @property
    def namespace(self) -> str:
        """The namespace of the request; "" for a cluster-scoped kind."""
        return self.info.namespace if self.resource.kind.namespaced else ""

    def all_of(self, name: str) -> list[str]:
        """Every value of a repeated query parameter."""
        return [value for key, value in self.http.query if key == name and value]

    @property
    def content_type(self) -> str:
        return self.http.headers.get("content-type", "")

    @property
    def user_agent(self) -> str:
        return self.http.headers.get("user-agent", "")
