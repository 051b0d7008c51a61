"""The verbs, against the real server: in process and over HTTPS."""

import asyncio
from contextlib import aclosing

import pytest

from pybernetes.api.core.config_map import ConfigMap
from pybernetes.api.core.namespace import Namespace
from pybernetes.api.meta import ObjectMeta, Status
from pybernetes.client.client import Client
from pybernetes.client.decoding import raise_for_status
from pybernetes.client.errors import (
    AlreadyExists,
    ApiError,
    BadAnswer,
    BadRequest,
    Conflict,
    Forbidden,
    Gone,
    Invalid,
    NotFound,
    ServerError,
    TooManyRequests,
    Unauthorized,
    error_for,
)
from pybernetes.client.resource import JSON_PATCH, Events
from pybernetes.client.transport import Request, Response
from pybernetes.store.sqlite import SqliteStore


def config_map(name: str, **data: str) -> ConfigMap:
    return ConfigMap(metadata=ObjectMeta(name=name, namespace="default"), data=data)


async def test_object_lifecycle(any_client: Client) -> None:
    maps = any_client.of(ConfigMap)
    made = await maps.create(config_map("a", x="1"))
    assert made.metadata.uid and made.metadata.resource_version
    assert (await maps.get("a", namespace="default")).data == {"x": "1"}
    made.data["x"] = "2"
    changed = await maps.update(made)
    with pytest.raises(Conflict):
        await maps.update(made)
    patched = await maps.patch("a", {"data": {"y": "3"}}, namespace="default")
    assert patched.data == {"x": "2", "y": "3"}
    operation = [{"op": "remove", "path": "/data/x"}]
    patched = await maps.patch("a", operation, namespace="default", content_type=JSON_PATCH)
    assert patched.data == {"y": "3"}
    with pytest.raises(AlreadyExists):
        await maps.create(config_map("a"))
    with pytest.raises(Conflict):
        await maps.delete("a", namespace="default", resource_version=changed.metadata.resource_version)
    with pytest.raises(Conflict):
        await maps.delete("a", namespace="default", uid="another")
    await maps.delete("a", namespace="default", uid=made.metadata.uid)
    with pytest.raises(NotFound) as caught:
        await maps.get("a", namespace="default")
    assert caught.value.code == 404 and caught.value.reason == "NotFound" and "a" in str(caught.value)


async def test_pages_and_selectors(any_client: Client) -> None:
    maps = any_client.of(ConfigMap)
    for n in range(7):
        labels = {"odd": "yes" if n % 2 else "no", "n": str(n)}
        await maps.create(ConfigMap(metadata=ObjectMeta(name=f"c{n}", namespace="default", labels=labels)))
    names, token, pages = [], "", 0
    while True:
        page = await maps.list(namespace="default", label_selector="n", limit=3, continue_token=token)
        names += [obj.metadata.name for obj in page.items]
        token, pages = page.continue_token, pages + 1
        if not token:
            break
        assert page.remaining == 7 - len(names) or page.remaining == 0
    assert names == [f"c{n}" for n in range(7)] and pages == 3
    for selector, count in (("odd=yes", 3), ("odd!=yes,n in (0,2)", 2), ("!odd,n", 0), ("odd,n notin (1, 3)", 5)):
        assert len((await maps.list(namespace="default", label_selector=selector)).items) == count, selector
    found = await maps.list(field_selector="metadata.name=c3,metadata.namespace!=x")
    assert [obj.metadata.name for obj in found.items] == ["c3"]
    with pytest.raises(BadRequest):
        await maps.list(label_selector="a in (")


async def test_watch_delivers_changes_and_bookmarks(any_client: Client) -> None:
    maps = any_client.of(ConfigMap)
    start = (await maps.list(namespace="default")).resource_version
    reported: list[tuple[str, str]] = []

    async def follow() -> None:
        async with aclosing(maps.watch(namespace="default", resource_version=start)) as batches:
            async for batch in batches:
                reported.extend((e.type, e.object.metadata.name) for e in batch if e.object is not None)
                if len(reported) >= 3:
                    return

    task = asyncio.create_task(follow(), name="follow")
    made = await maps.create(config_map("w"))
    made.data["k"] = "v"
    await maps.update(made)
    await maps.delete("w", namespace="default")
    await asyncio.wait_for(task, 5)
    assert reported == [("ADDED", "w"), ("MODIFIED", "w"), ("DELETED", "w")]


@pytest.mark.slow
async def test_watch_ends_after_its_timeout_with_a_bookmark(any_client: Client) -> None:
    start = (await any_client.of(ConfigMap).list()).resource_version
    batches: list[Events[ConfigMap]] = []
    async with asyncio.timeout(10):
        async for batch in any_client.of(ConfigMap).watch(resource_version=start, timeout_seconds=1):
            batches.append(batch)
    events = [event for batch in batches for event in batch]
    assert [(e.type, e.object) for e in events] == [("BOOKMARK", None)]
    assert int(events[0].resource_version) >= int(start)


async def test_compacted_revision(any_client: Client, store: SqliteStore) -> None:
    await any_client.of(ConfigMap).create(config_map("a"))
    await store.compact(store.revision)
    with pytest.raises(Gone):
        async for _ in any_client.of(ConfigMap).watch(resource_version="1"):
            pass


async def test_errors_name_the_cause(any_client: Client) -> None:
    with pytest.raises(Invalid) as caught:
        await any_client.of(ConfigMap).create(config_map("Not A Name"))
    assert caught.value.has_cause("FieldValueInvalid") and not caught.value.has_cause("other")
    with pytest.raises(NotFound):
        await any_client.of(ConfigMap).create(ConfigMap(metadata=ObjectMeta(name="a", namespace="no-such")))
    assert b'"gitVersion"' in await any_client.raw("GET", "/version")
    with pytest.raises(NotFound):
        await any_client.raw("GET", "/apis/none")


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "a%2fb", "../../../namespaces/default"])
async def test_names_cannot_change_the_path(client: Client, name: str) -> None:
    """`delete("")` would delete the collection, and `..` the namespace."""
    maps = client.of(ConfigMap)
    for call in (maps.get(name, namespace="default"), maps.delete(name, namespace="default"), maps.patch(name, {})):
        with pytest.raises(ValueError, match=r"path|name"):
            await call
    with pytest.raises(ValueError, match="path"):
        await maps.get("a", namespace="..")
    assert (await client.of(Namespace).get("default")).metadata.name == "default"


class Canned:
    """A transport that always answers with the same response."""

    def __init__(self, status: int, body: bytes, **headers: str) -> None:
        self.response = Response(status, {name.replace("_", "-"): value for name, value in headers.items()}, body)
        self.asked: list[Request] = []

    async def request(self, request: Request) -> Response:
        self.asked.append(request)
        return self.response

    async def stream(self, request: Request):  # type: ignore[no-untyped-def]
        yield [self.response.body]

    async def close(self) -> None:
        """Nothing to close."""


@pytest.mark.parametrize("body", [b"", b"<html>hello</html>", b"[]", b'{"metadata": 5}', b"\xff\xfe", b"{" * 5000])
async def test_answers_of_other_servers_are_bad_answers(body: bytes) -> None:
    maps = Client(Canned(200, body)).of(ConfigMap)
    for call in (maps.get("a"), maps.list(), maps.create(config_map("a")), maps.patch("a", {})):
        with pytest.raises(BadAnswer, match="can't be decoded"):
            await call
    with pytest.raises(BadAnswer):
        async for _ in maps.watch():
            pass


async def test_events_before_garbage_are_delivered_first() -> None:
    class Lines(Canned):
        async def stream(self, request: Request):  # type: ignore[no-untyped-def]
            good = b'{"type":"ADDED","object":{"metadata":{"name":"n","resourceVersion":"3"}}}'
            yield [good, b"<html>", good]

    reported = []
    with pytest.raises(BadAnswer):
        async for batch in Client(Lines(200, b"")).of(ConfigMap).watch():
            reported += [event.resource_version for event in batch]
    assert reported == ["3"]


@pytest.mark.parametrize(
    ("status", "reason", "kind"),
    [
        (400, "", BadRequest),
        (401, "", Unauthorized),
        (403, "", Forbidden),
        (404, "", NotFound),
        (409, "AlreadyExists", AlreadyExists),
        (409, "Conflict", Conflict),
        (410, "Expired", Gone),
        (418, "", ApiError),
        (422, "", Invalid),
        (429, "", TooManyRequests),
        (500, "", ServerError),
        (503, "", ServerError),
    ],
)
def test_error_class_of_each_status(status: int, reason: str, kind: type[ApiError]) -> None:
    assert type(error_for(Status(code=status, reason=reason, message="why"))) is kind
    with pytest.raises(kind):
        raise_for_status(Response(status, {}, b'{"kind":"Status","reason":"%s","message":"why"}' % reason.encode()))


@pytest.mark.parametrize(
    ("body", "text"), [(b"<html>busy</html>", "<html>busy</html>"), (b'{"message":"m","code":200}', "m"), (b"", "")]
)
def test_error_without_a_status_body(body: bytes, text: str) -> None:
    with pytest.raises(TooManyRequests) as caught:
        raise_for_status(Response(429, {"retry-after": "7"}, body))
    assert str(caught.value) == text and caught.value.code == 429 and caught.value.retry_after == 7
    with pytest.raises(TooManyRequests) as caught:
        raise_for_status(Response(429, {"retry-after": "Wed, 21 Oct 2026 07:28:00 GMT"}, body))
    assert caught.value.retry_after == 0


async def test_long_list_yields_to_other_tasks() -> None:
    item = b'{"metadata":{"name":"x","namespace":"d"}}'
    maps = Client(Canned(200, b'{"metadata":{"resourceVersion":"1"},"items":[%s]}' % b",".join([item] * 5000)))
    turns = 0

    async def other() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    task = asyncio.create_task(other(), name="other")
    assert len((await maps.of(ConfigMap).list()).items) == 5000
    task.cancel()
    assert turns >= 9


async def test_kind_and_version_are_filled_in() -> None:
    canned = Canned(200, b"{}")
    mine = config_map("a")
    await Client(canned).of(ConfigMap).create(mine)
    assert b'"kind":"ConfigMap"' in canned.asked[0].body and b'"apiVersion":"v1"' in canned.asked[0].body
    assert mine.kind == "", "the caller's object is left alone"
