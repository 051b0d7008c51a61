"""watch, as the in-process transport and the typed client see it."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing

import msgspec
import pytest

from pybernetes.api.core.config_map import ConfigMap
from pybernetes.apiserver.config import ServerConfig
from pybernetes.apiserver.inprocess import InProcessTransport
from pybernetes.client.client import Client
from pybernetes.client.transport import Request

from .conftest import ADMIN, Api
from .objects import CMS, PODS, config_map, pod


class Stream:
    """Events of one watch, one by one."""

    def __init__(self, api: Api, path: str, query: dict[str, str], **headers: str) -> None:
        request = Request(
            method="GET", path=path, query=(("watch", "1"), *query.items()), headers={"accept": "", **headers}
        )
        self._stream: AsyncGenerator[list[bytes], None] = InProcessTransport(api.server, ADMIN).stream(request)
        self._lines: list[bytes] = []

    async def next(self) -> dict:
        while not self._lines:
            self._lines = list(await asyncio.wait_for(anext(self._stream), 2))
        found: dict = msgspec.json.decode(self._lines.pop(0))
        return found

    async def names(self, count: int) -> list[str]:
        events = [await self.next() for _ in range(count)]
        return [f"{event['type']} {event['object']['metadata']['name']}" for event in events]

    async def close(self) -> None:
        await self._stream.aclose()


async def revision(api: Api) -> str:
    found: str = (await api.json("GET", CMS))["metadata"]["resourceVersion"]
    return found


async def test_every_change_arrives_in_order(api: Api) -> None:
    stream = Stream(api, CMS, {"resourceVersion": await revision(api)})
    made = await api.json("POST", CMS, config_map(), status=201)
    await api.json("PUT", f"{CMS}/cm", config_map(data={"b": "2"}))
    await api.json("DELETE", f"{CMS}/cm")
    first = await stream.next()
    assert (first["type"], first["object"]) == ("ADDED", made)
    assert (await stream.next())["type"] == "MODIFIED"
    last = await stream.next()
    assert last["type"] == "DELETED"
    assert last["object"]["data"] == {"b": "2"}
    assert int(last["object"]["metadata"]["resourceVersion"]) == api.server.context.store.revision
    await stream.close()


@pytest.mark.parametrize("query", [{}, {"resourceVersion": "0"}])
async def test_without_a_revision_the_present_state_comes_first(api: Api, query: dict[str, str]) -> None:
    await api.json("POST", CMS, config_map("a"), status=201)
    stream = Stream(api, CMS, query)
    assert await stream.names(1) == ["ADDED a"]
    await api.json("POST", CMS, config_map("b"), status=201)
    assert await stream.names(1) == ["ADDED b"]
    await stream.close()


async def test_an_object_that_leaves_the_selection_is_deleted(api: Api) -> None:
    await api.json("POST", CMS, config_map(labels={"l": "x"}), status=201)
    stream = Stream(api, CMS, {"labelSelector": "l=x"})
    assert await stream.names(1) == ["ADDED cm"]
    patch = {"metadata": {"labels": {"l": "y"}}}
    left = await api.json("PATCH", f"{CMS}/cm", patch, content_type="application/merge-patch+json")
    event = await stream.next()
    assert event["type"] == "DELETED"
    assert event["object"]["metadata"]["labels"] == {"l": "x"}
    assert event["object"]["metadata"]["resourceVersion"] == left["metadata"]["resourceVersion"]
    patch = {"metadata": {"labels": {"l": "x"}}}
    await api.json("PATCH", f"{CMS}/cm", patch, content_type="application/merge-patch+json")
    assert await stream.names(1) == ["ADDED cm"]
    await stream.close()


async def test_a_field_of_the_kind(api: Api) -> None:
    stream = Stream(api, "/api/v1/pods", {"fieldSelector": "spec.nodeName=n1"})
    await api.json("POST", PODS, pod("a"), status=201)
    await api.json("POST", PODS, pod("b"), status=201)
    binding = {"metadata": {"name": "b"}, "target": {"kind": "Node", "name": "n1"}}
    await api.json("POST", f"{PODS}/b/binding", binding, status=201)
    assert await stream.names(1) == ["ADDED b"]
    await stream.close()


async def test_one_name_also_on_the_deprecated_path(api: Api) -> None:
    stream = Stream(api, "/api/v1/watch/namespaces/default/configmaps/b", {"resourceVersion": await revision(api)})
    for name in ("a", "b", "bc"):
        await api.json("POST", CMS, config_map(name), status=201)
    await api.json("DELETE", f"{CMS}/b")
    assert await stream.names(2) == ["ADDED b", "DELETED b"]
    await stream.close()


async def test_initial_events_end_with_a_bookmark(api: Api) -> None:
    await api.json("POST", CMS, config_map("a"), status=201)
    query = {"sendInitialEvents": "true", "resourceVersionMatch": "NotOlderThan", "allowWatchBookmarks": "true"}
    stream = Stream(api, CMS, query)
    assert await stream.names(1) == ["ADDED a"]
    mark = await stream.next()
    assert mark["type"] == "BOOKMARK"
    assert mark["object"]["kind"] == "ConfigMap"
    assert mark["object"]["metadata"]["annotations"] == {"k8s.io/initial-events-end": "true"}
    assert mark["object"]["metadata"]["resourceVersion"] == await revision(api)
    await stream.close()


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("sendInitialEvents=true", "resourceVersionMatch"),
        ("resourceVersionMatch=Exact", "forbidden for watch unless sendInitialEvents"),
        ("resourceVersion=x", "Invalid value"),
    ],
)
async def test_invalid_options(api: Api, query: str, words: str) -> None:
    status = await api.json("GET", f"{CMS}?watch=1&{query}", status=422)
    assert words in status["message"]


async def test_too_old_and_too_new_revisions_are_error_events(api: Api) -> None:
    await api.json("POST", CMS, config_map(), status=201)
    store = api.server.context.store
    await store.compact(store.revision)
    stream = Stream(api, CMS, {"resourceVersion": "1"})
    event = await stream.next()
    assert event["type"] == "ERROR"
    assert (event["object"]["code"], event["object"]["reason"]) == (410, "Expired")
    assert event["object"]["message"].startswith("too old resource version: 1 (")
    stream = Stream(api, CMS, {"resourceVersion": "999999"})
    assert (await stream.next())["object"]["code"] == 504


@pytest.mark.slow
async def test_a_watch_ends_after_its_time(api: Api) -> None:
    stream = InProcessTransport(api.server, ADMIN).stream(
        Request(method="GET", path=CMS, query=(("watch", "1"), ("timeoutSeconds", "1"), ("resourceVersion", "1")))
    )
    events = [lines async for lines in stream]
    assert events == []


async def test_tables_have_columns_once(api: Api) -> None:
    accept = "application/json;as=Table;v=v1;g=meta.k8s.io"
    stream = Stream(api, CMS, {}, accept=accept)
    await api.json("POST", CMS, config_map("a"), status=201)
    await api.json("POST", CMS, config_map("b"), status=201)
    first, second = await stream.next(), await stream.next()
    assert first["object"]["kind"] == "Table"
    assert first["object"]["columnDefinitions"]
    assert not second["object"]["columnDefinitions"]
    assert second["object"]["rows"][0]["cells"][0] == "b"
    await stream.close()


async def test_a_thousand_watchers_share_one_line(api: Api) -> None:
    watches = [Stream(api, CMS, {"resourceVersion": await revision(api)}) for _ in range(50)]
    waiting = [asyncio.create_task(anext(watch._stream)) for watch in watches]
    await asyncio.sleep(0)
    await api.json("POST", CMS, config_map(), status=201)
    found = await asyncio.gather(*waiting)
    assert len({lines[0] for lines in found}) == 1
    for watch in watches:
        await watch.close()
    assert api.server._router.watching.active == 0


async def test_the_typed_client(client: Client) -> None:
    maps = client.of(ConfigMap)
    page = await maps.list(namespace="default")
    async with aclosing(maps.watch(namespace="default", resource_version=page.resource_version)) as watch:
        await maps.create(ConfigMap(metadata=msgspec.convert({"name": "x", "namespace": "default"}, _meta())))
        events = await anext(watch)
    assert events[0].type == "ADDED"
    assert events[0].object is not None
    assert events[0].object.metadata.name == "x"


def _meta() -> type:
    from pybernetes.api.meta import ObjectMeta

    return ObjectMeta


class TestBookmarks:
    @pytest.fixture
    def config(self) -> ServerConfig:
        return ServerConfig(advertise_address="192.0.2.10", bookmark_seconds=0.05)

    async def test_they_come_by_themselves_and_tell_how_far_the_watch_is(self, api: Api) -> None:
        stream = Stream(api, CMS, {"allowWatchBookmarks": "true", "resourceVersion": await revision(api)})
        waiting = asyncio.create_task(stream.next())
        await asyncio.sleep(0.01)
        await api.json("POST", PODS, pod(), status=201)
        mark = await waiting
        assert mark["type"] == "BOOKMARK"
        assert int(mark["object"]["metadata"]["resourceVersion"]) == api.server.context.store.revision
        await stream.close()
