"""The pod network: throughput over our VXLAN beside one made by hand, and how fast 1,000 leases reach the kernel."""

from __future__ import annotations

import ipaddress
import json
import os
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from statistics import median
from typing import Any

from pybernetes.flannel.backends import BACKENDS
from pybernetes.flannel.config import NetworkConfig, parse
from pybernetes.flannel.kernel import reconcile
from pybernetes.flannel.lease import FamilyLease, Lease, Underlay
from pybernetes.flannel.network import Memo, Node, desired_state
from pybernetes.linux import addr, link, netns
from pybernetes.linux.rtnl import Netlink

NONE: frozenset[str] = frozenset()
CONFIG: NetworkConfig = parse('{"Network":"10.244.0.0/13","Backend":{"Type":"vxlan"}}', frozenset(BACKENDS))
ROUNDS = 7
SECONDS = 1
LEASES = 1000


def lease(number: int) -> Lease:
    """The lease of node `number`, counted from 1."""
    subnet = ipaddress.ip_network((int(ipaddress.ip_address("10.244.0.0")) + number * 256, 24))
    public = ipaddress.ip_address(int(ipaddress.ip_address("198.18.0.0")) + number)
    mac = f"02:00:00:00:{number // 256:02x}:{number % 256:02x}"
    return Lease(f"node-{number}", "vxlan", (FamilyLease(subnet, public, {"VNI": 1, "VtepMAC": mac}),))


@contextmanager
def hosts() -> Iterator[tuple[str, str]]:
    """Two namespaces joined by a veth pair, each with an address of the underlay."""
    names = [f"pbb-{os.getpid()}-{number}" for number in (1, 2)]
    for name in names:
        netns.create(name)
    peer = netns.open_fd(names[1])
    try:
        with Netlink(names[0]) as nl:
            link.add_veth(nl, "eth0", "eth0", peer_netns=peer)
        for number, name in enumerate(names, 1):
            with Netlink(name) as nl:
                link.set_up(nl, "lo")
                link.set_up(nl, "eth0")
                addr.add(nl, link.link(nl, "eth0").index, f"198.18.0.{number}/15")
        yield names[0], names[1]
    finally:
        os.close(peer)
        for name in names:
            netns.delete(name)


def node(name: str, number: int) -> Node:
    with Netlink(name) as nl:
        eth0 = link.link(nl, "eth0")
    return Node(
        lease(number), Underlay("eth0", eth0.index, eth0.mtu, (ipaddress.ip_interface(f"198.18.0.{number}/15"),))
    )


def apply(name: str, number: int, peers: list[Lease], memo: Memo | None = None) -> tuple[float, int]:
    """(seconds, changes) of a whole pass: the desired state from the leases, the kernel read, compared, changed."""
    me = node(name, number)
    start = time.perf_counter()
    with Netlink(name) as nl:
        outcome = reconcile(nl, desired_state(CONFIG, me, peers, linger=NONE, memo=memo))
    if outcome.errors:
        raise RuntimeError("; ".join(outcome.errors[:3]))
    return time.perf_counter() - start, len(outcome.done)


def ip(name: str, *words: str) -> None:
    subprocess.run(netns.argv_in(name, words), check=True, capture_output=True)


def by_hand(name: str, number: int, other: int) -> None:
    """A second tunnel with the same properties, as one would type it."""
    mac, far = (f"02:00:00:00:01:{n:02x}" for n in (number, other))
    ip(name, "ip", "link", "add", "hand", "address", mac, "mtu", "1450", "type", "vxlan", "id", "2", "dstport", "8473",
       "local", f"198.18.0.{number}", "dev", "eth0", "nolearning")  # fmt: skip
    ip(name, "ip", "link", "set", "hand", "up")
    ip(name, "ip", "addr", "add", f"10.200.{number}.0/32", "dev", "hand")
    ip(name, "ip", "route", "add", f"10.200.{other}.0/24", "via", f"10.200.{other}.0", "dev", "hand", "onlink")
    ip(name, "ip", "neigh", "add", f"10.200.{other}.0", "lladdr", far, "dev", "hand", "nud", "permanent")
    ip(name, "bridge", "fdb", "add", far, "dev", "hand", "dst", f"198.18.0.{other}", "self", "permanent")


def iperf(client: str, target: str, port: int) -> float:
    """Gbit/s of one TCP connection."""
    command = ["iperf3", "-c", target, "-p", str(port), "-t", str(SECONDS), "-J"]
    done = subprocess.run(netns.argv_in(client, command), check=True, capture_output=True, timeout=30)
    return float(json.loads(done.stdout)["end"]["sum_received"]["bits_per_second"]) / 1e9


def throughput() -> tuple[float, float, float]:
    """(ours, by hand, their ratio): medians over pairs of runs, whose order alternates.

    The ratio is that of the runs of a pair, so that what else the machine does in the meantime counts for both.
    """
    with hosts() as (a, b):
        apply(a, 1, [lease(2)])
        apply(b, 2, [lease(1)])
        by_hand(a, 1, 2)
        by_hand(b, 2, 1)
        server = subprocess.Popen(netns.argv_in(b, ["iperf3", "-s", "-p", "5201"]), stdout=subprocess.DEVNULL)
        try:
            targets = {"ours": "10.244.2.0", "hand": "10.200.2.0"}
            found: dict[str, list[float]] = {"ours": [], "hand": []}
            time.sleep(0.3)
            iperf(a, targets["ours"], 5201)  # the first run of all is slower, whoever has it
            for turn in range(ROUNDS):
                for kind in sorted(targets, reverse=bool(turn % 2)):
                    found[kind].append(iperf(a, targets[kind], 5201))
        finally:
            server.kill()
            server.wait()
    ratios = [ours / hand for ours, hand in zip(found["ours"], found["hand"], strict=True)]
    return median(found["ours"]), median(found["hand"]), median(ratios)


def programming() -> dict[str, float]:
    """Seconds of passes at 1,000 leases."""
    with hosts() as (a, _):
        memo = Memo()
        apply(a, 1, [], memo)
        peers = [lease(number) for number in range(2, LEASES + 2)]
        first, changes = apply(a, 1, peers, memo)
        if changes != 3 * LEASES:
            raise RuntimeError(f"{changes} changes, expected {3 * LEASES}")
        singles = []
        for number in range(5):
            old = peers[number]
            part = replace(old.families[0], data={"VNI": 1, "VtepMAC": f"02:00:00:01:00:{number:02x}"})
            peers[number] = replace(old, families=(part,))
            singles.append(apply(a, 1, peers, memo)[0])
        idle = median(apply(a, 1, peers, memo)[0] for _ in range(5))
    return {"first": first, "single": median(singles), "idle": idle}


def run() -> list[dict[str, Any]]:
    """The figures."""
    ours, hand, ratio = throughput()
    passes = programming()
    return [
        {"figure": "TCP over our VXLAN, share of one made by hand", "target": 0.98, "value": ratio, "unit": "",
         "alternative": "by hand", "alternative_value": 1.0},
        {"figure": "TCP over our VXLAN", "value": ours, "unit": "Gbit/s", "alternative": "by hand",
         "alternative_value": hand},
        {"figure": f"{LEASES:,} new leases programmed", "target": 1000, "value": passes["first"] * 1000, "unit": "ms"},
        {"figure": f"one lease changed among {LEASES:,}", "target": 20, "value": passes["single"] * 1000, "unit": "ms"},
        {"figure": f"a pass that finds {LEASES:,} leases in place", "value": passes["idle"] * 1000, "unit": "ms"},
    ]  # fmt: skip


if __name__ == "__main__":
    print(*run(), sep="\n")
