"""Hundreds of nodes and thousands of pods at once, through a real API server, without blocking the event loop."""

import asyncio
import time

import pytest

from pybernetes.api.core.node import Node
from pybernetes.api.core.pod import Pod
from pybernetes.client.client import Client
from support.profiles import sized

from .conftest import Running
from .make import node, pod
from .test_scheduler import put_node

NODES, PODS = sized(300, 1000), sized(1500, 5000)


@pytest.mark.slow
async def test_a_burst_of_pods_on_a_large_cluster(client: Client, running: Running) -> None:
    await asyncio.gather(*(put_node(client, node(f"node-{n}", zone=f"z{n % 3}")) for n in range(NODES)))
    await running.until(lambda: len(running.scheduler.snapshot.nodes) == NODES, 60)
    await running.until(lambda: not running.scheduler.snapshot.nodes.taint_codes.any(), 60)
    created = await asyncio.gather(*(client.of(Pod).create(pod(f"p{n}", cpu="100m")) for n in range(PODS)))
    started = time.monotonic()
    cache = running.informers.of(Pod).cache
    cache.add_index("node", lambda p: [p.spec.node_name])
    await running.until(lambda: cache.count("node", "") == 0 and len(cache) == PODS, 60)
    print(f"\n{PODS} pods bound {time.monotonic() - started:.2f} s after the last was created")
    snapshot = running.scheduler.snapshot
    assert int(snapshot.pod_count.sum()) == len(created) == PODS
    assert int(snapshot.pod_count.max()) <= 8
    await running.until(lambda: not any(placed.assumed for placed in snapshot.placed.values()))
    assert len(running.informers.of(Node).cache) == NODES
