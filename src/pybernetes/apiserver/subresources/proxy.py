"""proxy: HTTP to a pod, to an endpoint of a service, or to a node's kubelet, through the server."""

import ssl
from ipaddress import ip_address

from pybernetes.api.core.endpoints import KIND as ENDPOINTS
from pybernetes.api.core.endpoints import Endpoints
from pybernetes.api.core.pod import Pod
from pybernetes.api.core.service import Service
from pybernetes.apiserver import codec, errors
from pybernetes.apiserver.context import ResourceRequest, ServerContext
from pybernetes.apiserver.kubelet import Nodes, is_upgrade, path_of, url_of, with_query
from pybernetes.apiserver.types import StreamResponse, Tunnel
from pybernetes.client.transport import Response

Target = tuple[str, str, int]
"""scheme, host, port"""


class Proxy:
    """Answers any method of /proxy."""

    def __init__(self, context: ServerContext, nodes: Nodes) -> None:
        self._context = context
        self._nodes = nodes

    async def any(self, request: ResourceRequest) -> Response | StreamResponse | Tunnel:
        """Find where to, and pass the request on."""
        scheme, host, port = self._target(request)
        tls: ssl.SSLContext | None = None
        if scheme == "https":
            tls = self._nodes.tls() if request.resource.kind.plural == "nodes" else _unchecked()
        query = list(request.http.query)
        target = with_query(path_of(*request.info.rest.removeprefix("/").split("/")), query)
        headers = request.http.headers
        if is_upgrade(headers):
            return self._nodes.tunnel(host, port, target, headers, tls, request.http.method)
        url = url_of(scheme, host, port, target)
        return await self._nodes.forward(request.http.method, url, headers, request.http.body, tls)

    def _target(self, request: ResourceRequest) -> Target:
        scheme, name, port = split(request.info.name)
        plural = request.resource.kind.plural
        if plural == "nodes":
            host, kubelet_port = self._nodes.kubelet(name)
            return scheme or "https", host, int(port) if port.isdigit() else kubelet_port
        kv = self._context.store.get(request.resource.key(request.namespace, name))
        if kv is None:
            raise errors.not_found(request.resource.kind, name)
        obj = request.resource.read(kv)
        if plural == "pods":
            return scheme or "http", *_pod(obj, port)
        return scheme or "http", *self._service(obj, port)

    def _service(self, service: Service, wanted: str) -> tuple[str, int]:
        """A random ready endpoint. Raises 503 when there is none."""
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
        return _may_reach(host), port


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


def _pod(pod: Pod, wanted: str) -> tuple[str, int]:
    if not pod.status.pod_ip:
        raise errors.bad_request("address not allowed")
    if wanted.isdigit():
        return _may_reach(pod.status.pod_ip), int(wanted)
    for container in pod.spec.containers:
        for port in container.ports:
            if not wanted or port.name == wanted:
                return _may_reach(pod.status.pod_ip), port.container_port
    return _may_reach(pod.status.pod_ip), 80


def _may_reach(address: str) -> str:
    """Refuses addresses of the server's own machine: a pod's status is not a way into it. Raises BadRequest."""
    try:
        parsed = ip_address(address)
    except ValueError as error:
        raise errors.bad_request("address not allowed") from error
    if parsed.is_loopback or parsed.is_link_local or parsed.is_unspecified or parsed.is_multicast:
        raise errors.bad_request("address not allowed")
    return address


def _unchecked() -> ssl.SSLContext:
    """TLS to a pod, whose certificate nobody signed for us."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context
