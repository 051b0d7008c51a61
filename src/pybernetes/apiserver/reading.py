"""get and list: answers from the store's memory, at one revision."""

import asyncio
import base64
import binascii
from collections.abc import Sequence
from dataclasses import dataclass

import msgspec

from pybernetes.api.meta import ListMeta
from pybernetes.apiserver import errors, options, rendering
from pybernetes.apiserver.context import ResourceRequest, ServerContext
from pybernetes.apiserver.options import ListOptions
from pybernetes.apiserver.selection import Selection, selection
from pybernetes.apiserver.types import StreamResponse
from pybernetes.client.transport import Response
from pybernetes.store import errors as store_errors
from pybernetes.store.types import KeyValue, Page

EXPIRED = (
    "The provided continue parameter is too old to display a consistent list result. You can start a new list "
    "without the continue parameter, or use the continue token in this response to retrieve the remainder of the "
    "results. Continuing with the provided token results in an inconsistent list - objects that were created, "
    "modified, or deleted between the time the first chunk was returned and now may show up in the list."
)

#: The number of objects that a selector is applied to before other requests get their turn.
_SLICE = 250
_LATEST = ListOptions()


class ContinueToken(msgspec.Struct, omit_defaults=True):
    """Where the next page begins: after the key `start` below the prefix, at revision `rv` (-1: the latest)."""

    v: str = ""
    rv: int = 0
    start: str = ""

    def encode(self) -> str:
        """The text of the `continue` parameter, in kube-apiserver's format."""
        return base64.urlsafe_b64encode(msgspec.json.encode(self)).rstrip(b"=").decode()

    @classmethod
    def decode(cls, text: str) -> "ContinueToken":
        """Raises BadRequest."""
        try:
            token = msgspec.json.decode(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)), type=cls)
        except (ValueError, binascii.Error, RecursionError) as error:
            raise errors.bad_request(f"continue key is not valid: {error}") from error
        if token.v != "meta.k8s.io/v1":
            raise errors.bad_request("continue key is not valid: server does not recognize this encoded version")
        if not token.start or token.rv == 0 or any(part == ".." for part in token.start.split("/")):
            raise errors.bad_request("continue key is not valid: incorrect encoded start resourceVersion or key")
        return token


async def get(context: ServerContext, request: ResourceRequest) -> Response:
    """One object."""
    revision = request.query.get("resourceVersion", "")
    await _reached(context, options.list_options({"resourceVersion": revision}, watch=False) if revision else _LATEST)
    kv = find(context, request)
    include = request.query.get("includeObject", "")
    body = await request.resource.to_served(kv.value)
    return rendering.obj(body, request.resource.kind, request.form, now=context.now(), include=include)


def find(context: ServerContext, request: ResourceRequest) -> KeyValue:
    """The stored object that a request names. Raises NotFound."""
    kv = context.store.get(request.resource.key(request.namespace, request.info.name))
    if kv is None:
        raise errors.not_found(request.resource.kind, request.info.name)
    return kv


async def list_(context: ServerContext, request: ResourceRequest) -> Response | StreamResponse:
    """A collection, or one page of it."""
    requested = options.list_options(request.query, watch=False)
    chosen = selection(request.resource, requested.label_selector, requested.field_selector, request.info.name)
    await _reached(context, requested)
    page = await select(context, request, chosen, requested)
    include = request.query.get("includeObject", "")
    return await rendering.collection(
        page.items, request.resource.kind, request.form, page.meta, now=context.now(), include=include
    )


async def _reached(context: ServerContext, requested: ListOptions) -> None:
    """Wait until the store's memory has caught up. Raises Timeout for a revision in the future."""
    if not requested.resource_version or requested.revision > context.store.revision:
        await context.store.read_barrier()
    if requested.revision > context.store.revision:
        raise errors.revision_too_large(requested.revision, context.store.revision)


@dataclass(frozen=True, slots=True)
class Selected:
    """The objects of a page in the served version, and the metadata of the list."""

    items: Sequence[KeyValue]
    meta: ListMeta


async def select(
    context: ServerContext, request: ResourceRequest, chosen: Selection, requested: ListOptions
) -> Selected:
    """Read one page. Raises Gone if its revision has been compacted."""
    prefix = request.resource.prefix(request.namespace)
    if chosen.name and not requested.continue_token and (request.namespace or not request.resource.kind.namespaced):
        kv = context.store.get(request.resource.key(request.namespace, chosen.name)) if _is_now(requested) else None
        found = await request.resource.served([kv]) if kv is not None else ()
        if found and chosen.matches(found[0]):
            return Selected(found, ListMeta(resource_version=str(context.store.revision)))
    token = ContinueToken.decode(requested.continue_token) if requested.continue_token else None
    if token is not None and requested.resource_version not in ("", "0"):
        raise errors.bad_request("specifying resource version is not allowed when using continue")
    page = _page(context, prefix, chosen, requested, token)
    items = await _matching(page.items, chosen)
    meta = ListMeta(resource_version=str(page.revision))
    remaining = page.remaining
    if requested.limit and len(items) > requested.limit:
        remaining, items = len(items) - requested.limit, items[: requested.limit]
    if requested.limit and remaining:
        revision = -1 if token is not None and token.rv < 0 else page.revision
        start = items[-1].key[len(prefix) :] + "\0"
        meta.continue_ = ContinueToken(v="meta.k8s.io/v1", rv=revision, start=start).encode()
        # Counting the rest that a selector matches would mean reading it all; kube-apiserver omits the number, too.
        if chosen.everything:
            meta.remaining_item_count = remaining
    return Selected(items, meta)


def _is_now(requested: ListOptions) -> bool:
    """Whether the request can be served from the latest state."""
    if requested.match == options.EXACT:
        return False
    return not requested.limit or requested.resource_version in ("", "0") or requested.match == options.NOT_OLDER


def _page(
    context: ServerContext, prefix: str, chosen: Selection, requested: ListOptions, token: ContinueToken | None
) -> Page:
    revision = 0 if _is_now(requested) else requested.revision
    start = ""
    if token is not None:
        revision = max(0, token.rv)
        start = prefix + token.start.removesuffix("\0")
    limit = requested.limit if chosen.everything else 0
    try:
        return context.store.range(prefix, start=start, limit=limit, revision=revision)
    except store_errors.Compacted as error:
        if token is None:
            raise errors.expired(f"The resourceVersion for the provided list is too old: {revision}") from error
        again = ContinueToken(v=token.v, rv=-1, start=token.start).encode()
        raise errors.expired(EXPIRED, again, str(context.store.revision)) from error
    except store_errors.FutureRevision as error:
        raise errors.revision_too_large(revision, error.current) from error


async def _matching(items: Sequence[KeyValue], chosen: Selection) -> Sequence[KeyValue]:
    """The selected objects, in the served version. Yields to other requests after every slice."""
    served = chosen.resource.served
    if chosen.everything and chosen.resource.converter is None:
        return items
    if len(items) <= _SLICE:
        return [kv for kv in await served(items) if chosen.matches(kv)]
    found: list[KeyValue] = []
    for start in range(0, len(items), _SLICE):
        found += [kv for kv in await served(items[start : start + _SLICE]) if chosen.matches(kv)]
        await asyncio.sleep(0)
    return found
