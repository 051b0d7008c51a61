"""Parts of the commands: health port, connection to the API server, progress, failures."""

import asyncio
import errno
import io
import os
import pty
from collections.abc import AsyncGenerator
from pathlib import Path

import msgspec
import pytest

from pybernetes.cli.failures import expected
from pybernetes.cli.spinner import Lines
from pybernetes.client.client import Client
from pybernetes.client.endpoint import Endpoint
from pybernetes.client.errors import Unreachable
from pybernetes.client.transport import Request, Response
from pybernetes.cluster import up as bringing_up
from pybernetes.cluster.connection import AccountTransport, endpoint
from pybernetes.cluster.errors import ConfigError, StartTimeout
from pybernetes.cluster.healthz import answer, health
from pybernetes.cluster.layout import Layout
from pybernetes.cluster.progress import Step, Steps
from pybernetes.cluster.up import UpOptions

from .assembly import free_port


@pytest.mark.parametrize(
    ("line", "wrong", "status"),
    [
        ("GET /healthz HTTP/1.1", "", 200),
        ("HEAD /readyz HTTP/1.1", "", 200),
        ("GET /livez?verbose HTTP/1.1", "not yet", 503),
        ("GET /metrics HTTP/1.1", "not yet", 200),
        ("GET / HTTP/1.1", "", 404),
        ("POST /healthz HTTP/1.1", "", 405),
        ("nonsense", "", 405),
        ("", "", 405),
    ],
)
def test_responses_of_the_health_port(line: str, wrong: str, status: int) -> None:
    found, body = answer(line, lambda: wrong, lambda: b"m 1\n")
    assert found == status
    if status == 503:
        assert body == b"not yet\n"


async def test_the_health_port_survives_invalid_requests() -> None:
    port = free_port()
    async with health(("127.0.0.1", port), lambda: "", flag="--healthz-port"):
        for sent, begins in ((b"\x00" * 70000, b""), (b"GET /healthz HTTP/1.1\r\n\r\n", b"HTTP/1.1 200 OK")):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(sent)
            try:
                assert (await reader.read()).startswith(begins)
            except ConnectionError:
                assert begins == b""
            writer.close()
        with pytest.raises(ConfigError, match=f"--healthz-port: cannot listen on 127.0.0.1, port {port}"):
            async with health(("127.0.0.1", port), lambda: "", flag="--healthz-port"):
                pass


def test_without_a_kubeconfig_a_pod_finds_its_cluster(tmp_path: Path) -> None:
    env = {"KUBERNETES_SERVICE_HOST": "fd00::1", "KUBERNETES_SERVICE_PORT": "6443"}
    with pytest.raises(ConfigError, match="--kubeconfig is needed"):
        endpoint(None, environment=env, account=tmp_path)
    (tmp_path / "token").write_text("t")
    with pytest.raises(ConfigError, match="--kubeconfig is needed"):
        endpoint(None, environment={}, account=tmp_path)
    found = endpoint(None, environment=env, account=tmp_path)
    assert found.server == "https://[fd00::1]:6443"
    assert found.token_file == tmp_path / "token" and found.ca_file is None
    assert endpoint(None, "http://127.0.0.1:8080/", environment={}, account=tmp_path).server == "http://127.0.0.1:8080"


class TokenServer:
    """Handles service-account and token requests, and counts the tokens."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    async def request(self, request: Request) -> Response:
        """One request."""
        self.asked.append(f"{request.method} {request.path}")
        if request.path.endswith("/token"):
            body = {"kind": "TokenRequest", "status": {"token": f"t{len(self.asked)}"}}
            return Response(201, {}, msgspec.json.encode(body))
        return Response(409, {}, b'{"kind":"Status","code":409,"reason":"AlreadyExists","status":"Failure"}')

    async def stream(self, request: Request) -> AsyncGenerator[list[bytes], None]:
        """Not used here."""
        yield []

    async def close(self) -> None:
        """Nothing to free."""


async def test_a_controllers_account_is_created_once_and_its_token_is_reused() -> None:
    owner = TokenServer()
    at = Endpoint(server="http://127.0.0.1:1", token="the manager's own")
    transport = AccountTransport(Client(owner), at, "pbt-controller")
    wanted = Request(method="GET", path="/api/v1/pods")
    for _ in range(3):
        with pytest.raises(Unreachable):
            await transport.request(wanted)
    await transport.close()
    assert owner.asked == [
        "POST /api/v1/namespaces/kube-system/serviceaccounts",
        "POST /api/v1/namespaces/kube-system/serviceaccounts/pbt-controller/token",
    ]


def test_progress_without_a_terminal_is_a_line_per_step() -> None:
    stream = io.StringIO()
    lines = Lines(stream)
    steps = Steps(lines)
    steps.begin("making it")
    steps.done("made")
    lines.done(Step("loaded", 12.5))
    lines.close()
    assert stream.getvalue().endswith("s  made\n   12.50 s  loaded\n")
    assert "\x1b" not in stream.getvalue() and "making it" not in stream.getvalue()


@pytest.mark.slow
def test_progress_on_a_terminal_shows_the_current_step_and_cleans_up() -> None:
    master, slave = pty.openpty()
    with os.fdopen(slave, "w", buffering=1) as terminal:
        lines = Lines(terminal)
        lines.begin("making it")
        shown = ""
        while "⠙ making it" not in shown:
            shown += os.read(master, 65536).decode(errors="replace")
        lines.done(Step("made", 0.35))
        lines.begin("breaking it")
        lines.close()
        lines.close()
        while not shown.endswith("\r\x1b[K") or "made" not in shown:
            shown += os.read(master, 65536).decode(errors="replace")
    os.close(master)
    assert "⠋ making it" in shown and "⠙ making it" in shown
    assert "\x1b[K    0.35 s  made" in shown


def test_expected_failures_are_one_line_and_bugs_are_not() -> None:
    full = OSError(errno.ENOSPC, "No space left on device", "/var/x")
    assert expected(full) == (
        "No space left on device: /var/x; free some space on that disk (df -h) and run the command again"
    )
    group = ExceptionGroup("tasks", [ConfigError("wrong"), ExceptionGroup("more", [ConfigError("wrong")])])
    assert expected(group) == "wrong"
    assert expected(ExceptionGroup("tasks", [KeyError("a bug")])) is None
    assert expected(KeyError("a bug")) is None


async def test_up_ends_with_the_first_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise StartTimeout("containerd of node-1 did not start; see its log")

    async def forever(*_: object) -> None:
        await asyncio.Event().wait()

    monkeypatch.setattr(bringing_up, "_load_images", broken)
    monkeypatch.setattr(bringing_up, "_wait_until_ready", forever)
    layout, steps = Layout("pbt-none", 0), Steps(Lines(io.StringIO()))
    with pytest.raises(StartTimeout, match="containerd of node-1"):
        async with asyncio.timeout(5):
            await bringing_up._start(layout, [], [], UpOptions(name="pbt-none"), steps)

    async def late(*_: object) -> None:
        raise StartTimeout("the cluster was not ready")

    monkeypatch.setattr(bringing_up, "_load_images", lambda *_: None)
    monkeypatch.setattr(bringing_up, "_wait_until_ready", late)
    with pytest.raises(StartTimeout, match="was not ready"):
        await bringing_up._start(layout, [], [], UpOptions(name="pbt-none"), steps)
