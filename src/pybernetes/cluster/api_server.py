"""Run an API server: open its store, assemble its parts, listen on its port.

Both the control plane of a local cluster and `pybernetes apiserver` use this.
"""

import asyncio
import logging
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pybernetes.api.core.pod import KIND as POD
from pybernetes.apiserver import codec
from pybernetes.apiserver.assembly import DEFAULT_MODES, Security, assemble
from pybernetes.apiserver.auth.node import NodeAuthorizer
from pybernetes.apiserver.config import ServerConfig
from pybernetes.apiserver.feed import Feed
from pybernetes.apiserver.http import TlsFiles, serve_https
from pybernetes.apiserver.server import ApiServer
from pybernetes.cluster.errors import ConfigError
from pybernetes.store.errors import WriteFailed
from pybernetes.store.sqlite import SqliteStore
from pybernetes.store.types import Store

if TYPE_CHECKING:
    from pybernetes.etcd import EtcdTls

log = logging.getLogger(__name__)

_COMPACT_SECONDS = 300.0
OpenStore = Callable[[], Awaitable[Store]]
Prepare = Callable[[ApiServer], Awaitable[None]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Serving:
    """Settings of one API server."""

    open_store: OpenStore
    config: ServerConfig
    security: Security
    tls: TlsFiles
    hosts: Sequence[str]
    port: int
    modes: Sequence[str] = DEFAULT_MODES
    """`--authorization-mode`"""
    compact_seconds: float = _COMPACT_SECONDS
    """`--etcd-compaction-interval`; 0 never compacts"""


def sqlite(path: Path) -> OpenStore:
    """A function that opens the embedded store."""

    async def open_store() -> Store:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        return await SqliteStore.open(path, stamp=codec.stamp)

    return open_store


def etcd(servers: Sequence[str], tls: "EtcdTls | None") -> OpenStore:
    """A function that opens a store in an etcd cluster."""
    # Importing gRPC takes 50 ms and 9 MB, which the embedded store does not need.
    from pybernetes.store.etcd import EtcdStore

    async def open_store() -> Store:
        return await EtcdStore.open(servers, prefix="/registry/", tls=tls, stamp=codec.stamp)

    return open_store


@asynccontextmanager
async def serving(wanted: Serving, prepare: Prepare | None = None) -> AsyncGenerator[ApiServer, None]:
    """An API server that listens until the context exits. `prepare` may write objects before the first request.

    On exit, watches end first and the store closes last, so acknowledged writes are on disk.
    """
    store = await wanted.open_store()
    nodes = NodeAuthorizer()
    server = assemble(wanted.config, store, wanted.security, nodes=nodes, modes=wanted.modes)
    tasks = [asyncio.create_task(Feed(store, (POD,), nodes).run(), name="node authorizer")]
    if wanted.compact_seconds:
        tasks.append(asyncio.create_task(compact_regularly(store, wanted.compact_seconds), name="compaction"))
    try:
        await server.start()
        if prepare is not None:
            await prepare(server)
        async with _listening(server, wanted):
            yield server
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await server.close()
        await store.close()


@asynccontextmanager
async def _listening(server: ApiServer, wanted: Serving) -> AsyncGenerator[None, None]:
    where = f"{' and '.join(wanted.hosts)}, port {wanted.port}"
    try:
        listening = await serve_https(server, list(wanted.hosts), wanted.port, wanted.tls)
    except OSError as error:
        raise ConfigError(
            f"the API server cannot listen on {where}: {error.strerror or error}; "
            f"find the program that uses it with: ss -ltnp 'sport = :{wanted.port}'"
        ) from error
    log.info("API server listens on %s", where)
    try:
        yield
    finally:
        await listening.close()


async def compact_regularly(store: Store, seconds: float = _COMPACT_SECONDS) -> None:
    """Compact revisions that are older than `seconds`, as kube-apiserver does with etcd."""
    before = store.revision
    while True:
        await asyncio.sleep(seconds)
        try:
            if before > store.compacted:
                await store.compact(before)
        except WriteFailed as error:
            log.warning("compaction failed and will be retried: %s", error)
        before = store.revision
