"""Null means absent, in every field of every kind; and an object that can't be decoded does not end a watch."""

import asyncio
import json
import logging
from typing import Any

import msgspec
import msgspec.inspect as inspect
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pybernetes.api.core.config_map import ConfigMap
from pybernetes.api.discovery.endpoint_slice import EndpointSlice
from pybernetes.api.kind import Kind
from pybernetes.api.kinds import KINDS
from pybernetes.client.client import Client
from pybernetes.client.decoding import decode
from pybernetes.client.errors import BadAnswer
from pybernetes.client.nulls import parsed_without_nulls, without_nulls

from .fake_server import FakeServer
from .test_informer import BASE, Informer, Seen, running, scenario
from .warp import warp

TEXTS = st.sampled_from(['a,"b":null,', '","', '{"a":null}', ":null", ',"a":null}', '\\"a":null', "null"])
KEYS = st.sampled_from(["a", "bb", "c/d", "e-f.g"])
VALUES = st.recursive(
    st.none() | st.integers() | TEXTS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner, max_size=5),
    max_leaves=20,
)


@given(VALUES)
def test_null_members_are_found_without_parsing(value: object) -> None:
    text = json.dumps(value, separators=(",", ":")).encode()
    assert json.loads(without_nulls(text)) == json.loads(parsed_without_nulls(text))


def all_null(type_: inspect.Type, depth: int = 6) -> Any:
    """JSON of a type in which every field is null, except objects and lists of objects."""
    if isinstance(type_, inspect.UnionType):
        structs = [one for one in type_.types if isinstance(one, inspect.StructType)]
        return all_null(structs[0], depth) if structs else None
    if isinstance(type_, inspect.ListType):
        inner = all_null(type_.item_type, depth)
        return [inner] if inner is not None else None
    if isinstance(type_, inspect.StructType) and depth:
        return {field.encode_name: all_null(field.type, depth - 1) for field in type_.fields}
    return None


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
@pytest.mark.parametrize("separators", [(",", ":"), (", ", ": ")], ids=["compact", "spaced"])
def test_null_is_absent_in_every_field(kind: Kind[Any], separators: tuple[str, str]) -> None:
    text = json.dumps(all_null(inspect.type_info(kind.schema.type)), separators=separators).encode()
    decoder = msgspec.json.Decoder(kind.schema.type)
    assert decode(decoder, text) == decoder.decode(parsed_without_nulls(text))


def test_endpoint_slice_as_go_writes_it() -> None:
    slice_ = b'{"metadata":{"name":"web"},"addressType":"IPv4","endpoints":null,"ports":null}'
    found = decode(msgspec.json.Decoder(EndpointSlice), slice_)
    assert (found.metadata.name, found.endpoints, found.ports) == ("web", [], [])
    with pytest.raises(BadAnswer, match="can't be decoded"):
        decode(msgspec.json.Decoder(EndpointSlice), b'{"endpoints":[null],"ports":null}')


def test_a_watch_skips_what_it_cannot_decode(caplog: pytest.LogCaptureFixture) -> None:
    async def play(server: FakeServer, informer: Informer[ConfigMap], seen: Seen) -> None:
        for _ in range(3):
            server.put(f"{BASE}/bad", {"data": 5})
        server.put(f"{BASE}/b", {"data": None})
        server.put(f"{BASE}/a", {"data": 5})
        await asyncio.sleep(0.01)
        assert seen == [("+", "b")]
        assert informer.revision == server.revision
        server.remove(f"{BASE}/a")
        server.remove(f"{BASE}/bad")
        await asyncio.sleep(0.01)
        assert seen == [("+", "b"), ("-", "a")], "a deletion needs only the name"
        assert [verb for _, verb, _ in server.requests] == ["GET", "WATCH"], "the watch goes on"

    with caplog.at_level(logging.ERROR):
        scenario(play, "a")
    skipped = [record.getMessage() for record in caplog.records]
    assert [text.split(" is skipped: ")[0] for text in skipped] == ["configmaps d/bad", "configmaps d/a"]
    assert "Expected `object`, got `int`" in skipped[0]


def test_a_list_skips_what_it_cannot_decode() -> None:
    async def run() -> None:
        server = FakeServer()
        server.put(f"{BASE}/a", {"data": 5})
        server.put(f"{BASE}/b", {"data": None})
        async with running(server) as (informer, _):
            await informer.synced()
            assert informer.cache.keys() == ["d/b"]
        with pytest.raises(BadAnswer):
            await Client(server).of(ConfigMap).get("a", namespace="d")

    warp(run())
