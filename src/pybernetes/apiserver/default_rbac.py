"""Writes the default roles and bindings, and the rules of aggregated roles: at start, and when cluster roles change."""

import asyncio
import logging

import msgspec

from pybernetes.api.meta import Object
from pybernetes.api.rbac.cluster_role import ClusterRole
from pybernetes.apiserver.auth.aggregation import aggregate
from pybernetes.apiserver.auth.default_roles import Change, reconcile
from pybernetes.apiserver.rbac_feed import RbacFeed
from pybernetes.client.client import Client
from pybernetes.client.errors import ApiError, Conflict, Gone

log = logging.getLogger(__name__)

RETRY_SECONDS = 0.1


async def write_defaults(client: Client, existing: list[Object]) -> None:
    """Make what is missing. Objects marked as not to be updated stay as they are."""
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


async def write_aggregates(client: Client, feed: RbacFeed) -> None:
    """Bring the rules of every aggregated role up to date."""
    roles = [obj for obj in feed.objects() if isinstance(obj, ClusterRole)]
    for role in roles:
        if role.aggregation_rule is None:
            continue
        rules = aggregate(role, roles)
        if rules != role.rules:
            await client.of(ClusterRole).update(msgspec.structs.replace(role, rules=rules))


async def keep_aggregates(client: Client, feed: RbacFeed) -> None:
    """Do so whenever a cluster role changes, until cancelled."""
    resource = client.of(ClusterRole)
    while True:
        try:
            async for _ in resource.watch():
                feed.load()
                await write_aggregates(client, feed)
        except (Conflict, Gone):
            log.debug("a cluster role changed meanwhile; looking again")
        except ApiError as error:
            log.warning("aggregated cluster roles could not be brought up to date: %s", error)
        await asyncio.sleep(RETRY_SECONDS)
