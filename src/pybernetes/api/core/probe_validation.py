"""Validation of probes and lifecycle hooks."""

from collections.abc import Callable

from pybernetes.api import names, rules
from pybernetes.api.core.probe import (
    ExecAction,
    GRPCAction,
    HTTPGetAction,
    Lifecycle,
    LifecycleHandler,
    Probe,
    SleepAction,
    TCPSocketAction,
)
from pybernetes.api.field import Errors, Path

_LINUX_SIGNALS = (
    "ABRT ALRM BUS CHLD CLD CONT FPE HUP ILL INT IO IOT KILL PIPE POLL PROF PWR QUIT SEGV STKFLT STOP SYS TERM TRAP "
    "TSTP TTIN TTOU URG USR1 USR2 VTALRM WINCH XCPU XFSZ RTMIN RTMAX"
)
LINUX_SIGNALS = tuple(
    sorted(
        (
            *(f"SIG{name}" for name in _LINUX_SIGNALS.split()),
            *(f"SIGRTMIN+{number}" for number in range(1, 16)),
            *(f"SIGRTMAX-{number}" for number in range(1, 15)),
        )
    )
)
HTTP_PROTOCOLS = ("HTTP1", "HTTP2")
GRPC_MODES = ("Plaintext", "TLS")
STOP_SIGNALS = {"linux": LINUX_SIGNALS, "windows": ("SIGKILL", "SIGTERM")}

Action = ExecAction | GRPCAction | HTTPGetAction | SleepAction | TCPSocketAction


def validate_probe(probe: Probe | None, path: Path, errors: Errors, *, needs_one_success: bool = False) -> None:
    """A probe has exactly one action. `needs_one_success`: successThreshold must be 1 (liveness, startup)."""
    if probe is None:
        return
    _exactly_one(
        {"exec": probe.exec, "httpGet": probe.http_get, "tcpSocket": probe.tcp_socket, "grpc": probe.grpc}, path, errors
    )
    rules.not_negative(probe.initial_delay_seconds, path / "initialDelaySeconds", errors)
    rules.not_negative(probe.timeout_seconds, path / "timeoutSeconds", errors)
    rules.not_negative(probe.period_seconds, path / "periodSeconds", errors)
    rules.not_negative(probe.success_threshold, path / "successThreshold", errors)
    rules.not_negative(probe.failure_threshold, path / "failureThreshold", errors)
    grace = probe.termination_grace_period_seconds
    if grace is not None and grace <= 0:
        errors.invalid(path / "terminationGracePeriodSeconds", grace, "must be greater than 0")
    if needs_one_success and probe.success_threshold not in (None, 1):
        errors.invalid(path / "successThreshold", probe.success_threshold, "must be 1")


def validate_lifecycle(
    lifecycle: Lifecycle | None, grace_seconds: int | None, os: str | None, path: Path, errors: Errors
) -> None:
    """Hooks have exactly one action each, which takes no longer than the grace period of the pod."""
    if lifecycle is None:
        return
    for name, handler in (("postStart", lifecycle.post_start), ("preStop", lifecycle.pre_stop)):
        if handler is not None:
            _handler(handler, grace_seconds, path / name, errors)
    if lifecycle.stop_signal:
        _stop_signal(lifecycle.stop_signal, os, path / "stopSignal", errors)


def _stop_signal(signal: str, os: str | None, path: Path, errors: Errors) -> None:
    if os is None:
        errors.forbidden(path, "may not be set for containers with empty `spec.os.name`")
    elif signal not in (allowed := STOP_SIGNALS.get(os, (signal,))):
        errors.not_supported(path, signal, list(allowed))


def _handler(handler: LifecycleHandler, grace_seconds: int | None, path: Path, errors: Errors) -> None:
    _exactly_one(
        {
            "exec": handler.exec,
            "httpGet": handler.http_get,
            "tcpSocket": handler.tcp_socket,
            "sleep": handler.sleep,
        },
        path,
        errors,
        grace_seconds,
    )


def _exactly_one(
    actions: dict[str, Action | None], path: Path, errors: Errors, grace_seconds: int | None = None
) -> None:
    given = [(name, action) for name, action in actions.items() if action is not None]
    if not given:
        errors.required(path, "must specify a handler type")
    for index, (name, action) in enumerate(given):
        if index:
            errors.forbidden(path / name, "may not specify more than 1 handler type")
        elif isinstance(action, SleepAction):
            _sleep(action, grace_seconds, path / name, errors)
        else:
            _CHECKS[type(action)](action, path / name, errors)


def _exec(action: ExecAction, path: Path, errors: Errors) -> None:
    if not action.command:
        errors.required(path / "command")


def _http_get(action: HTTPGetAction, path: Path, errors: Errors) -> None:
    if not action.path:
        errors.required(path / "path")
    rules.port_or_name(action.port, path / "port", errors)
    if action.scheme not in ("HTTP", "HTTPS"):
        errors.not_supported(path / "scheme", action.scheme, ["HTTP", "HTTPS"])
    for header in action.http_headers:
        rules.follows(header.name, names.header_name, path / "httpHeaders", errors)
    _protocol(action, path, errors)


def _protocol(action: HTTPGetAction, path: Path, errors: Errors) -> None:
    if action.protocol and action.protocol not in HTTP_PROTOCOLS:
        errors.not_supported(path / "protocol", action.protocol, list(HTTP_PROTOCOLS))
    elif action.protocol == "HTTP2":
        if action.scheme != "HTTP":
            errors.invalid(path / "protocol", action.protocol, "is only supported with HTTP (H2C)")
        elif action.host:
            errors.invalid(path / "host", action.host, 'must be empty when `protocol` is "HTTP2"')


def _tcp(action: TCPSocketAction, path: Path, errors: Errors) -> None:
    rules.port_or_name(action.port, path / "port", errors)


def _grpc(action: GRPCAction, path: Path, errors: Errors) -> None:
    rules.port(action.port, path / "port", errors)
    if action.mode and action.mode not in GRPC_MODES:
        errors.not_supported(path / "mode", action.mode, list(GRPC_MODES))


def _sleep(action: SleepAction, grace_seconds: int | None, path: Path, errors: Errors) -> None:
    if grace_seconds is not None and not 0 <= action.seconds <= grace_seconds:
        text = f"must be non-negative and less than terminationGracePeriodSeconds ({grace_seconds})"
        errors.invalid(path, action.seconds, text)


_CHECKS: dict[type, Callable[..., None]] = {
    ExecAction: _exec,
    HTTPGetAction: _http_get,
    TCPSocketAction: _tcp,
    GRPCAction: _grpc,
}
