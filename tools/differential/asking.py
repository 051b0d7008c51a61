"""A kind's requests to one server, over HTTPS or in process."""

import asyncio
import json
import re
from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass
from typing import Any

from pybernetes.client.transport import Request, Transport

from .answers import Answer
from .corpus import Case, KindCases

#: Requests at the same time.
AT_ONCE = 8
_DRY_RUN = (("dryRun", "All"), ("fieldManager", "t"))
_WARNING = re.compile(r'299 - "((?:[^"\\]|\\.)*)"')


@dataclass(frozen=True, slots=True)
class Served:
    """Where a server has a kind."""

    path: str
    verbs: tuple[str, ...]
    has_status: bool


class Server:
    """One server, asked as a member of system:masters."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport
        self._gate = asyncio.Semaphore(AT_ONCE)
        self.kinds: dict[tuple[str, str], Served] = {}

    async def discover(self) -> "Server":
        """Learn which kinds there are, and make the service account that pods need."""
        groups = (await self.ask("GET", "/apis")).body["groups"]
        for version in ["v1", *(v["groupVersion"] for group in groups for v in group["versions"])]:
            base = f"/apis/{version}" if "/" in version else f"/api/{version}"
            self._learn(version, base, (await self.ask("GET", base)).body.get("resources", []))
        account = {"metadata": {"name": "default"}}
        await self.ask("POST", "/api/v1/namespaces/default/serviceaccounts", account)
        return self

    def _learn(self, version: str, base: str, resources: list[dict[str, Any]]) -> None:
        with_status = {r["name"].removesuffix("/status") for r in resources if r["name"].endswith("/status")}
        for item in resources:
            if "/" in item["name"]:
                continue
            path = f"{base}/namespaces/default/{item['name']}" if item["namespaced"] else f"{base}/{item['name']}"
            served = Served(path, tuple(item["verbs"]), item["name"] in with_status)
            self.kinds.setdefault((version, item["kind"]), served)

    async def ask(self, method: str, path: str, body: Any = None, query: tuple[tuple[str, str], ...] = ()) -> Answer:
        """One request with a JSON body."""
        request = Request(
            method=method,
            path=path,
            query=query,
            headers={"content-type": "application/json", "accept": "application/json"},
            body=b"" if body is None else json.dumps(body).encode(),
        )
        async with self._gate:
            response = await self._transport.request(request)
        try:
            decoded = json.loads(response.body)
        except ValueError:
            decoded = {"message": response.body.decode(errors="replace")}
        found = (re.sub(r"\\(.)", r"\1", text) for text in _WARNING.findall(response.headers.get("warning", "")))
        return Answer(response.status, decoded, tuple(sorted(found)))

    async def answers(self, of: KindCases, cases: Iterable[Case]) -> AsyncIterator[tuple[Case, Answer]]:
        """The answer to each case that can be asked, in order. The server must serve the kind."""
        served = self.kinds[of.api_version, of.kind]
        stored = await self._keep(of, served) if "update" in served.verbs else None
        try:
            for batch in _batches(cases, 50 * AT_ONCE):
                asked = [case for case in batch if case.mode == "create" or (stored is not None and _has(served, case))]
                found = await asyncio.gather(*(self._try(case, of, served, stored) for case in asked))
                for case, answer in zip(asked, found, strict=True):
                    yield case, answer
        finally:
            if stored is not None:
                await self._remove(f"{served.path}/{stored['metadata']['name']}")

    async def _try(self, case: Case, of: KindCases, served: Served, stored: Any) -> Answer:
        if case.mode == "create":
            return await self.ask("POST", served.path, case.apply(of.base), _DRY_RUN)
        path = f"{served.path}/{stored['metadata']['name']}"
        return await self.ask("PUT", f"{path}/status" if case.mode == "status" else path, case.apply(stored), _DRY_RUN)

    async def _keep(self, of: KindCases, served: Served) -> Any:
        """Store the object that updates start from; None if it is refused."""
        name = "kept" if of.base["metadata"]["name"] == "x" else of.base["metadata"]["name"] + "9"
        await self._remove(f"{served.path}/{name}")
        wanted = {**of.base, "metadata": {**of.base["metadata"], "name": name}}
        answer = await self.ask("POST", served.path, wanted, (("fieldManager", "t"),))
        if answer.code != 201:
            return None
        metadata = {key: value for key, value in answer.body["metadata"].items() if key != "managedFields"}
        return {**answer.body, "metadata": metadata}

    async def _remove(self, path: str) -> None:
        await self.ask("DELETE", path, query=(("gracePeriodSeconds", "0"),))


def _has(served: Served, case: Case) -> bool:
    return case.mode != "status" or served.has_status


def _batches(cases: Iterable[Case], size: int) -> Iterable[list[Case]]:
    batch: list[Case] = []
    for case in cases:
        batch.append(case)
        if len(batch) == size:
            yield batch
            batch = []
    yield batch
