"""A server of schemas only, and the installed versions of kubectl."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from aiohttp import web

from pybernetes.api.kinds import KINDS
from pybernetes.apiserver.schema.discovery import Discovery
from pybernetes.apiserver.schema.openapi import OpenApi

VERSION = {"major": "1", "minor": "34", "gitVersion": "v1.34.0", "platform": "linux/amd64"}


@asynccontextmanager
async def schema_server(*, v3: bool = True) -> AsyncIterator[str]:
    """Serves discovery and OpenAPI over HTTP; yields the address."""
    discovery, openapi = Discovery(KINDS, "127.0.0.1"), OpenApi(KINDS)

    async def answer(request: web.BaseRequest) -> web.Response:
        accept = request.headers.get("accept", "")
        if request.path == "/version":
            return web.json_response(VERSION)
        found = discovery.get(request.path, accept)
        if found is None and (v3 or not request.path.startswith("/openapi/v3")):
            found = openapi.get(request.path, accept)
        if found is None:
            return web.json_response({"kind": "Status", "status": "Failure", "code": 404}, status=404)
        return web.Response(body=found.body, headers={"content-type": found.content_type, "etag": found.etag})

    runner = web.ServerRunner(web.Server(answer))
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        host, port = runner.addresses[0][:2]
        yield f"http://{host}:{port}"
    finally:
        await runner.cleanup()


async def run(kubectl: str, server: str, home: Path, *args: str) -> str:
    """The output of kubectl. Raises AssertionError with its error output when it fails."""
    process = await asyncio.create_subprocess_exec(
        kubectl,
        f"--server={server}",
        f"--cache-dir={home}",
        *args,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env={"HOME": str(home), "PATH": "/usr/bin:/bin"},
    )
    out, err = await process.communicate()
    assert process.returncode == 0, err.decode()
    return out.decode()
