"""Which resources a server has: read from discovery, kept current, and reported to subscribers.

Resources come and go while a server runs (custom resources, aggregated APIs). `refresh` reads discovery now; `run`
does so every 30 seconds, like kube-controller-manager, and a second after a CustomResourceDefinition or an APIService
has changed. An unchanged document costs one request that is answered by 304.
"""

import asyncio
import logging
from collections.abc import Callable, Set
from dataclasses import dataclass, field
from typing import TypeVar

import msgspec

from pybernetes.client.catalogue import (
    AggregatedDocument,
    Catalogue,
    CoreDocument,
    GroupsDocument,
    ResourcesDocument,
    from_aggregated,
    from_plain,
)
from pybernetes.client.client import Client
from pybernetes.client.decoding import decode
from pybernetes.client.errors import ApiError, NotFound, Unreachable
from pybernetes.client.reflector import Reflector
from pybernetes.client.resource import PartialObjectMetadata
from pybernetes.client.transport import Response
from pybernetes.client.workqueue import Clock, WorkQueue

log = logging.getLogger(__name__)

T = TypeVar("T")

PERIOD = 30.0
"""Seconds between two looks at discovery."""
_AFTER_CHANGE = 1.0
"""Seconds from a change of a definition until discovery shows it."""

_AGGREGATED = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"
_DEFINITIONS = (
    ("apiextensions.k8s.io", "customresourcedefinitions"),
    ("apiregistration.k8s.io", "apiservices"),
)


@dataclass(slots=True)
class _Document:
    """The last answer for a path."""

    etag: str = ""
    aggregated: bool = False
    body: bytes = b""


@dataclass(slots=True)
class _Documents:
    """/api and /apis as last read."""

    core: _Document = field(default_factory=_Document)
    groups: _Document = field(default_factory=_Document)


class Discovery:
    """The catalogue of one server, shared by the components of a process."""

    def __init__(self, client: Client, *, clock: Clock | None = None) -> None:
        self._client = client
        self._documents = _Documents()
        self._catalogue = Catalogue()
        self._subscribers: list[Callable[[Catalogue], None]] = []
        self._queue: WorkQueue[str] = WorkQueue(clock=clock)
        self._watches: dict[str, asyncio.Task[None]] = {}
        self._last_problem = ""

    @property
    def catalogue(self) -> Catalogue:
        """What the server offered when discovery was last read; empty before the first time."""
        return self._catalogue

    def subscribe(self, subscriber: Callable[[Catalogue], None]) -> None:
        """Call `subscriber` when the catalogue has changed, and now if it is known already."""
        self._subscribers.append(subscriber)
        if self._catalogue.resources:
            subscriber(self._catalogue)

    async def refresh(self) -> Catalogue:
        """Read discovery now. Raises ApiError, Unreachable; group versions that fail are in the catalogue."""
        accept = f"{_AGGREGATED},application/json"
        before = self._documents
        core, groups = await asyncio.gather(
            self._read("/api", accept, before.core), self._read("/apis", accept, before.groups)
        )
        if not core.aggregated or not groups.aggregated:
            self._publish(await self._read_plain())
        elif (core, groups) != (before.core, before.groups):
            self._publish(from_aggregated((_parse(core, AggregatedDocument), _parse(groups, AggregatedDocument))))
        self._documents = _Documents(core, groups)
        return self._catalogue

    async def _read(self, path: str, accept: str, before: _Document) -> _Document:
        try:
            answer = await self._client.get_document(path, accept=accept, etag=before.etag)
        except NotFound:
            if path == "/api":
                # An aggregated API server has no core group.
                return _Document(aggregated="v2" in accept, body=b"{}")
            raise
        return before if answer.status == 304 else _document(answer)

    async def _read_plain(self) -> Catalogue:
        """Without aggregated discovery: one document per group version, of which each may fail alone."""
        core, groups = await asyncio.gather(
            self._read("/api", "application/json", _Document()), self._read("/apis", "application/json", _Document())
        )
        versions = [*(_parse(core, CoreDocument).versions or ()), *_parse(groups, GroupsDocument).versions()]
        answers = await asyncio.gather(*map(self._resources, versions))
        documents, failed = {}, {}
        for version, answer in zip(versions, answers, strict=True):
            if isinstance(answer, str):
                failed[version] = answer
            else:
                documents[version] = answer
        return from_plain(documents, failed)

    async def _resources(self, version: str) -> ResourcesDocument | str:
        path = f"/apis/{version}" if "/" in version else f"/api/{version}"
        try:
            return decode(msgspec.json.Decoder(ResourcesDocument), (await self._client.get_document(path)).body)
        except (ApiError, Unreachable) as error:
            return str(error)

    def _publish(self, catalogue: Catalogue) -> None:
        if catalogue == self._catalogue:
            return
        if catalogue.failed and catalogue.failed != self._catalogue.failed:
            log.warning("discovery: %s", catalogue.failure())
        self._catalogue = catalogue
        for subscriber in self._subscribers:
            subscriber(catalogue)

    async def run(self) -> None:
        """Keep the catalogue current until cancelled."""
        try:
            async with asyncio.TaskGroup() as group:
                self._queue.add("refresh")
                while True:
                    key = await self._queue.get()
                    await self._refresh_or_report()
                    self._follow_definitions(group)
                    self._queue.done(key)
                    self._queue.add_after(key, PERIOD)
        finally:
            self._watches.clear()

    async def _refresh_or_report(self) -> None:
        try:
            await self.refresh()
            self._last_problem = ""
        except (ApiError, Unreachable) as error:
            text = f"{type(error).__name__}: {error}"
            log.log(logging.DEBUG if text == self._last_problem else logging.WARNING, "discovery failed: %s", text)
            self._last_problem = text

    def _follow_definitions(self, group: asyncio.TaskGroup) -> None:
        """Watch the objects that define resources, where the server has them."""
        for resource in self._catalogue.preferred():
            name = resource.resource
            if (resource.group, resource.plural) in _DEFINITIONS and name not in self._watches:
                reflector = Reflector(self._client.metadata(resource), _Trigger(self._definition_changed))
                self._watches[name] = group.create_task(reflector.run(), name=f"discovery: watch {name}")

    def _definition_changed(self) -> None:
        self._queue.add_after("refresh", _AFTER_CHANGE)


class _Trigger:
    """A sink that only reports that something has changed."""

    def __init__(self, changed: Callable[[], None]) -> None:
        self._changed = changed

    def put(self, obj: PartialObjectMetadata) -> None:
        self._changed()

    def retain(self, uids: Set[str]) -> None:
        self._changed()

    def remove(self, obj: PartialObjectMetadata) -> None:
        self._changed()


def _document(answer: Response) -> _Document:
    aggregated = "as=APIGroupDiscoveryList" in answer.headers.get("content-type", "")
    return _Document(answer.headers.get("etag", ""), aggregated, answer.body)


def _parse(document: _Document, form: type[T]) -> T:
    return decode(msgspec.json.Decoder(form), document.body)
