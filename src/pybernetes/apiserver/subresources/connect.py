"""log, exec, attach and portforward: requests to the kubelet of the pod's node.

The server checks that the pod and the container exist, translates the path, and forwards the bytes.
"""

from contextlib import aclosing
from typing import Any

from pybernetes.api.core.connect_options import PodAttachOptions, PodExecOptions, PodPortForwardOptions
from pybernetes.api.core.pod import Pod
from pybernetes.apiserver import errors, reading
from pybernetes.apiserver.context import ResourceRequest, ServerContext
from pybernetes.apiserver.kubelet import Nodes, is_upgrade, path_of, url_of, with_query
from pybernetes.apiserver.requests import is_true
from pybernetes.apiserver.types import StreamResponse, Tunnel
from pybernetes.apiserver.writing import Writer
from pybernetes.client.errors import ApiError
from pybernetes.client.transport import Response

_LOG_PARAMETERS = (
    "follow",
    "previous",
    "sinceSeconds",
    "sinceTime",
    "timestamps",
    "tailLines",
    "limitBytes",
    "stream",
)
#: exec's parameters: the names in the API and in the kubelet.
_STREAMS = (("stdin", "input"), ("stdout", "output"), ("stderr", "error"), ("tty", "tty"))


class Connect:
    """Answers for running pods."""

    def __init__(self, context: ServerContext, writer: Writer, nodes: Nodes) -> None:
        self._context = context
        self._writer = writer
        self._nodes = nodes

    async def log(self, request: ResourceRequest) -> Response | StreamResponse:
        """GET of /log. The log of a pod without a node is empty."""
        pod = await self._pod(request)
        container = _container(pod, request.query.get("container", ""), default=True)
        _check_log(request)
        if not pod.spec.node_name:
            return Response(200, {"content-type": "text/plain"}, b"")
        host, port = self._nodes.kubelet(pod.spec.node_name)
        query = [(name, request.query[name]) for name in _LOG_PARAMETERS if request.query.get(name)]
        meta = pod.metadata
        target = with_query(path_of("containerLogs", meta.namespace, meta.name, container), query)
        url = url_of("https", host, port, target)
        answer = await self._nodes.forward("GET", url, {}, b"", self._nodes.tls())
        if answer.status >= 400:
            raise await _refusal(answer)
        return StreamResponse(answer.status, {"content-type": "text/plain", **answer.headers}, answer.body)

    async def exec(self, request: ResourceRequest) -> Tunnel:
        """GET or POST of /exec."""
        options = PodExecOptions(**_streams(request), command=request.all_of("command"))
        await self._writer.admit(request, options, "CONNECT")
        return await self._stream(request, "exec", [("command", part) for part in options.command])

    async def attach(self, request: ResourceRequest) -> Tunnel:
        """GET or POST of /attach."""
        await self._writer.admit(request, PodAttachOptions(**_streams(request)), "CONNECT")
        return await self._stream(request, "attach", [])

    async def _stream(self, request: ResourceRequest, verb: str, extra: list[tuple[str, str]]) -> Tunnel:
        pod = await self._pod(request)
        container = _container(pod, request.query.get("container", ""), default=True)
        query = [(theirs, "1") for ours, theirs in _STREAMS if request.query.get(ours) in ("true", "1")]
        meta = pod.metadata
        return self._tunnel(
            request, pod, with_query(path_of(verb, meta.namespace, meta.name, container), query + extra)
        )

    async def port_forward(self, request: ResourceRequest) -> Tunnel:
        """GET or POST of /portforward."""
        pod = await self._pod(request)
        numbers = [int(port) for port in request.all_of("ports") if port.isdigit()]
        await self._writer.admit(request, PodPortForwardOptions(ports=numbers), "CONNECT")
        ports = [("port", port) for port in request.all_of("ports")]
        path = path_of("portForward", pod.metadata.namespace, pod.metadata.name)
        return self._tunnel(request, pod, with_query(path, ports))

    def _tunnel(self, request: ResourceRequest, pod: Pod, target: str) -> Tunnel:
        if not pod.spec.node_name:
            raise errors.bad_request(f"pod {pod.metadata.name} does not have a host assigned")
        headers = request.http.headers
        if not is_upgrade(headers):
            raise errors.bad_request("Upgrade request required")
        host, port = self._nodes.kubelet(pod.spec.node_name)
        return self._nodes.tunnel(host, port, target, headers, self._nodes.tls(), request.http.method)

    async def _pod(self, request: ResourceRequest) -> Pod:
        pod: Pod = await request.resource.read(reading.find(self._context, request))
        return pod


def _streams(request: ResourceRequest) -> dict[str, Any]:
    """The streams and the container that the query asks for."""
    requested = {name: is_true(request.query.get(name)) for name, _ in _STREAMS}
    return {**requested, "container": request.query.get("container", "")}


def _container(pod: Pod, requested: str, *, default: bool) -> str:
    """The container to connect to. Raises BadRequest if the client must name one."""
    spec, name = pod.spec, pod.metadata.name
    if not requested:
        if len(spec.containers) == 1 and default:
            return spec.containers[0].name
        choices = f"choose one of: [{' '.join(c.name for c in spec.containers)}]"
        if spec.init_containers:
            choices += f" or one of the init containers: [{' '.join(c.name for c in spec.init_containers)}]"
        if spec.ephemeral_containers:
            choices += f" or one of the ephemeral containers: [{' '.join(c.name for c in spec.ephemeral_containers)}]"
        raise errors.bad_request(f"a container name must be specified for pod {name}, {choices}")
    known = [c.name for c in (*spec.containers, *spec.init_containers)]
    if requested not in known and all(c.name != requested for c in spec.ephemeral_containers):
        raise errors.bad_request(f"container {requested} is not valid for pod {name}")
    return requested


async def _refusal(answer: StreamResponse) -> ApiError:
    """A kubelet's error in plain text, as the Status that clients expect."""
    async with aclosing(answer.body) as body:
        text = b"".join([chunk async for chunk in body]).decode(errors="replace").strip()[:1000]
    return errors.bad_request(text) if answer.status < 500 else errors.internal(text)


def _check_log(request: ResourceRequest) -> None:
    for name, least in (("tailLines", 0), ("sinceSeconds", 1), ("limitBytes", 1)):
        text = request.query.get(name, "")
        if text and not (text.isascii() and text.isdigit() and int(text) >= least):
            raise errors.bad_request(f"{name}: Invalid value: {text[:40]!r}: must be greater than or equal to {least}")
    if request.query.get("sinceSeconds") and request.query.get("sinceTime"):
        raise errors.bad_request("at most one of sinceTime or sinceSeconds may be specified")
