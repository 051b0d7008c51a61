"""Services and NetworkPolicies from the API; refused requests and malformed answers."""

import asyncio
import ipaddress
import json
import logging
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import asynccontextmanager

import pytest

from pybernetes.client.client import Client
from pybernetes.client.errors import Unreachable
from pybernetes.client.transport import Request, Response
from pybernetes.flannel.api_facts import ApiFacts, unenforced

POLICIES = "/apis/networking.k8s.io/v1/networkpolicies"
RANGES = "/apis/networking.k8s.io/v1/servicecidrs"
SERVICE = "/api/v1/namespaces/default/services/kubernetes"


class Server:
    """An API server that has some objects, and refuses the rest."""

    def __init__(self, answers: Mapping[str, object], refusal: int = 404) -> None:
        self.answers = dict(answers)
        self.refusal = refusal
        self.away = False
        self.asked: list[str] = []

    async def request(self, request: Request) -> Response:
        self.asked.append(request.path)
        if self.away:
            raise Unreachable("no answer: connection refused")
        if request.path not in self.answers:
            return Response(self.refusal, {}, json.dumps({"kind": "Status", "code": self.refusal}).encode())
        answer = self.answers[request.path]
        return Response(200, {}, answer if isinstance(answer, bytes) else json.dumps(answer).encode())

    async def stream(self, request: Request) -> AsyncGenerator[list[bytes], None]:
        raise AssertionError("nothing is watched")
        yield []

    async def close(self) -> None:
        """Nothing to close."""


def policies(*namespaces: str) -> dict[str, object]:
    return {"items": [{"metadata": {"namespace": name, "name": "deny-all"}, "spec": {}} for name in namespaces]}


@asynccontextmanager
async def asking(
    server: Server, environment: Mapping[str, str] | None = None, changed: Callable[[], None] = lambda: None
) -> AsyncGenerator[ApiFacts, None]:
    facts = ApiFacts(Client(server), environment or {}, every=0.01)
    task = asyncio.create_task(facts.run(changed), name="facts")
    try:
        await facts.learned(30)
        yield facts
        assert not task.done()
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def until(true: Callable[[], object]) -> None:
    async with asyncio.timeout(30):
        while not true():
            await asyncio.sleep(0.005)


async def test_policies_are_logged_when_the_first_appears(caplog: pytest.LogCaptureFixture) -> None:
    server = Server({POLICIES: policies()})
    async with asking(server) as facts:
        await until(lambda: server.asked.count(POLICIES) > 2)
        assert not caplog.records
        server.answers[POLICIES] = policies("prod")
        await until(lambda: "1 NetworkPolicy in namespace prod: not enforced" in caplog.text)
        server.answers[POLICIES] = policies("prod", "prod", "dev")
        await until(lambda: sum(facts.policies.values()) == 3)
        server.away = True
        await until(lambda: server.asked[-2:] and server.asked.count(RANGES) > 3)
        server.away = False
        count = server.asked.count(POLICIES)
        await until(lambda: server.asked.count(POLICIES) > count + 2)
        assert len(caplog.records) == 1, "more policies, or an unavailable server, are not logged"
        server.answers[POLICIES] = policies()
        await until(lambda: not facts.policies)
        server.answers[POLICIES] = policies("dev")
        await until(lambda: len(caplog.records) == 2)


def test_the_log_line() -> None:
    assert "3 NetworkPolicies in namespaces dev, prod: not enforced" in unenforced({"prod": 2, "dev": 1})
    many = unenforced({f"ns-{number}": 1 for number in range(12)})
    assert "ns-0" in many and " and 4 more: not enforced" in many


@pytest.mark.parametrize("refusal", [403, 404, 500])
async def test_objects_that_flanneld_may_not_read_are_skipped(refusal: int, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    async with asking(Server({}, refusal)) as facts:
        assert facts.services == () and not facts.policies and not caplog.records


@pytest.mark.parametrize(
    "garbage", [b"", b"{", b"[]", b'{"items": 7}', b'{"spec": {"clusterIPs": ["x", "10.96.0.1"]}}']
)
async def test_garbage_is_skipped(garbage: bytes) -> None:
    async with asking(Server(dict.fromkeys((POLICIES, RANGES, SERVICE), garbage))) as facts:
        assert not facts.policies and [str(net) for net in facts.services] in ([], ["10.96.0.1/32"])


async def test_services() -> None:
    ranges = {"items": [{"spec": {"cidrs": ["10.96.0.0/12", "fd00:96::/108"]}}]}
    service = {"spec": {"clusterIPs": ["10.96.0.1"]}}
    woken: list[str] = []
    async with asking(Server({RANGES: ranges, SERVICE: service}), changed=lambda: woken.append("x")) as facts:
        assert facts.services == (ipaddress.ip_network("10.96.0.0/12"), ipaddress.ip_network("fd00:96::/108"))
        await until(lambda: woken)
    async with asking(Server({SERVICE: service})) as facts:
        assert facts.services == (ipaddress.ip_network("10.96.0.1/32"),)
    async with asking(Server({}, 403), {"KUBERNETES_SERVICE_HOST": "10.43.0.1"}) as facts:
        assert facts.services == (ipaddress.ip_network("10.43.0.1/32"),), "in a pod no request is needed"
    async with asking(Server({}, 403), {"KUBERNETES_SERVICE_HOST": "api.example.com"}) as facts:
        assert facts.services == ()
