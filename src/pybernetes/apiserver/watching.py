"""watch: every change of a collection since a revision, encoded once for all watches.

For a watch with a selector, an object that stops matching is DELETED, one that starts to match is ADDED. The store ends
a watch that falls behind; the client comes back with the last revision it has seen.
"""

import asyncio
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing
from typing import Any

from pybernetes.api.kind import Kind
from pybernetes.api.meta import ListMeta, ObjectMeta, Status
from pybernetes.apiserver import codec, errors, options, tables
from pybernetes.apiserver.catalogue import Change
from pybernetes.apiserver.context import ResourceRequest, ServerContext
from pybernetes.apiserver.media import JSON, PARTIAL, PARTIAL_LIST, TABLE, YAML
from pybernetes.apiserver.options import ListOptions
from pybernetes.apiserver.resource import Resource
from pybernetes.apiserver.selection import Selection, selection
from pybernetes.apiserver.types import StreamResponse
from pybernetes.store import errors as store_errors
from pybernetes.store.types import Event, KeyValue, Watch

INITIAL_EVENTS_END = "k8s.io/initial-events-end"
_HEADERS = {"content-type": JSON, "cache-control": "no-cache, private"}

#: The number of initial events that are sent together.
_BATCH = 200

Show = Callable[[bytes], bytes]
"""An object's JSON -> what a watch sends of it."""


class Shared:
    """What all watches share: objects in the served version, and encoded event lines, both keyed by the version.

    Holds only the latest, which is all that a fan-out needs.
    """

    def __init__(self, limit: int = 2048) -> None:
        self._limit = limit
        self._lines: dict[tuple[str, int, str, str], bytes] = {}
        self._served: dict[tuple[str, int, str], KeyValue] = {}

    def line(self, kind: str, kv: KeyValue, resource: Resource) -> bytes:
        """The line of one event of one version of an object."""
        key = (kv.key, kv.revision, kind, resource.kind.api_version)
        found = self._lines.get(key)
        if found is None:
            if len(self._lines) >= self._limit:
                self._lines.clear()
            found = self._lines[key] = line(kind, kv.value)
        return found

    async def served(self, resource: Resource, events: Sequence[Event]) -> Sequence[Event]:
        """The events with their objects in the served version. Each object is converted once for all watches."""
        if resource.converter is None:
            return events
        version = resource.kind.api_version
        stored = {(kv.key, kv.revision, version): kv for event in events for kv in (event.kv, event.prev) if kv}
        found = {key: self._served[key] for key in stored if key in self._served}
        missing = {key: kv for key, kv in stored.items() if key not in found}
        found.update(zip(missing, await resource.served(list(missing.values())), strict=True))
        if len(self._served) + len(missing) > self._limit:
            self._served.clear()
        self._served.update(found)
        return [
            Event(
                event.kind,
                found[event.kv.key, event.kv.revision, version],
                found[event.prev.key, event.prev.revision, version] if event.prev else None,
            )
            for event in events
        ]

    def forget(self) -> None:
        """Drop everything: a resource has changed."""
        self._lines.clear()
        self._served.clear()


def line(kind: str, body: bytes) -> bytes:
    """`{"type":"ADDED","object":{...}}` and a newline."""
    return b'{"type":"%s","object":%s}\n' % (kind.encode(), body)


def error_line(status: Status) -> bytes:
    """The event that ends a watch with an error."""
    return line("ERROR", codec.encode_status(status))


class Watching:
    """Serves watches."""

    def __init__(self, context: ServerContext) -> None:
        self._context = context
        self._shared = Shared()
        self._open: dict[Resource, set[Watch]] = {}
        context.catalogue.subscribe(self._end)

    @property
    def active(self) -> int:
        """How many watches are open."""
        return sum(map(len, self._open.values()))

    def _end(self, change: Change) -> None:
        """End the watches of a resource that was removed or replaced. Clients come back."""
        if change.old is not None:
            self._shared.forget()
            for watch in self._open.pop(change.old, ()):
                watch.close()

    def start(self, request: ResourceRequest) -> StreamResponse:
        """Begin a watch. Raises BadRequest, Invalid, NotAcceptable; later errors are ERROR events."""
        requested = options.list_options(request.query, watch=True)
        chosen = selection(request.resource, requested.label_selector, requested.field_selector, request.info.name)
        if request.form.media_type == YAML:
            raise errors.not_acceptable((f"{JSON};stream=watch",))
        return StreamResponse(200, _HEADERS, self._run(request, requested, chosen))

    async def _run(
        self, request: ResourceRequest, requested: ListOptions, chosen: Selection
    ) -> AsyncGenerator[bytes, None]:
        context = self._context
        if requested.revision > context.store.revision:
            await context.store.read_barrier()
        if requested.revision > context.store.revision:
            refusal = errors.revision_too_large(requested.revision, context.store.revision)
            yield error_line(refusal.status)
            return
        initial = _wants_initial(requested)
        prefix = _prefix(request, chosen)
        try:
            # No await between the two calls, so that no event is lost between the state and the watch.
            state = context.store.range(prefix).items if initial else []
            since = context.store.revision if initial or not requested.revision else requested.revision
            watch = context.store.watch(prefix, from_revision=since)
        except store_errors.Compacted as error:
            refusal = errors.expired(f"too old resource version: {requested.revision} ({error.compacted})")
            yield error_line(refusal.status)
            return
        resource = request.resource
        if context.catalogue.get(*resource.name) is not resource:
            watch.close()
            return
        opened = self._open.setdefault(resource, set())
        opened.add(watch)
        try:
            async with watch:
                encoder = _Encoder(self._shared, request, context)
                async with aclosing(self._events(encoder, watch, state, since, requested, chosen)) as events:
                    async for chunk in events:
                        yield chunk
        finally:
            opened.discard(watch)

    async def _events(
        self,
        encoder: "_Encoder",
        watch: Watch,
        state: list[KeyValue],
        since: int,
        requested: ListOptions,
        chosen: Selection,
    ) -> AsyncGenerator[bytes, None]:
        for start in range(0, len(state), _BATCH):
            served = await chosen.resource.served(state[start : start + _BATCH])
            found = [encoder.line("ADDED", kv) for kv in served if chosen.matches(kv)]
            if found:
                yield b"".join(found)
            await asyncio.sleep(0)
        if requested.send_initial_events and requested.bookmarks:
            yield encoder.bookmark(since, initial_end=True)
        async for chunk in self._changes(encoder, watch, requested, chosen):
            yield chunk

    async def _changes(
        self, encoder: "_Encoder", watch: Watch, requested: ListOptions, chosen: Selection
    ) -> AsyncGenerator[bytes, None]:
        loop = asyncio.get_running_loop()
        config = self._context.config
        seconds: float = requested.timeout_seconds or 0
        if seconds <= 0:
            seconds = config.min_watch_seconds * (1 + self._context.random.random())
        end = loop.time() + seconds
        tick = loop.time() + config.bookmark_seconds if requested.bookmarks else end
        while True:
            try:
                async with asyncio.timeout_at(min(tick, end)):
                    batch = await anext(watch)
            except TimeoutError:
                if requested.bookmarks:
                    yield encoder.bookmark(watch.progress())
                if loop.time() >= end:
                    return
                tick = loop.time() + config.bookmark_seconds
                continue
            except (StopAsyncIteration, store_errors.WatchOverflow, store_errors.StoreClosed):
                return
            except store_errors.Compacted as error:
                yield error_line(errors.expired(f"too old resource version ({error.compacted})").status)
                return
            served = await self._shared.served(chosen.resource, batch)
            lines = [found for event in served if (found := select_event(event, chosen, encoder.line))]
            if lines:
                yield lines[0] if len(lines) == 1 else b"".join(lines)


def _wants_initial(requested: ListOptions) -> bool:
    """Whether the watch begins with the present state as ADDED events."""
    if requested.send_initial_events is not None:
        return requested.send_initial_events
    return not requested.revision


def _prefix(request: ResourceRequest, chosen: Selection) -> str:
    """The smallest prefix of the store with everything that can match."""
    if chosen.name and (request.namespace or not request.resource.kind.namespaced):
        return request.resource.key(request.namespace, chosen.name)
    return request.resource.prefix(request.namespace)


def select_event(event: Event, chosen: Selection, show: Callable[[str, KeyValue], bytes]) -> bytes | None:
    """The line that a watch with a selector sends for a change; None for none."""
    if event.kind == "delete":
        before = event.prev or event.kv
        return show("DELETED", event.kv) if chosen.matches(before) else None
    is_in = chosen.matches(event.kv)
    was_in = event.prev is not None and chosen.matches(event.prev)
    if is_in:
        return show("MODIFIED" if was_in else "ADDED", event.kv)
    if was_in and event.prev is not None:
        last = KeyValue(
            event.prev.key,
            codec.restamp(event.prev.value, event.kv.revision),
            event.kv.revision,
            event.prev.create_revision,
        )
        return show("DELETED", last)
    return None


class _Encoder:
    """Encodes the events of one watch."""

    def __init__(self, shared: Shared, request: ResourceRequest, context: ServerContext) -> None:
        self._shared = shared
        self._resource = request.resource
        self._form = request.form
        self._context = context
        self._include = request.query.get("includeObject", "")
        self._first = True

    def line(self, kind: str, kv: KeyValue) -> bytes:
        """The line of one event."""
        if self._form.plain:
            return self._shared.line(kind, kv, self._resource)
        return line(kind, self._transformed(kv.value))

    def _transformed(self, body: bytes) -> bytes:
        if self._form.transform in (PARTIAL, PARTIAL_LIST):
            return tables.partial(body, self._form.version)
        meta = ListMeta(resource_version=tables.revision_of(body))
        first, self._first = self._first, False
        return tables.table(
            self._resource.kind,
            [body],
            meta,
            now=self._context.now(),
            include=self._include,
            version=self._form.version,
            columns=first,
        )

    def bookmark(self, revision: int, *, initial_end: bool = False) -> bytes:
        """The line of a BOOKMARK event, with the revision that the watch has reached."""
        if self._form.transform == TABLE:
            meta = ListMeta(resource_version=str(revision))
            return line("BOOKMARK", tables.head(None, meta, self._form.version) + b"]}")
        return line("BOOKMARK", bookmark(self._resource.kind, revision, initial_end=initial_end))


def bookmark(kind: Kind[Any], revision: int, *, initial_end: bool = False) -> bytes:
    """The object of a BOOKMARK event: only a revision."""
    annotations = {INITIAL_EVENTS_END: "true"} if initial_end else {}
    meta = ObjectMeta(resource_version=str(revision), annotations=annotations)
    body: bytes = kind.schema.encode(kind.new(meta))
    return body
