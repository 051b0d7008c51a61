"""Probes and lifecycle hooks: how a container is asked after its health, and told of its start and end."""

from typing import Annotated

from pybernetes.api.facts import Default
from pybernetes.api.meta import Int32, Int64, IntOrString, Struct, always


class ExecAction(Struct, kw_only=True):
    """Runs a command in the container; exit code 0 means healthy."""

    command: list[str] = []
    """The command, without a shell."""


class GRPCAction(Struct, kw_only=True):
    """Asks the gRPC health service."""

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
    """The port, or a name of a port of the container."""
    host: str = ""
    """The host; the pod's address by default."""
    http_headers: list[HTTPHeader] = []
    """Headers of the request."""
    path: str = ""
    """The path."""
    protocol: str = ""
    scheme: str = ""
    """HTTP (default) or HTTPS, whose certificate is not checked."""


class SleepAction(Struct, kw_only=True):
    """Waits for a while."""

    seconds: Int64 = always(int)


class TCPSocketAction(Struct, kw_only=True):
    """Opens a connection; that it opens means healthy."""

    port: IntOrString = always(int)
    """The port, or a name of a port of the container."""
    host: str = ""
    """The host; the pod's address by default."""


class LifecycleHandler(Struct, kw_only=True):
    """What is done at a point of a container's life; exactly one field is set."""

    exec: ExecAction | None = None
    http_get: HTTPGetAction | None = None
    sleep: SleepAction | None = None
    tcp_socket: TCPSocketAction | None = None


class Lifecycle(Struct, kw_only=True):
    """What is done after a container's start and before its end."""

    post_start: LifecycleHandler | None = None
    """Done right after the start; the container is killed if it fails."""
    pre_stop: LifecycleHandler | None = None
    """Done before the container is told to end, within the grace period."""
    stop_signal: str = ""
    """The signal that tells the container to end."""


class ProbeHandler(Struct, kw_only=True):
    """What a probe does: one of these."""

    exec: ExecAction | None = None
    """Run a command in the container."""
    grpc: GRPCAction | None = None
    """Ask the gRPC health service."""
    http_get: HTTPGetAction | None = None
    """Send an HTTP GET."""
    tcp_socket: TCPSocketAction | None = None
    """Open a connection."""


class Probe(ProbeHandler, kw_only=True):
    """How and how often the kubelet checks a container."""

    failure_threshold: Int32 | None = None
    """After how many failures in a row the probe has failed; 3 by default."""
    initial_delay_seconds: Int32 | None = None
    """How long after the start the first probe is made."""
    period_seconds: Int32 | None = None
    """How often; every 10 seconds by default."""
    success_threshold: Int32 | None = None
    """After how many successes in a row the probe has succeeded again; 1 by default."""
    termination_grace_period_seconds: Int64 | None = None
    """How long the container may take to end when this probe fails."""
    timeout_seconds: Int32 | None = None
    """How long an answer may take; 1 second by default."""
