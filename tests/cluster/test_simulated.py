"""Simulated nodes: their names and addresses, and how their requests are sent."""

import asyncio
from collections.abc import AsyncGenerator
from ipaddress import ip_network

import pytest

from pybernetes.client.transport import Request, Response
from pybernetes.cluster.errors import ConfigError
from pybernetes.cluster.layout import Layout
from pybernetes.cluster.simulated_nodes import LIMIT, NODE_RANGE, POD_RANGE, simulated_nodes
from pybernetes.cluster.simulated_transport import NodeTransport


def test_each_node_has_its_own_name_address_and_range() -> None:
    nodes = simulated_nodes(1000)
    assert [node.name for node in nodes[:2]] == ["simulated-1", "simulated-2"]
    assert nodes[0].pod_cidr == "10.128.0.0/24"
    for values in ({n.name for n in nodes}, {n.address for n in nodes}, {n.pod_cidr for n in nodes}):
        assert len(values) == 1000
    assert all(ip_network(node.pod_cidr).subnet_of(POD_RANGE) for node in nodes)  # type: ignore[arg-type]


def test_the_last_node_is_inside_the_ranges() -> None:
    last = simulated_nodes(LIMIT)[-1]
    assert ip_network(last.pod_cidr).broadcast_address == POD_RANGE.broadcast_address
    assert ip_network(f"{last.address}/32").subnet_of(NODE_RANGE)  # type: ignore[arg-type]


def test_simulated_ranges_do_not_overlap_those_of_real_pods() -> None:
    real = ip_network(str(Layout.__dataclass_fields__["pod_cidr"].default))
    assert not any(real.overlaps(network) for network in (NODE_RANGE, POD_RANGE))  # type: ignore[arg-type]


@pytest.mark.parametrize("count", [-1, LIMIT + 1])
def test_invalid_counts_are_refused(count: int) -> None:
    with pytest.raises(ConfigError, match="--simulated-nodes"):
        simulated_nodes(count)


class _Slow:
    """Counts concurrent requests."""

    def __init__(self) -> None:
        self.seen: list[Request] = []
        self.now = self.most = 0

    async def request(self, request: Request) -> Response:
        self.seen.append(request)
        self.now += 1
        self.most = max(self.most, self.now)
        await asyncio.sleep(0)
        self.now -= 1
        return Response(200, {}, b"{}")

    async def stream(self, request: Request) -> AsyncGenerator[list[bytes], None]:
        self.seen.append(request)
        yield [b"{}"]

    async def close(self) -> None:
        raise AssertionError("the inner transport belongs to its owner")


async def test_requests_impersonate_the_node_with_limited_concurrency() -> None:
    inner, slots = _Slow(), asyncio.Semaphore(3)
    nodes = [NodeTransport(inner, f"n{i}", slots) for i in range(10)]
    request = Request(method="GET", path="/version", headers={"accept": "application/json"})
    await asyncio.gather(*(node.request(request) for node in nodes))
    assert inner.most == 3
    assert [r.headers["impersonate-user"] for r in inner.seen] == [f"system:node:n{i}" for i in range(10)]
    assert all(r.headers["impersonate-group"] == "system:nodes" for r in inner.seen)
    assert all(r.headers["accept"] == "application/json" for r in inner.seen)
    assert [lines async for lines in nodes[0].stream(request)] == [[b"{}"]]
    assert inner.seen[-1].headers["impersonate-user"] == "system:node:n0"
    await nodes[0].close()
