"""Who may do what, in one place: authenticators and authorizers of one server, fed from its own store.

Roles, bindings and pods reach the authorizers by a watch on the store, so that a grant counts from the moment in
which it is committed, and a decision never waits for anything.
"""

import asyncio
import time
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pybernetes.api.core import node, pod, secret, service_account
from pybernetes.api.kind import Kind
from pybernetes.api.meta import Object, ObjectMeta
from pybernetes.api.rbac import cluster_role, cluster_role_binding, role, role_binding
from pybernetes.apiserver import codec
from pybernetes.apiserver.auth import default_roles
from pybernetes.apiserver.auth.bearer import TokenAuthenticator
from pybernetes.apiserver.auth.certificates import CertificateAuthenticator
from pybernetes.apiserver.auth.node import NodeAuthorizer
from pybernetes.apiserver.auth.rbac import Rbac
from pybernetes.apiserver.auth.reviews import Reviews
from pybernetes.apiserver.auth.signing import signing_key
from pybernetes.apiserver.auth.static_tokens import StaticTokens, parse_token_file
from pybernetes.apiserver.auth.tokens import ServiceAccountTokens
from pybernetes.apiserver.auth.union import (
    AuthenticatorUnion,
    AuthorizerUnion,
    BearerAuthenticator,
    MastersAuthorizer,
    TokenUnion,
)
from pybernetes.apiserver.types import Authorizer
from pybernetes.client.client import Client
from pybernetes.client.errors import AlreadyExists, NotFound
from pybernetes.store.errors import Compacted, WatchOverflow
from pybernetes.store.types import Event, Store

_ROLES: tuple[Kind[Any], ...] = (role.KIND, cluster_role.KIND, role_binding.KIND, cluster_role_binding.KIND)
_BOUND: dict[str, Kind[Any]] = {k.name: k for k in (node.KIND, pod.KIND, secret.KIND, service_account.KIND)}


@dataclass(frozen=True, slots=True, kw_only=True)
class SecurityConfig:
    """How clients prove who they are, and who decides."""

    issuer: str
    """`--service-account-issuer`"""
    signing_key_file: Path
    """`--service-account-signing-key-file`"""
    audiences: tuple[str, ...] = ()
    """`--api-audiences`; the issuer by default"""
    token_file: Path | None = None
    """`--token-auth-file`"""
    anonymous: bool = True
    """`--anonymous-auth`"""
    modes: tuple[str, ...] = ("Node", "RBAC")
    """`--authorization-mode`"""


class Security:
    """The authentication and authorization of one server."""

    def __init__(self, config: SecurityConfig, store: Store) -> None:
        self._store = store
        self.rbac = Rbac()
        self.nodes = NodeAuthorizer()
        self.tokens = ServiceAccountTokens(
            issuer=config.issuer,
            audiences=config.audiences,
            key=signing_key(config.signing_key_file.read_bytes()),
            lookup=self._lookup,
            clock=time.time,
            new_id=lambda: str(uuid.uuid4()),
        )
        recognizers: list[TokenAuthenticator] = [self.tokens]
        if config.token_file is not None:
            lines = config.token_file.read_text().splitlines()
            recognizers.append(StaticTokens(parse_token_file(lines, str(config.token_file))))
        bearer = TokenUnion(recognizers)
        self.authenticator = AuthenticatorUnion(
            [CertificateAuthenticator(), BearerAuthenticator(bearer)], anonymous=config.anonymous
        )
        self.authorizer = AuthorizerUnion(self._authorizers(config.modes))
        self.reviews = Reviews(
            authorizer=self.authorizer, rbac=self.rbac, tokens=bearer, audiences=self.tokens.audiences
        )
        self._revision = 0
        self._load()

    def _authorizers(self, modes: Sequence[str]) -> list[Authorizer]:
        known: dict[str, Authorizer] = {"Node": self.nodes, "RBAC": self.rbac}
        unknown = [mode for mode in modes if mode not in known]
        if unknown:
            raise ValueError(f"--authorization-mode must name {', '.join(known)}; found {', '.join(unknown)}")
        return [MastersAuthorizer(), *(known[mode] for mode in modes)]

    async def _lookup(self, kind: str, namespace: str, name: str) -> ObjectMeta | None:
        found = _BOUND.get(kind)
        stored = self._store.get(found.key(namespace, name)) if found is not None else None
        return codec.decode(stored.value, found.struct).metadata if stored is not None and found is not None else None

    def _load(self) -> None:
        self._revision = self._store.revision
        for kind in (*_ROLES, pod.KIND):
            for stored in self._store.range(kind.key_prefix).items:
                self._put(codec.decode(stored.value, kind.struct))

    def _put(self, obj: Object) -> None:
        if isinstance(obj, pod.Pod):
            self.nodes.put(obj)
        else:
            self.rbac.put(obj)

    def _remove(self, obj: Object) -> None:
        if isinstance(obj, pod.Pod):
            self.nodes.remove(obj)
        else:
            self.rbac.remove(obj)

    async def run(self) -> None:
        """Follow the store until cancelled."""
        async with asyncio.TaskGroup() as group:
            for kind in (*_ROLES, pod.KIND):
                group.create_task(self._follow(kind), name=f"security: {kind.plural}")

    async def _follow(self, kind: Kind[Any]) -> None:
        revision = self._revision
        while True:
            try:
                async with self._store.watch(kind.key_prefix, from_revision=revision) as watch:
                    async for events in watch:
                        for event in events:
                            self._apply(kind, event)
                            revision = event.kv.revision
            except (Compacted, WatchOverflow):
                revision = self._store.revision
                self._load()

    def _apply(self, kind: Kind[Any], event: Event) -> None:
        obj = codec.decode(event.kv.value, kind.struct)
        if event.kind == "delete":
            self._remove(obj)
        else:
            self._put(obj)


async def write_default_roles(client: Client) -> None:
    """Create the roles and bindings that every cluster has, and mend those that lack something."""
    existing: list[Object] = []
    for kind in _ROLES:
        existing += (await client.of(kind.struct).list()).items
    for change in default_roles.reconcile(existing):
        resource = client.of(type(change.obj))
        meta = change.obj.metadata
        try:
            if change.recreate:
                await resource.delete(meta.name, namespace=meta.namespace)
            if change.exists and not change.recreate:
                await resource.update(change.obj)
            else:
                await resource.create(change.obj)
        except (AlreadyExists, NotFound):
            continue  # another server does the same at the same time
