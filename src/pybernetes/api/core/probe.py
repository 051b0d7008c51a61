"""Probes and lifecycle hooks of containers."""

from typing import Annotated

from pybernetes.api.facts import Default
from pybernetes.api.meta import Int32, Int64, IntOrString, Struct, always


class ExecAction(Struct, kw_only=True):
    """Runs a command in the container; exit code 0 means healthy."""

    command: list[str] = []
    """The command, without a shell."""


class GRPCAction(Struct, kw_only=True):
    """Calls the gRPC health service."""

    port: Int32 = always(int)
    mode: str = ""
    service: Annotated[str, Default("")] = ""


class HTTPHeader(Struct, kw_only=True):
    """A header of a probe's request."""

    name: str = always(str)
    value: str = always(str)


class HTTPGetAction(Struct, kw_only=True):
    """Sends an HTTP GET; a status from 200 to 399 means healthy."""

    port: IntOrString = always(int)
    """The number or the name of a port of the container."""
    host: str = ""
    """The host; the pod's address by default."""
    http_headers: list[HTTPHeader] = []
    """Headers of the request."""
    path: str = ""
    """The path."""
    protocol: str = ""
    scheme: str = ""
    """HTTP (default) or HTTPS; the certificate is not verified."""


class SleepAction(Struct, kw_only=True):
    """Sleeps for some seconds."""

    seconds: Int64 = always(int)


class TCPSocketAction(Struct, kw_only=True):
    """Opens a TCP connection; success means healthy."""

    port: IntOrString = always(int)
    """The number or the name of a port of the container."""
    host: str = ""
    """The host; the pod's address by default."""


class LifecycleHandler(Struct, kw_only=True):
    """The action of a lifecycle hook; exactly one field is set."""

    exec: ExecAction | None = None
    http_get: HTTPGetAction | None = None
    sleep: SleepAction | None = None
    tcp_socket: TCPSocketAction | None = None


class Lifecycle(Struct, kw_only=True):
    """Actions after a container's start and before its termination."""

    post_start: LifecycleHandler | None = None
    """Runs right after the start; if it fails, the container is killed."""
    pre_stop: LifecycleHandler | None = None
    """Runs before the container is stopped, within the grace period."""
    stop_signal: str = ""
    """The signal that stops the container."""


class ProbeHandler(Struct, kw_only=True):
    """The action of a probe; exactly one field is set."""

    exec: ExecAction | None = None
    """Run a command in the container."""
    grpc: GRPCAction | None = None
    """Call the gRPC health service."""
    http_get: HTTPGetAction | None = None
    """Send an HTTP GET."""
    tcp_socket: TCPSocketAction | None = None
    """Open a TCP connection."""


class Probe(ProbeHandler, kw_only=True):
    """How and how often the kubelet checks a container."""

    failure_threshold: Int32 | None = None
    """How many consecutive failures make the probe fail; 3 by default."""
    initial_delay_seconds: Int32 | None = None
    """How many seconds after the start the first probe runs."""
    period_seconds: Int32 | None = None
    """The interval in seconds; 10 by default."""
    success_threshold: Int32 | None = None
    """How many consecutive successes make the probe succeed after a failure; 1 by default."""
    termination_grace_period_seconds: Int64 | None = None
    """How many seconds the container has to terminate when this probe fails."""
    timeout_seconds: Int32 | None = None
    """The timeout in seconds; 1 by default."""
