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


def validate_lifecycle(lifecycle: Lifecycle | None, path: Path, errors: Errors) -> None:
    """Hooks have exactly one action each."""
    if lifecycle is None:
        return
    for name, handler in (("postStart", lifecycle.post_start), ("preStop", lifecycle.pre_stop)):
        if handler is not None:
            _handler(handler, path / name, errors)


def _handler(handler: LifecycleHandler, path: Path, errors: Errors) -> None:
    _exactly_one(
        {
            "exec": handler.exec,
            "httpGet": handler.http_get,
            "tcpSocket": handler.tcp_socket,
            "sleep": handler.sleep,
        },
        path,
        errors,
    )


def _exactly_one(actions: dict[str, Action | None], path: Path, errors: Errors) -> None:
    given = [(name, action) for name, action in actions.items() if action is not None]
    if not given:
        errors.required(path, "must specify a handler type")
    for index, (name, action) in enumerate(given):
        if index:
            errors.forbidden(path / name, "may not specify more than 1 handler type")
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
    for index, header in enumerate(action.http_headers):
        rules.follows(header.name, names.header_name, path / "httpHeaders" @ index / "name", errors)


def _tcp(action: TCPSocketAction, path: Path, errors: Errors) -> None:
    rules.port_or_name(action.port, path / "port", errors)


def _grpc(action: GRPCAction, path: Path, errors: Errors) -> None:
    rules.port(action.port, path / "port", errors)


def _sleep(action: SleepAction, path: Path, errors: Errors) -> None:
    if action.seconds < 0:
        errors.invalid(path, action.seconds, "must be non-negative")


_CHECKS: dict[type, Callable[..., None]] = {
    ExecAction: _exec,
    HTTPGetAction: _http_get,
    TCPSocketAction: _tcp,
    GRPCAction: _grpc,
    SleepAction: _sleep,
}
