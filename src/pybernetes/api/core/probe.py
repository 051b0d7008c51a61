"""TODOC core/probe.py"""

from pybernetes.api.meta import IntOrString, Struct, always


class ExecAction(Struct, kw_only=True):
    """TODOC ExecAction"""

    command: list[str] = []


class GRPCAction(Struct, kw_only=True):
    """TODOC GRPCAction"""

    port: int = always(int)
    mode: str = ""
    service: str = ""


class HTTPHeader(Struct, kw_only=True):
    """TODOC HTTPHeader"""

    name: str = always(str)
    value: str = always(str)


class HTTPGetAction(Struct, kw_only=True):
    """TODOC HTTPGetAction"""

    port: IntOrString = always(int)
    host: str = ""
    http_headers: list[HTTPHeader] = []
    path: str = ""
    protocol: str = ""
    scheme: str = ""


class SleepAction(Struct, kw_only=True):
    """TODOC SleepAction"""

    seconds: int = always(int)


class TCPSocketAction(Struct, kw_only=True):
    """TODOC TCPSocketAction"""

    port: IntOrString = always(int)
    host: str = ""


class LifecycleHandler(Struct, kw_only=True):
    """TODOC LifecycleHandler"""

    exec: ExecAction | None = None
    http_get: HTTPGetAction | None = None
    sleep: SleepAction | None = None
    tcp_socket: TCPSocketAction | None = None


class Lifecycle(Struct, kw_only=True):
    """TODOC Lifecycle"""

    post_start: LifecycleHandler | None = None
    pre_stop: LifecycleHandler | None = None
    stop_signal: str = ""


class Probe(Struct, kw_only=True):
    """TODOC Probe"""

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
