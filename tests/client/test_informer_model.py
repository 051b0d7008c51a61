"""After any sequence of changes and faults a handler knows exactly what the server has, and got nothing twice."""

import asyncio
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pybernetes.api.core.config_map import ConfigMap
from pybernetes.client.client import Client
from pybernetes.client.informer import Informer, key_of

from .fake_server import FakeServer, refusal
from .warp import warp

BASE = "/api/v1/namespaces/d/configmaps"
NAMES = st.sampled_from("abc")
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("put"), NAMES),
        st.tuples(st.just("remove"), NAMES),
        st.tuples(st.just("wait"), st.sampled_from(["0", "0.001", "0.06", "7"])),
        st.tuples(st.sampled_from(["drop", "compact", "down", "up", "garbage", "busy", "fail", "reset"]), st.just("")),
    ),
    max_size=40,
)


class Follower:
    """A handler that keeps its own copy and checks each call against it."""

    def __init__(self) -> None:
        self.known: dict[str, ConfigMap] = {}
        self.reported: list[tuple[str, str, str]] = []

    def __call__(self, old: ConfigMap | None, new: ConfigMap | None) -> None:
        obj = new or old
        assert obj is not None
        key = key_of(obj)
        assert self.known.get(key) is old, "the old object is the one delivered last"
        if old is not None and new is not None:
            assert old.metadata.resource_version != new.metadata.resource_version, "delivered twice"
            assert old.metadata.uid == new.metadata.uid, "another object: that is two changes"
        if new is None:
            del self.known[key]
            self.reported.append(("DELETED", key, ""))
        else:
            self.known[key] = new
            self.reported.append(("ADDED" if old is None else "MODIFIED", key, new.metadata.resource_version))


def do(server: FakeServer, step: str, arg: str) -> None:
    match step:
        case "put":
            server.put(f"{BASE}/{arg}")
        case "remove":
            server.remove(f"{BASE}/{arg}")
        case "drop":
            server.drop()
        case "compact":
            server.compact()
            server.drop()
        case "down" | "up":
            server.down = step == "down"
            server.drop()
        case "garbage":
            server.garbage.append(b'{"type":"ADDED","object":{"metadata":[]}}')
        case "busy":
            server.refusals.append(refusal(429, "busy", retryAfterSeconds=1))
        case "fail":
            server.refusals.append(refusal(500, "oops"))
        case "reset":
            server.restart_empty()


async def play(steps: list[tuple[str, str]]) -> None:
    server, follower = FakeServer(), Follower()
    informer = Informer(Client(server).of(ConfigMap), namespace="d")
    informer.add_handler(follower)
    task = asyncio.create_task(informer.run(), name="informer")
    history: list[tuple[int, str, str, dict[str, Any]]] = []
    await informer.synced()
    await asyncio.sleep(0.01)
    for step, arg in steps:
        if step == "wait":
            await asyncio.sleep(float(arg))
            continue
        before = len(server.log)
        do(server, step, arg)
        if step == "reset":
            # No client can tell another store from the old one once its revisions have passed those it saw.
            server.down = False
            await asyncio.sleep(30)
        if step in ("put", "remove"):
            history += server.log[before:]
    do(server, "up", "")
    await asyncio.sleep(120)
    assert not task.done()
    want = {f"d/{path.rsplit('/', 1)[1]}": obj["metadata"]["resourceVersion"] for path, obj in server.objects.items()}
    assert {key: obj.metadata.resource_version for key, obj in follower.known.items()} == want
    assert {key_of(obj): obj.metadata.resource_version for obj in informer.cache.all()} == want
    if not {"compact", "reset"} & {step for step, _ in steps}:
        reported = [(kind, f"d/{path.rsplit('/', 1)[1]}", str(at)) for at, kind, path, _ in history]
        reported = [(kind, key, "" if kind == "DELETED" else at) for kind, key, at in reported]
        assert follower.reported == reported, "with all history kept, each change exactly once and in order"
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


@pytest.mark.slow
@settings(max_examples=300, deadline=None)
@given(STEPS)
def test_copy_matches_the_server_after_any_sequence_of_faults(steps: list[tuple[str, str]]) -> None:
    warp(play(steps))
