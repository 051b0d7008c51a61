"""How a component that runs alone reaches its API server: with a kubeconfig, with a URL, or from inside a pod."""

import asyncio
import os
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from dataclasses import replace
from pathlib import Path

import msgspec

from pybernetes.api.authentication.token_request import KIND as TOKEN_REQUEST
from pybernetes.api.authentication.token_request import TokenRequest, TokenRequestSpec
from pybernetes.api.core.service_account import ServiceAccount
from pybernetes.api.meta import ObjectMeta
from pybernetes.client import kubeconfig
from pybernetes.client.client import Client
from pybernetes.client.endpoint import Endpoint
from pybernetes.client.errors import AlreadyExists
from pybernetes.client.http import HttpTransport
from pybernetes.client.transport import Request, Response
from pybernetes.cluster.errors import ConfigError

ACCOUNT_DIR = Path("/var/run/secrets/kubernetes.io/serviceaccount")
_TOKEN_SECONDS = 3600
_RENEW_AFTER = 0.8 * _TOKEN_SECONDS


def endpoint(
    path: Path | None,
    server: str = "",
    *,
    flag: str = "--kubeconfig",
    environment: Mapping[str, str] | None = None,
    account: Path = ACCOUNT_DIR,
) -> Endpoint:
    """The API server of the kubeconfig or else of the cluster that this pod runs in. `server` overrides the URL.

    Raises KubeconfigError, or ConfigError that names `flag` if there is neither.
    """
    env = os.environ if environment is None else environment
    if path is not None:
        found = kubeconfig.load(path)
        return replace(found, server=server.rstrip("/")) if server else found
    host, port = env.get("KUBERNETES_SERVICE_HOST", ""), env.get("KUBERNETES_SERVICE_PORT", "443")
    token, ca = account / "token", account / "ca.crt"
    if not host or not token.exists():
        if server:
            return Endpoint(server=server.rstrip("/"))
        raise ConfigError(f"{flag} is needed: this process does not run in a pod, so the API server is unknown")
    inside = f"https://[{host}]:{port}" if ":" in host else f"https://{host}:{port}"
    return Endpoint(server=server.rstrip("/") or inside, token_file=token, ca_file=ca if ca.exists() else None)


def connect(found: Endpoint, component: str) -> Client:
    """A client of that server."""
    return Client(HttpTransport(found, user_agent=component))


class AccountTransport:
    """Sends requests as a service account of kube-system, which it creates if missing; renews its token in time.

    This implements `--use-service-account-credentials`: each controller has exactly its own permissions.
    """

    def __init__(self, owner: Client, at: Endpoint, account: str) -> None:
        self._owner = owner
        self._at = replace(at, cert_file=None, key_file=None, cert_data=b"", key_data=b"", token="", token_file=None)
        self._account = account
        self._lock = asyncio.Lock()
        self._inner: HttpTransport | None = None
        self._old: list[HttpTransport] = []
        self._renew_at = 0.0

    async def _transport(self) -> HttpTransport:
        async with self._lock:
            now = asyncio.get_running_loop().time()
            if self._inner is None or now >= self._renew_at:
                token = await self._token()
                if self._inner is not None:
                    # Watches of the previous transport continue until they end.
                    self._old.append(self._inner)
                agent = f"pybernetes-controller-manager/{self._account}"
                self._inner = HttpTransport(replace(self._at, token=token), user_agent=agent)
                self._renew_at = now + _RENEW_AFTER
            return self._inner

    async def _token(self) -> str:
        meta = ObjectMeta(name=self._account, namespace="kube-system")
        try:
            await self._owner.of(ServiceAccount).create(ServiceAccount(metadata=meta))
        except AlreadyExists:
            pass
        path = f"/api/v1/namespaces/kube-system/serviceaccounts/{self._account}/token"
        asked = TokenRequest(
            api_version=TOKEN_REQUEST.api_version,
            kind=TOKEN_REQUEST.name,
            spec=TokenRequestSpec(expiration_seconds=_TOKEN_SECONDS),
        )
        answer = await self._owner.raw("POST", path, msgspec.json.encode(asked))
        return msgspec.json.decode(answer, type=TokenRequest).status.token

    async def request(self, request: Request) -> Response:
        """Send a request as the account."""
        return await (await self._transport()).request(request)

    async def stream(self, request: Request) -> AsyncGenerator[list[bytes], None]:
        """Watch as the account."""
        transport = await self._transport()
        async with aclosing(transport.stream(request)) as stream:
            async for lines in stream:
                yield lines

    async def close(self) -> None:
        """Close all connections."""
        for transport in [*self._old, *([self._inner] if self._inner else [])]:
            await transport.close()
