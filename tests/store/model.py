"""A model-based test: random operations against an engine and against a dictionary, which must agree."""

from __future__ import annotations

import asyncio
from typing import ClassVar, NamedTuple

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from pybernetes.store import AlreadyExists, Compacted, Conflict, Event, KeyValue, NotFound, Store, Watch

from .contract import splice

KEYS = [f"/registry/{kind}/{name}" for kind in ("pods", "pods-x", "nodes") for name in ("a", "b/c", "b", "é")]
PREFIXES = ["", "/", "/registry/pods", "/registry/pods/", "/registry/nodes/b", "/registry/none/"]

keys = st.sampled_from(KEYS)
prefixes = st.sampled_from(PREFIXES)
expects = st.sampled_from([None, "absent", "current", "stale"])


class Version(NamedTuple):
    value: bytes
    revision: int
    created: int


class Change(NamedTuple):
    revision: int
    kind: str
    key: str
    value: bytes
    prev: Version | None


def change_of(event: Event) -> Change:
    prev = event.prev and Version(event.prev.value, event.prev.revision, event.prev.create_revision)
    return Change(event.kv.revision, event.kind, event.kv.key, event.kv.value, prev)


class StoreMachine(RuleBasedStateMachine):
    """Subclass it per engine with `open`; `reopens` says whether a store can be opened again with its contents."""

    reopens: ClassVar[bool] = False

    async def open(self) -> Store:
        raise AssertionError("an engine's machine says how to open it")

    @initialize()
    def begin(self) -> None:
        self.runner = asyncio.Runner()
        self.store = self.runner.run(self.open())
        self.start = self.store.revision
        self.state: dict[str, Version] = {}
        self.states: dict[int, dict[str, Version]] = {self.start: {}}
        self.raw: dict[str, bytes] = {}
        self.log: list[Change] = []
        self.watches: list[tuple[Watch, str, int, list[Change]]] = []
        self.counter = 0

    def teardown(self) -> None:
        if hasattr(self, "runner"):
            self.runner.run(self.store.close())
            self.runner.close()

    def expected(self, key: str, expect: str | None) -> int | None:
        revision = self.state[key].revision if key in self.state else 0
        return {None: None, "absent": 0, "current": revision, "stale": revision + 1000}[expect]

    def took(self, kv: KeyValue, kind: str, raw: bytes, expect: int | None) -> None:
        """Check a write that succeeded against the model, and do the same to the model."""
        prev = self.state.get(kv.key)
        assert kv.revision == max(self.states) + 1
        assert expect is None or expect == (prev.revision if prev else 0)
        assert kv.value == splice(raw, kv.revision)
        assert kv.create_revision == (prev.created if prev else kv.revision)
        if kind == "put":
            self.state = self.state | {kv.key: Version(kv.value, kv.revision, kv.create_revision)}
            self.raw[kv.key] = raw
        else:
            assert prev
            self.state = {key: version for key, version in self.state.items() if key != kv.key}
        self.states[kv.revision] = self.state
        self.log.append(Change(kv.revision, kind, kv.key, kv.value, prev))

    def fresh(self) -> bytes:
        self.counter += 1
        return b"@ value %d" % self.counter

    @rule(key=keys, expect=expects)
    def put(self, key: str, expect: str | None) -> None:
        wanted, raw = self.expected(key, expect), self.fresh()
        try:
            kv = self.runner.run(self.store.put(key, raw, expect=wanted))
        except AlreadyExists as error:
            assert wanted == 0
            assert key in self.state
            assert error.current and error.current.revision == self.state[key].revision
        except Conflict as error:
            assert expect == "stale"
            assert (error.current.revision if error.current else None) == (
                self.state[key].revision if key in self.state else None
            )
        else:
            self.took(kv, "put", raw, wanted)

    @rule(key=keys, expect=expects)
    def delete(self, key: str, expect: str | None) -> None:
        wanted = self.expected(key, expect)
        try:
            kv = self.runner.run(self.store.delete(key, expect=wanted))
        except NotFound:
            assert key not in self.state
        except Conflict:
            assert key in self.state
            assert wanted is not None
            assert wanted != self.state[key].revision
        else:
            self.took(kv, "delete", self.raw[key], wanted)

    @rule(writes=st.lists(st.tuples(keys, expects, st.booleans()), min_size=2, max_size=12))
    def at_once(self, writes: list[tuple[str, str | None, bool]]) -> None:
        """Concurrent writes: whatever order the engine chose, replaying what succeeded must explain it."""

        async def run() -> list[KeyValue | BaseException]:
            return await asyncio.gather(*calls, return_exceptions=True)

        plans = [(key, self.expected(key, expect), put, self.fresh()) for key, expect, put in writes]
        calls = [
            self.store.put(key, raw, expect=wanted) if put else self.store.delete(key, expect=wanted)
            for key, wanted, put, raw in plans
        ]
        done = []
        for plan, result in zip(plans, self.runner.run(run()), strict=True):
            if isinstance(result, KeyValue):
                done.append((result, plan))
            else:
                assert isinstance(result, AlreadyExists | Conflict | NotFound)
        for kv, (key, wanted, put, raw) in sorted(done, key=lambda pair: pair[0].revision):
            self.took(kv, "put" if put else "delete", raw if put else self.raw[key], wanted)

    @rule(prefix=prefixes, back=st.integers(0, 30), limit=st.integers(0, 4))
    def read_the_past(self, prefix: str, back: int, limit: int) -> None:
        revision = max(self.start, self.store.revision - back)
        if revision < self.store.compacted or not revision:
            return
        wanted = sorted(key for key in self.states[revision] if key.startswith(prefix))
        found: list[KeyValue] = []
        remaining = 1
        while remaining:
            page = self.store.range(prefix, start=found[-1].key if found else "", limit=limit, revision=revision)
            found += page.items
            remaining = page.remaining
            assert remaining == len(wanted) - len(found)
        versions = {kv.key: Version(kv.value, kv.revision, kv.create_revision) for kv in found}
        assert [kv.key for kv in found] == wanted
        assert versions == {key: self.states[revision][key] for key in wanted}

    @rule(prefix=prefixes, back=st.integers(0, 30))
    def watch(self, prefix: str, back: int) -> None:
        revision = max(self.start, self.store.revision - back)
        if not revision:
            return

        async def begin() -> Watch:
            return self.store.watch(prefix, from_revision=revision)

        try:
            self.watches.append((self.runner.run(begin()), prefix, revision, []))
        except Compacted:
            assert revision < self.store.compacted

    @rule()
    def read_watches(self) -> None:
        async def drain(watch: Watch, changes: list[Change]) -> None:
            async with asyncio.timeout(5):
                while watch.progress() < self.store.revision:
                    changes += [change_of(event) for event in await anext(watch)]

        for watch, prefix, revision, changes in self.watches:
            self.runner.run(drain(watch, changes))
            assert changes == [
                change for change in self.log if change.revision > revision and change.key.startswith(prefix)
            ]

    @rule(back=st.integers(0, 10))
    def compact(self, back: int) -> None:
        revision = max(self.start, self.store.revision - back)
        before = self.store.compacted
        self.runner.run(self.store.compact(revision))
        assert self.store.compacted == max(before, revision)

    @precondition(lambda self: self.reopens)
    @rule()
    def reopen(self) -> None:
        self.runner.run(self.store.close())
        self.watches.clear()
        self.store = self.runner.run(self.open())

    @invariant()
    def the_present_agrees(self) -> None:
        if not hasattr(self, "runner"):
            return
        found = {kv.key: Version(kv.value, kv.revision, kv.create_revision) for kv in self.store.range("").items}
        assert found == self.state
        assert list(found) == sorted(found)
        assert self.store.revision == max(self.states)
        for prefix in PREFIXES:
            assert self.store.count(prefix) == sum(key.startswith(prefix) for key in self.state)
