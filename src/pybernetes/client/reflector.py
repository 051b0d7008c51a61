"""Lists and watches one collection and hands every object to a sink: the lower half of an informer.

A lost watch resumes from the last revision. When that revision is no longer kept, the collection is listed again, and
the sink works out what has changed.
"""

import asyncio
import logging
from collections.abc import Set
from contextlib import aclosing
from typing import Generic, Protocol, TypeVar

from pybernetes.api.meta import Object
from pybernetes.client.api_resource import ApiResource
from pybernetes.client.errors import ApiError, Gone, Unreachable
from pybernetes.client.resource import Resource, WatchEvent

log = logging.getLogger(__name__)

K = TypeVar("K", bound=Object)
In = TypeVar("In", bound=Object, contravariant=True)

_RETRY_FIRST = 0.05
_RETRY_MAX = 5.0
#: A watch that lasted this long, or delivered something, is a success; what ends sooner is retried with back-off.
_STEADY = 1.0


class Sink(Protocol[In]):
    """Where the objects of a collection go. Called in the event loop; must not block."""

    def put(self, obj: In, /) -> None:
        """An object appeared, changed, or was listed."""

    def retain(self, uids: Set[str], /) -> None:
        """All objects were listed, and have these uids: every other one is gone."""

    def remove(self, obj: In, /) -> None:
        """An object is gone. Of an object that could not be decoded only the metadata is there."""


class Reflector(Generic[K]):
    """Keeps a sink current."""

    def __init__(
        self,
        resource: Resource[K],
        sink: Sink[K],
        *,
        namespace: str = "",
        field_selector: str = "",
        page_size: int = 0,
    ) -> None:
        """With a page size the collection is listed in pages, and takes less memory while it is listed."""
        self._resource = resource
        self._sink = sink
        self._namespace = namespace
        self._field_selector = field_selector
        self._page_size = page_size
        self._synced = asyncio.Event()
        self._revision = ""
        self._progress = False
        self._last_problem = ""

    @property
    def api(self) -> ApiResource:
        """The resource that is followed."""
        return self._resource.api

    @property
    def has_synced(self) -> bool:
        """Whether the sink has had the first list."""
        return self._synced.is_set()

    @property
    def revision(self) -> int:
        """The revision that the sink has reached."""
        return int(self._revision) if self._revision.isdigit() else 0

    async def synced(self) -> None:
        """Wait for the first list."""
        await self._synced.wait()

    async def run(self) -> None:
        """List and watch until cancelled."""
        loop = asyncio.get_running_loop()
        delay = _RETRY_FIRST
        while True:
            started, self._progress = loop.time(), False
            pause = await self._list_and_watch()
            if self._progress or loop.time() - started >= _STEADY:
                delay = _RETRY_FIRST
                if pause is None:
                    continue
            await asyncio.sleep(max(delay, pause or 0.0))
            delay = min(delay * 2, _RETRY_MAX)

    async def _list_and_watch(self) -> float | None:
        """List if necessary, and watch to the end. After a failure, the least time to wait; None if it ended well."""
        try:
            if not self._revision:
                await self._list()
            await self._watch()
            return None
        except Gone:
            self._revision = ""
            return None
        except ApiError as error:
            if error.has_cause("ResourceVersionTooLarge"):
                # The server has another store, or an older copy of it: the revisions known here mean nothing there.
                self._revision = ""
            self._report(error)
            return error.retry_after
        except Unreachable as error:
            self._report(error)
            return 0.0

    def _report(self, error: Exception) -> None:
        """Log a failure once, not at each retry."""
        text = f"{type(error).__name__}: {error}"
        level = logging.DEBUG if text == self._last_problem else logging.WARNING
        self._last_problem = text
        log.log(level, "watch of %s: %s; retrying", self._resource.api.resource, text)

    async def _list(self) -> None:
        uids: set[str] = set()
        token = ""
        while True:
            page = await self._resource.list(
                namespace=self._namespace,
                field_selector=self._field_selector,
                limit=self._page_size,
                continue_token=token,
            )
            for obj in page.items:
                uids.add(obj.metadata.uid)
                self._sink.put(obj)
            token = page.continue_token
            if not token:
                break
        self._sink.retain(uids)
        self._revision = page.resource_version
        self._last_problem = ""
        self._synced.set()

    async def _watch(self) -> None:
        stream = self._resource.watch(
            namespace=self._namespace, field_selector=self._field_selector, resource_version=self._revision
        )
        async with aclosing(stream) as batches:
            async for batch in batches:
                for event in batch:
                    self._apply(event)
                if batch:
                    self._progress, self._last_problem = True, ""

    def _apply(self, event: WatchEvent[K]) -> None:
        self._revision = event.resource_version
        if event.object is None:
            return
        if event.type == "DELETED":
            self._sink.remove(event.object)
        else:
            self._sink.put(event.object)
