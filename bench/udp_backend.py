"""The udp backend: throughput, packets per second and delay, beside a VXLAN made by hand in the same run.

Each node's proxy is a process of its own, as in reality, so two proxies, iperf3's two ends and the kernel share the
machine's cores.

Where the limit is, by profile (cProfile) of both proxies under one TCP stream: the kernel takes and gives up to 64 KiB
at a time on both sides (TUN offloads; UDP_SEGMENT and UDP_GRO at the socket), so Python runs once per 44 packets.
About a third of a proxy's time is in system calls, which copy each byte twice (TUN and socket); a third in NumPy, which
copies payloads between rows and sums them, since each TCP checksum has to be computed or verified; a third in the
interpreter between these, all in all about 0.1 ms per burst and side. Datagrams that the kernel does not join, such as
small UDP packets from pods, cost one read and one write of the TUN device each, which knows no call for several, and
the interpreter's way around them: that, some 15 µs, bounds packets per second. A ping wakes four threads.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import Any

from bench.vxlan import by_hand, hosts, ip, iperf
from pybernetes.flannel.udp.proxy import ProxyConfig, UdpProxy
from pybernetes.linux import netns

ROOT = Path(__file__).resolve().parent.parent
ROUNDS = 3
TARGETS = {"ours": "10.244.2.0", "hand": "10.200.2.0"}


def serve(name: str, number: int) -> None:
    """A proxy of node 1 or 2, until its input ends."""
    proxy = UdpProxy(ProxyConfig("flannel0", f"198.18.0.{number}", 8285, 1472, "10.244.0.0/16", name))
    proxy.start()
    other = 3 - number
    proxy.set_routes({f"10.244.{other}.0/24": (f"198.18.0.{other}", 8285)})
    print("ready", flush=True)
    sys.stdin.read()
    proxy.stop()


@contextmanager
def proxies(names: tuple[str, str]) -> Iterator[None]:
    """Both nodes' proxies, with what the backend puts into the kernel."""
    running = []
    try:
        for number, name in enumerate(names, 1):
            command = [sys.executable, "-m", "bench.udp_backend", name, str(number)]
            process = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
            running.append(process)
            if not process.stdout or not process.stdout.readline():
                raise RuntimeError("the proxy did not start")
            ip(name, "ip", "link", "set", "flannel0", "mtu", "1472", "up")
            ip(name, "ip", "addr", "add", f"10.244.{number}.0/32", "dev", "flannel0")
            ip(name, "ip", "route", "add", "10.244.0.0/16", "dev", "flannel0")
        yield
    finally:
        for process in running:
            if process.stdin:
                process.stdin.close()
            process.wait()


def packet_rate(client: str, target: str) -> float:
    """Small UDP packets that arrive, per second, when more are sent than can."""
    command = ["iperf3", "-c", target, "-u", "-b", "200M", "-l", "64", "-t", "1", "-J"]
    done = subprocess.run(netns.argv_in(client, command), check=True, capture_output=True, timeout=30)
    total = json.loads(done.stdout)["end"]["sum"]
    return float(total["packets"] - total["lost_packets"]) / float(total["seconds"])


def round_trip(client: str, target: str) -> float:
    """Milliseconds, of the median ping."""
    command = ["ping", "-i", "0.005", "-c", "100", "-q", target]
    done = subprocess.run(netns.argv_in(client, command), check=True, capture_output=True, text=True, timeout=30)
    return float(done.stdout.rpartition(" = ")[2].split("/")[1])


def measure() -> dict[str, dict[str, float]]:
    """{figure: {ours, hand}}"""
    with hosts() as names, proxies(names):
        a, b = names
        by_hand(a, 1, 2)
        by_hand(b, 2, 1)
        server = subprocess.Popen(netns.argv_in(b, ["iperf3", "-s", "-p", "5201"]), stdout=subprocess.DEVNULL)
        found: dict[str, dict[str, list[float]]] = {
            figure: {kind: [] for kind in TARGETS} for figure in ("tcp", "packets", "delay")
        }
        try:
            time.sleep(0.3)
            for _ in range(ROUNDS):
                for kind, target in TARGETS.items():
                    found["tcp"][kind].append(iperf(a, target, 5201))
                    found["packets"][kind].append(packet_rate(a, target))
                    found["delay"][kind].append(round_trip(a, target))
        finally:
            server.kill()
            server.wait()
    return {figure: {kind: median(values) for kind, values in kinds.items()} for figure, kinds in found.items()}


def run() -> list[dict[str, Any]]:
    """The figures."""
    found = measure()
    rows = (("TCP over the udp backend", "tcp", "Gbit/s"), ("64-byte packets over the udp backend", "packets", "/s"),
            ("ping over the udp backend", "delay", "ms"))  # fmt: skip
    return [
        {"figure": name, "value": found[key]["ours"], "unit": unit, "alternative": "VXLAN by hand",
         "alternative_value": found[key]["hand"]}
        for name, key, unit in rows
    ]  # fmt: skip


if __name__ == "__main__":
    if len(sys.argv) == 3:
        serve(sys.argv[1], int(sys.argv[2]))
    else:
        print(*run(), sep="\n")
