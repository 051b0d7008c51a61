"""Writes the default roles and bindings, and the rules of aggregated roles: at start, and when cluster roles change."""

import asyncio
import logging
from typing import Any

import msgspec

from pybernetes.api.kind import Kind
from pybernetes.api.meta import Object
from pybernetes.api.rbac.cluster_role import KIND as CLUSTER_ROLE
from pybernetes.api.rbac.cluster_role import ClusterRole
from pybernetes.api.rbac.cluster_role_binding import KIND as CLUSTER_ROLE_BINDING
from pybernetes.api.rbac.role import KIND as ROLE
from pybernetes.api.rbac.role_binding import KIND as ROLE_BINDING
from pybernetes.apiserver.auth.aggregation import aggregate
from pybernetes.apiserver.auth.default_roles import Change, reconcile
from pybernetes.apiserver.feed import stored
from pybernetes.client.client import Client
from pybernetes.client.errors import ApiError, Conflict, Gone
from pybernetes.store.types import Store

log = logging.getLogger(__name__)

RETRY_SECONDS = 0.1
#: The kinds that grant permissions.
KINDS: tuple[Kind[Any], ...] = (CLUSTER_ROLE, ROLE, CLUSTER_ROLE_BINDING, ROLE_BINDING)


async def write_defaults(client: Client, existing: list[Object]) -> None:
    """Create or complete the default objects, except those that are annotated as not to be updated."""
    for change in reconcile(existing):
        await _write(client, change)


async def _write(client: Client, change: Change) -> None:
    resource, meta = client.of(type(change.obj)), change.obj.metadata
    if change.recreate:
        await resource.delete(meta.name, namespace=meta.namespace)
    if change.exists and not change.recreate:
        await resource.update(change.obj)
    else:
        await resource.create(change.obj)


async def write_aggregates(client: Client, store: Store) -> None:
    """Update the rules of every aggregated role."""
    roles: list[ClusterRole] = stored(store, (CLUSTER_ROLE,))
    for role in roles:
        if role.aggregation_rule is None:
            continue
        rules = aggregate(role, roles)
        if rules != role.rules:
            await client.of(ClusterRole).update(msgspec.structs.replace(role, rules=rules))


async def keep_aggregates(client: Client, store: Store) -> None:
    """Update aggregated roles whenever a cluster role changes, until cancelled."""
    resource = client.of(ClusterRole)
    while True:
        try:
            async for _ in resource.watch():
                await write_aggregates(client, store)
        except (Conflict, Gone):
            log.debug("a cluster role changed meanwhile; looking again")
        except ApiError as error:
            log.warning("aggregated cluster roles could not be brought up to date: %s", error)
        await asyncio.sleep(RETRY_SECONDS)
