"""How long one changed Service takes to reach the kernel, with 10 and with 10,000 Services, and in iptables mode.

iptables mode writes every rule at each change; it is measured at 2,000 Services, since 10,000 would take minutes.
"""

import asyncio
import os
import time
from typing import Any

from pybernetes.linux import netns
from pybernetes.proxy.iptables_renderer import IptablesRenderer
from pybernetes.proxy.model import Endpoint, VirtualServer
from pybernetes.proxy.nft_renderer import NftRenderer
from pybernetes.proxy.options import ProxyOptions

CIDRS = ("10.244.0.0/16",)
MANY, MANY_FOR_IPTABLES = 10_000, 2_000
PAUSE = 0.05
"""Seconds between two updates: the time that the proxy waits too, so that the CPU caches are as cold as in use."""


def server(n: int, shift: int = 0, count: int = 2) -> VirtualServer:
    """A Service with endpoints."""
    ends = tuple(Endpoint(f"10.244.{n % 250}.{(i + shift) % 250 + 2}", 8080) for i in range(count))
    ip = f"10.{96 + n // 65536}.{n // 256 % 256}.{n % 256}"
    return VirtualServer("bench", f"s{n}", "http", "tcp", 80, ip, endpoints=ends, local_endpoints=())


async def measure(renderer: NftRenderer | IptablesRenderer, count: int, rounds: int) -> tuple[float, float]:
    """(first load, median of single updates), in milliseconds."""
    start = time.perf_counter()
    await renderer.apply([(None, server(n)) for n in range(count)])
    load = time.perf_counter() - start
    times = []
    for turn in range(rounds):
        await asyncio.sleep(PAUSE)
        start = time.perf_counter()
        await renderer.apply([(server(turn), server(turn, 7))])
        times.append(time.perf_counter() - start)
    return load * 1000, sorted(times)[len(times) // 2] * 1000


def _in_namespace(mode: str, count: int, rounds: int) -> tuple[float, float]:
    space = f"pbb-{os.getpid()}-{mode[:3]}{count}"
    netns.create(space)
    options = ProxyOptions(node_name="me", cluster_cidrs=CIDRS, netns=space)
    renderer = NftRenderer(options, 4) if mode == "nftables" else IptablesRenderer(options, 4)
    try:
        return asyncio.run(measure(renderer, count, rounds))
    finally:
        renderer.close()
        netns.delete(space)


def run() -> list[dict[str, Any]]:
    """The figures."""
    rows = []
    for count, other_count in ((10, 10), (MANY, MANY_FOR_IPTABLES)):
        load, update = _in_namespace("nftables", count, 15)
        other = _in_namespace("iptables", other_count, 3)[1]
        rows.append(
            {
                "figure": f"Service update at {count:,} Services",
                "target": 50,
                "value": update,
                "unit": "ms",
                "alternative": "iptables mode" if other_count == count else f"iptables mode at {other_count:,}",
                "alternative_value": other,
            }
        )
        rows.append({"figure": f"first load of {count:,} Services", "value": load, "unit": "ms"})
    return rows


if __name__ == "__main__":
    for row in run():
        print(row)
