"""Hundreds of pods are attached and detached, sixteen at a time, and some plugins are killed: no address is
allocated twice, and none leaks.
"""

from __future__ import annotations

import json
import random
import subprocess
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import pytest

from cni.cni_world import World
from pybernetes.linux import link, netns
from pybernetes.linux.rtnl import Netlink

pytestmark = [pytest.mark.kernel, pytest.mark.slow]

PODS, AT_A_TIME = 500, 16
SECONDS = 40.0
"""No further pods after that, on a machine that is busy with other things."""
KEPT = 60
"""This many pods stay attached while others come and go; the subnet has 253 addresses."""


@dataclass
class Crowd:
    """The owner of each address, according to the results of ADD."""

    world: World
    lock: threading.Lock = field(default_factory=threading.Lock)
    owners: dict[str, str] = field(default_factory=dict)
    attached: list[str] = field(default_factory=list)
    done: int = 0
    killed: int = 0
    left_to_gc: int = 0

    def one(self, number: int, deadline: float) -> None:
        """Attach a pod, and detach an older one."""
        if time.monotonic() > deadline:
            return
        rng = random.Random(number)
        pod = f"p{number}"
        self.world.make(pod)
        if rng.random() < 0.25:
            self.kill("ADD", pod, rng.uniform(0.005, 0.15))
            if rng.random() < 0.3:
                # Its sandbox is gone, and there will be no DEL.
                netns.delete(f"{self.world.prefix}-{pod}")
                with self.lock:
                    self.left_to_gc += 1
                return
            self.world.call("flannel", "DEL", self.world.flannel(), pod)
        self.attach(pod)
        with self.lock:
            oldest = self.attached.pop(0) if len(self.attached) > KEPT else ""
        if oldest:
            self.detach(oldest, rng)
        with self.lock:
            self.done += 1

    def attach(self, pod: str) -> None:
        result = self.world.call("flannel", "ADD", self.world.flannel(), pod)
        ip = result["ips"][0]["address"].partition("/")[0]
        with self.lock:
            assert ip not in self.owners, f"{ip} is {self.owners[ip]}'s, and {pod} got it too"
            self.owners[ip] = pod
            self.attached.append(pod)

    def detach(self, pod: str, rng: random.Random) -> None:
        with self.lock:
            # Before DEL: afterwards another pod may get the address.
            self.owners = {ip: owner for ip, owner in self.owners.items() if owner != pod}
        if rng.random() < 0.15:
            self.kill("DEL", pod, rng.uniform(0.005, 0.08))
        self.world.call("flannel", "DEL", self.world.flannel(), pod)
        netns.delete(f"{self.world.prefix}-{pod}")

    def kill(self, command: str, pod: str, after: float) -> None:
        process = self.world.start("flannel", command, self.world.flannel(), pod)
        try:
            process.wait(after)
        except subprocess.TimeoutExpired:
            process.kill()
            with self.lock:
                self.killed += 1
        process.communicate()


def test_many_pods_with_kills(world: World) -> None:
    crowd = Crowd(world)
    deadline = time.monotonic() + SECONDS
    with ThreadPoolExecutor(AT_A_TIME) as pool:
        list(pool.map(lambda number: crowd.one(number, deadline), range(PODS)))
    assert crowd.done >= PODS // 4 and crowd.killed >= 10, "too slow a machine to say anything"
    assert len(crowd.owners) == len(crowd.attached) > KEPT // 2
    assert set(crowd.owners) <= world.addresses, "what a pod has is on record"

    valid = [{"containerID": pod, "ifname": "eth0"} for pod in crowd.attached]
    world.call("flannel", "GC", {**world.flannel("1.1.0"), "cni.dev/valid-attachments": valid}, "x")
    assert world.addresses == set(crowd.owners), "and nothing else, once GC has been"

    rng = random.Random(0)
    with ThreadPoolExecutor(AT_A_TIME) as pool:
        list(pool.map(lambda pod: crowd.detach(pod, rng), crowd.attached))
    assert world.addresses == set() and crowd.owners == {}
    notes = world.root / "flannel"
    assert [path.name for path in notes.iterdir() if not path.name.startswith(".")] == []
    with Netlink(world.node) as node:
        assert {found.name for found in link.links(node)} == {"lo", "cni0"}
    print(json.dumps({"pods": crowd.done, "killed": crowd.killed, "left to GC": crowd.left_to_gc}))
