"""The kubelet's HTTPS server. Paths and parameters are kubelet's.

/containerLogs/{namespace}/{pod}/{container}   /exec, /attach, /run the same   /portForward/{namespace}/{pod}
/pods   /healthz   /metrics   /stats/summary
"""

import asyncio
import logging
import ssl
from collections.abc import Awaitable, Callable

from pybernetes.kubelet.config import ConfigError, KubeletConfig
from pybernetes.kubelet.pods import PodRegistry
from pybernetes.kubelet.runtime import Runtime, RuntimeFailure, RuntimeUnavailable
from pybernetes.kubelet.server import access, http
from pybernetes.kubelet.server.handlers import Handlers, Refused
from pybernetes.kubelet.server.http import BadRequest, Request, read_request

log = logging.getLogger(__name__)

Connection = tuple[asyncio.StreamReader, asyncio.StreamWriter]
Handler = Callable[[Request, Connection], Awaitable[None]]


class KubeletServer:
    """Serves while `run` runs."""

    def __init__(self, config: KubeletConfig, runtime: Runtime, registry: PodRegistry) -> None:
        self._config = config
        handlers = Handlers(config, runtime, registry)
        self._routes: dict[tuple[str, int], Handler] = {
            ("containerLogs", 4): handlers.logs,
            ("exec", 4): handlers.exec,
            ("exec", 5): handlers.exec,
            ("attach", 4): handlers.attach,
            ("attach", 5): handlers.attach,
            ("portForward", 3): handlers.port_forward,
            ("portForward", 4): handlers.port_forward,
            ("run", 4): handlers.run,
            ("pods", 1): handlers.pods,
            ("healthz", 1): handlers.healthz,
            ("livez", 1): handlers.healthz,
            ("readyz", 1): handlers.healthz,
            ("metrics", 1): handlers.metrics,
            ("stats", 2): handlers.stats,
        }
        self.port = config.port
        self._busy: set[asyncio.Task[None]] = set()

    async def run(self) -> None:
        """Serve until cancelled. Raises ConfigError if the port is taken."""
        context = access.tls_context(self._config)
        try:
            server = await asyncio.start_server(
                self._connected, self._config.address, self._config.port, ssl=context, limit=http.MAX_HEAD
            )
        except OSError as error:
            where = f"{self._config.address}:{self._config.port}"
            raise ConfigError(f"cannot listen on {where}: {error.strerror}; give another --port") from error
        self.port = server.sockets[0].getsockname()[1]
        try:
            await asyncio.Event().wait()
        finally:
            server.close()
            for task in self._busy:
                task.cancel()
            if self._busy:
                await asyncio.wait(self._busy)

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        task.set_name("kubelet request")
        self._busy.add(task)
        try:
            await self._serve(reader, writer)
        except (ConnectionError, ssl.SSLError, asyncio.IncompleteReadError) as error:
            log.debug("connection lost: %s", error)
        except asyncio.CancelledError:
            return
        finally:
            self._busy.discard(task)
            writer.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            request = await read_request(reader)
            if request is None:
                return
            name, groups = access.subject(writer.get_extra_info("peercert"))
            if not access.is_allowed(self._config, name, groups, request.path):
                status, text = (401, "Unauthorized") if not name else (403, f"Forbidden (user={name})")
                await http.answer(writer, status, text.encode())
                return
            handler = self._routes.get((request.segments[0], len(request.segments)))
            if handler is None:
                raise Refused(404, "404 page not found")
            await handler(request, (reader, writer))
        except BadRequest as error:
            await http.answer(writer, 400, str(error).encode())
        except Refused as error:
            await http.answer(writer, error.status, str(error).encode())
        except RuntimeUnavailable as error:
            await http.answer(writer, 503, str(error).encode())
        except RuntimeFailure as error:
            await http.answer(writer, 500, str(error).encode())
