"""How long one changed Service takes to reach the kernel, with 10 and with 10,000 Services; beside iptables mode."""

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


def server(n: int, shift: int = 0) -> VirtualServer:
    """A Service with two endpoints."""
    ends = tuple(Endpoint(f"10.244.{n % 250}.{(i + shift) % 250 + 2}", 8080) for i in range(2))
    ip = f"10.{96 + n // 65536}.{n // 256 % 256}.{n % 256}"
    return VirtualServer("bench", f"s{n}", "http", "tcp", 80, ip, endpoints=ends, local_endpoints=())


async def measure(renderer: NftRenderer | IptablesRenderer, count: int, rounds: int) -> tuple[float, float]:
    """(first load, median of single updates), in milliseconds."""
    start = time.perf_counter()
    await renderer.apply([(None, server(n)) for n in range(count)])
    load = time.perf_counter() - start
    times = []
    for turn in range(rounds):
        start = time.perf_counter()
        await renderer.apply([(server(turn), server(turn, 7))])
        times.append(time.perf_counter() - start)
    return load * 1000, sorted(times)[len(times) // 2] * 1000


def _in_namespace(mode: str, count: int, rounds: int) -> tuple[float, float]:
    space = f"pbb-{os.getpid()}-{mode[:3]}{count}"
    netns.create(space)
    try:
        options = ProxyOptions(node_name="me", cluster_cidrs=CIDRS, netns=space)
        kind = NftRenderer if mode == "nftables" else IptablesRenderer
        return asyncio.run(measure(kind(options, 4), count, rounds))
    finally:
        netns.delete(space)


def run() -> list[dict[str, Any]]:
    """The figures."""
    rows = []
    for count in (10, 10_000):
        load, update = _in_namespace("nftables", count, 9)
        other = _in_namespace("iptables", count, 3)[1]
        rows.append(
            {
                "figure": f"Service update at {count:,} Services",
                "target": 50,
                "value": update,
                "unit": "ms",
                "alternative": "iptables mode",
                "alternative_value": other,
            }
        )
        rows.append({"figure": f"first load of {count:,} Services", "value": load, "unit": "ms"})
    return rows


if __name__ == "__main__":
    for row in run():
        print(row)
