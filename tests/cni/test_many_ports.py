"""Pods with a host port and masquerading are attached and detached, sixteen at a time, and some plugins are killed:
no rules are left."""

from __future__ import annotations

import random
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from cni.cni_world import World
from pybernetes.linux import link, netns
from pybernetes.linux.rtnl import Netlink

pytestmark = [pytest.mark.kernel, pytest.mark.slow]

PODS, AT_A_TIME = 96, 16
SECONDS = 60.0
"""No further pods after that, on a machine that is busy with other things."""


class Ports:
    """The chain of flannel and portmap, with one backend for all rules."""

    def __init__(self, world: World, backend: str) -> None:
        self.world = world
        self.flannel = world.flannel("1.1.0", ipMasq=True, ipMasqBackend=backend)
        self.backend = backend
        self.done = self.killed = 0
        self.left: list[str] = []

    def portmap(self, number: int, result: dict[str, Any] | None = None) -> dict[str, Any]:
        port = {"hostPort": 20_000 + number, "containerPort": 80, "protocol": "tcp"}
        config = {"cniVersion": "1.1.0", "name": "cbr0", "type": "portmap", "backend": self.backend}
        return {**config, "runtimeConfig": {"portMappings": [port]}, **({"prevResult": result} if result else {})}

    def one(self, number: int, deadline: float) -> None:
        """Attach a pod; sometimes kill the plugin; detach it, unless GC should find it."""
        if time.monotonic() > deadline:
            return
        rng = random.Random(number)
        pod = f"m{number}"
        self.world.make(pod)
        result = self.world.call("flannel", "ADD", self.flannel, pod)
        if rng.random() < 0.3:
            self.kill("portmap", "ADD", self.portmap(number, result), pod, rng.uniform(0.01, 0.1))
        self.world.call("portmap", "ADD", self.portmap(number, result), pod)
        self.done += 1
        if rng.random() < 0.2:
            self.left.append(pod)
        elif rng.random() < 0.3:
            self.kill("portmap", "DEL", self.portmap(number), pod, rng.uniform(0.01, 0.1))
            self.kill("flannel", "DEL", self.flannel, pod, rng.uniform(0.01, 0.1))
        if pod not in self.left:
            self.world.call("portmap", "DEL", self.portmap(number), pod)
            self.world.call("flannel", "DEL", self.flannel, pod)
        netns.delete(f"{self.world.prefix}-{pod}")

    def kill(self, plugin: str, command: str, config: dict[str, Any], pod: str, after: float) -> None:
        process = self.world.start(plugin, command, config, pod)
        try:
            process.wait(after)
        except subprocess.TimeoutExpired:
            process.kill()
            self.killed += 1
        process.communicate()

    def rules(self) -> list[str]:
        """Everything that names a pod or an attachment, in either backend."""
        text = "".join(
            self.world.run("node", *command)
            for command in (["nft", "list", "ruleset"], ["iptables-save"], ["ip6tables-save"])
        )
        marks = ("172.20.1.", "CNI-DN-", "dport 20", "m-", 'id: "')
        return [
            line.strip()
            for line in text.splitlines()
            if any(mark in line for mark in marks) and 'comment "CNI portfwd' not in line
        ]


@pytest.mark.parametrize("backend", ["nftables", "iptables"])
def test_no_rules_are_left(world: World, backend: str) -> None:
    ports = Ports(world, backend)
    deadline = time.monotonic() + SECONDS
    with ThreadPoolExecutor(AT_A_TIME) as pool:
        list(pool.map(lambda number: ports.one(number, deadline), range(PODS)))
    assert ports.done >= PODS // 8 and ports.killed, "too slow a machine to say anything"
    assert ports.left and ports.rules(), "some are left to GC"
    for plugin, config in (("portmap", ports.portmap(0)), ("flannel", ports.flannel)):
        world.call(plugin, "GC", {**config, "cni.dev/valid-attachments": []}, "x")
    assert ports.rules() == []
    shared = [line for line in world.run("node", "iptables-save").splitlines() if line.startswith("-A ")]
    assert len(shared) == len(set(shared)), "what all share is there once"
    assert world.addresses == set()
    with Netlink(world.node) as node:
        assert {found.name for found in link.links(node)} == {"lo", "cni0"}
