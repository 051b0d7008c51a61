"""The one list of endpoints below objects that have their own handlers.

A kind names its subresources (`Kind.subresources`). Those that show the object itself (/status, /resize) need no
entry here: the server reads and writes them like objects. For the others this module lists the handler of each verb.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

from pybernetes.api.core.binding import KIND as BINDING
from pybernetes.api.subresource import EVERY_METHOD
from pybernetes.apiserver.auth.tokens import ServiceAccountTokens
from pybernetes.apiserver.context import ResourceRequest, ServerContext
from pybernetes.apiserver.deleting import Deleter
from pybernetes.apiserver.kubelet import Nodes
from pybernetes.apiserver.subresources.binding import BindingSubresource
from pybernetes.apiserver.subresources.connect import Connect
from pybernetes.apiserver.subresources.eviction import EvictionSubresource
from pybernetes.apiserver.subresources.proxy import Proxy
from pybernetes.apiserver.subresources.scale import ScaleSubresource
from pybernetes.apiserver.subresources.token import TokenSubresource
from pybernetes.apiserver.types import StreamResponse, Tunnel
from pybernetes.apiserver.writing import Writer
from pybernetes.client.transport import Response

Answer = Response | StreamResponse | Tunnel
Verb = Callable[[ResourceRequest], Awaitable[Answer]]
Endpoints = Mapping[str, Mapping[str, Verb]]
"""name of a subresource -> verb -> handler"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """What endpoints are made from."""

    context: ServerContext
    writer: Writer
    deleter: Deleter
    nodes: Nodes
    tokens: ServiceAccountTokens | None


def endpoints(parts: Parts) -> Endpoints:
    """Every endpoint below an object. Without `tokens` there is no /token."""
    context = parts.context
    scale = ScaleSubresource(context, parts.writer)
    connect = Connect(context, parts.writer, parts.nodes)
    proxy = Proxy(context, parts.writer, parts.nodes)
    found: dict[str, Mapping[str, Verb]] = {
        "scale": {"get": scale.get, "update": scale.update, "patch": scale.patch},
        "binding": {"create": BindingSubresource(context, parts.writer).create},
        "eviction": {"create": EvictionSubresource(context, parts.writer, parts.deleter).create},
        "log": {"get": connect.log},
        "exec": {"get": connect.exec, "create": connect.exec},
        "attach": {"get": connect.attach, "create": connect.attach},
        "portforward": {"get": connect.port_forward, "create": connect.port_forward},
        "proxy": dict.fromkeys((*EVERY_METHOD, "options"), proxy.any),
    }
    if parts.tokens is not None:
        found["token"] = {"create": TokenSubresource(context, parts.writer, parts.tokens).create}
    return found


def collections(parts: Parts) -> Mapping[str, Verb]:
    """The handlers of POST to kinds that are not stored, by `Kind.resource`. `reviews` handles all others."""
    return {BINDING.resource: BindingSubresource(parts.context, parts.writer).create_named}
