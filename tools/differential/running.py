"""One kind's cases on a server, compared with the recorded answers or with another server."""

import asyncio
import random
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from pybernetes.apiserver import codec
from pybernetes.apiserver.assembly import Security, assemble
from pybernetes.apiserver.auth import signing
from pybernetes.apiserver.config import ServerConfig
from pybernetes.apiserver.inprocess import InProcessTransport
from pybernetes.apiserver.types import User
from pybernetes.store.sqlite import SqliteStore

from . import recorded
from .answers import NOT_ASKED, Answer, difference
from .asking import Server
from .corpus import Case, KindCases, cases, pairs
from .findings import Finding

_ADMIN = User("admin", ("system:masters", "system:authenticated"))


@asynccontextmanager
async def our_server() -> AsyncIterator[Server]:
    """Our API server, in this process, as kube-apiserver was configured when its answers were recorded."""
    with tempfile.TemporaryDirectory(prefix="pybernetes-differential-") as folder:
        store = await SqliteStore.open(Path(folder) / "state.db", stamp=codec.stamp)
        config = ServerConfig(advertise_address="192.0.2.10", service_cidrs=(recorded.SERVICE_CIDR,))
        server = assemble(config, store, Security(signing_key=signing.generate()), rng=random.Random(1))
        await server.start()
        try:
            yield await Server(InProcessTransport(server, _ADMIN)).discover()
        finally:
            await server.close()
            await store.close()


async def replay(of: KindCases, server: Server) -> list[Finding]:
    """Where a server's answers differ from the recorded ones. The server must serve the kind."""
    expected = recorded.read(of)
    ours = {str(case): answer async for case, answer in server.answers(of, (case for case, _ in expected))}
    return _differences(of, expected, ours)


async def compare(
    of: KindCases, theirs: Server, ours: Server, drawn: tuple[int, int] | None
) -> tuple[int, list[Finding]]:
    """(number of cases, where two servers differ); `drawn`: seed and number of pairs instead of single fields."""

    async def ask(server: Server) -> list[tuple[Case, Answer]]:
        chosen = cases(of) if drawn is None else pairs(of, *drawn)
        return [found async for found in server.answers(of, chosen)]

    expected, found = await asyncio.gather(ask(theirs), ask(ours))
    return len(expected), _differences(of, expected, {str(case): answer for case, answer in found})


def _differences(of: KindCases, expected: list[tuple[Case, Answer]], ours: dict[str, Answer]) -> list[Finding]:
    found = []
    for case, theirs in expected:
        answer = ours.get(str(case), NOT_ASKED)
        if differs := difference(theirs, answer):
            found.append(Finding(of, case, theirs, answer, differs))
    return found
