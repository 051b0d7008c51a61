"""proxy: HTTP to a pod, to an endpoint of a service, or to a node's kubelet, through the server."""

import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Any

from pybernetes.api.core.connect_options import ProxyOptions
from pybernetes.api.core.endpoints import KIND as ENDPOINTS
from pybernetes.api.core.endpoints import Endpoints
from pybernetes.api.core.node import KIND as NODE
from pybernetes.api.core.node import Node
from pybernetes.api.core.pod import KIND as POD
from pybernetes.api.core.pod import Pod
from pybernetes.api.core.service import KIND as SERVICE
from pybernetes.api.core.service import Service
from pybernetes.apiserver import codec, errors
from pybernetes.apiserver.context import ResourceRequest, ServerContext
from pybernetes.apiserver.kubelet import Nodes, is_upgrade, path_of, url_of, with_query
from pybernetes.apiserver.types import StreamResponse, Tunnel
from pybernetes.apiserver.writing import Writer
from pybernetes.client.transport import Response


@dataclass(frozen=True, slots=True)
class Target:
    """Where a request goes. `tls` is None for plain HTTP."""

    scheme: str
    host: str
    port: int
    tls: ssl.SSLContext | None = None


class Proxy:
    """Handles every method of /proxy."""

    def __init__(self, context: ServerContext, writer: Writer, nodes: Nodes) -> None:
        self._context = context
        self._writer = writer
        self._nodes = nodes
        self._finders: Mapping[str, Callable[[str, Any, str], Target]] = {
            POD.resource: _pod,
            SERVICE.resource: self._service,
            NODE.resource: self._node,
        }

    async def any(self, request: ResourceRequest) -> Response | StreamResponse | Tunnel:
        """Find the target, and forward the request to it."""
        subresource = request.resource.kind.subresource(request.info.subresource)
        kind = subresource.body.name if subresource is not None and subresource.body is not None else ""
        await self._writer.admit(request, ProxyOptions(kind=kind, path=request.info.rest), "CONNECT")
        found = await self._target(request)
        query = list(request.http.query)
        target = with_query(path_of(*request.info.rest.removeprefix("/").split("/")), query)
        http = request.http
        if is_upgrade(http.headers):
            return self._nodes.tunnel(found.host, found.port, target, http.headers, found.tls, http.method)
        url = url_of(found.scheme, found.host, found.port, target)
        return await self._nodes.forward(http.method, url, http.headers, http.body, found.tls)

    async def _target(self, request: ResourceRequest) -> Target:
        scheme, name, port = split(request.info.name)
        resource = request.resource
        kv = self._context.store.get(resource.key(request.namespace, name))
        if kv is None:
            raise errors.not_found(resource.kind, name)
        return self._finders[resource.kind.resource](scheme, await resource.read(kv), port)

    def _node(self, scheme: str, node: Node, wanted: str) -> Target:
        """A port of the node, by default the kubelet's."""
        host, kubelet_port = self._nodes.kubelet(node.metadata.name)
        port = int(wanted) if wanted.isdigit() else kubelet_port
        return Target(scheme or "https", host, port, self._nodes.tls() if scheme in ("", "https") else None)

    def _service(self, scheme: str, service: Service, wanted: str) -> Target:
        """A random ready endpoint. Raises ServerError (503) if there is none."""
        ports = service.spec.ports
        name = wanted or (ports[0].name if len(ports) == 1 else "")
        known = next((p for p in ports if wanted and wanted in (p.name, str(p.port))), None)
        if known is not None:
            name = known.name
        kv = self._context.store.get(ENDPOINTS.key(service.metadata.namespace, service.metadata.name))
        subsets = codec.decode(kv.value, Endpoints).subsets if kv is not None else []
        found = [
            (address.ip, port.port)
            for subset in subsets
            for port in subset.ports
            if (port.name or "") == name or (known is None and str(port.port) == wanted)
            for address in subset.addresses
        ]
        if not found:
            raise errors.unavailable(f'no endpoints available for service "{service.metadata.name}"')
        host, port = self._context.random.choice(found)
        return _insecure(scheme, host, port)


def split(text: str) -> tuple[str, str, str]:
    """`https:web:80` -> ("https", "web", "80"); scheme and port may be left out. Raises BadRequest."""
    parts = text.split(":")
    if len(parts) == 1:
        return "", text, ""
    if len(parts) == 2:
        return "", parts[0], parts[1]
    if len(parts) == 3 and parts[0] in ("", "http", "https"):
        return parts[0], parts[1], parts[2]
    raise errors.bad_request(f"invalid proxy request {text!r}")


def _pod(scheme: str, pod: Pod, wanted: str) -> Target:
    if not pod.status.pod_ip:
        raise errors.bad_request("address not allowed")
    return _insecure(scheme, pod.status.pod_ip, _port(pod, wanted))


def _port(pod: Pod, wanted: str) -> int:
    """A port by number or name; the first one, or 80, where none is given."""
    if wanted.isdigit():
        return int(wanted)
    ports = [port for container in pod.spec.containers for port in container.ports]
    return next((port.container_port for port in ports if not wanted or port.name == wanted), 80)


def _insecure(scheme: str, host: str, port: int) -> Target:
    """HTTP, or HTTPS without verifying the certificate, to a pod."""
    return Target(scheme or "http", _may_reach(host), port, _unchecked() if scheme == "https" else None)


def _may_reach(address: str) -> str:
    """Refuse addresses of the server's own machine, which a forged pod status could contain. Raises BadRequest."""
    try:
        parsed = ip_address(address)
    except ValueError as error:
        raise errors.bad_request("address not allowed") from error
    if parsed.is_loopback or parsed.is_link_local or parsed.is_unspecified or parsed.is_multicast:
        raise errors.bad_request("address not allowed")
    return address


def _unchecked() -> ssl.SSLContext:
    """TLS to a pod, whose certificate the server can't verify."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context
