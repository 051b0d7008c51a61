"""Probes and lifecycle hooks: how a container is asked after its health, and told of its start and end."""

from pybernetes.api.meta import IntOrString, Struct, always


class ExecAction(Struct, kw_only=True):
    """Runs a command in the container; exit code 0 means healthy."""

    command: list[str] = []


class GRPCAction(Struct, kw_only=True):
    """Asks the gRPC health service."""

    port: int = always(int)
    mode: str = ""
    service: str = ""


class HTTPHeader(Struct, kw_only=True):
    """A header of a probe's request."""

    name: str = always(str)
    value: str = always(str)


class HTTPGetAction(Struct, kw_only=True):
    """Sends an HTTP GET; a status from 200 to 399 means healthy."""

    port: IntOrString = always(int)
    host: str = ""
    http_headers: list[HTTPHeader] = []
    path: str = ""
    protocol: str = ""
    scheme: str = ""


class SleepAction(Struct, kw_only=True):
    """Waits."""

    seconds: int = always(int)


class TCPSocketAction(Struct, kw_only=True):
    """Opens a connection; that it opens means healthy."""

    port: IntOrString = always(int)
    host: str = ""


class LifecycleHandler(Struct, kw_only=True):
    """What is done at a point of a container's life; exactly one field is set."""

    exec: ExecAction | None = None
    http_get: HTTPGetAction | None = None
    sleep: SleepAction | None = None
    tcp_socket: TCPSocketAction | None = None


class Lifecycle(Struct, kw_only=True):
    """What is done after a container's start and before its end."""

    post_start: LifecycleHandler | None = None
    pre_stop: LifecycleHandler | None = None
    stop_signal: str = ""


class Probe(Struct, kw_only=True):
    """How, and how often, a container is asked after its health."""

    exec: ExecAction | None = None
    failure_threshold: int | None = None
    grpc: GRPCAction | None = None
    http_get: HTTPGetAction | None = None
    initial_delay_seconds: int | None = None
    period_seconds: int | None = None
    success_threshold: int | None = None
    tcp_socket: TCPSocketAction | None = None
    termination_grace_period_seconds: int | None = None
    timeout_seconds: int | None = None
