"""Nodes whose leases are Nodes of a real API server, reached over HTTPS by a connection that can be cut."""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from apiserver.certs import Pki
from client.conftest import endpoint
from pybernetes.api.core.node import Node, NodeSpec
from pybernetes.api.meta import ObjectMeta
from pybernetes.client.client import Client
from pybernetes.client.http import HttpTransport
from pybernetes.client.informer import Informer
from pybernetes.flannel.daemon import Flanneld
from pybernetes.flannel.interface import Selection
from pybernetes.flannel.kernel.drift import KernelDrift
from pybernetes.flannel.kernel.observed import Observed
from pybernetes.flannel.leases.kube.manager import KubeManager
from pybernetes.flannel.options import FlannelOptions
from pybernetes.flannel.rules import NftRules
from pybernetes.linux import netns
from pybernetes.linux.rtnl import Netlink

from .kinds import observe
from .test_daemon import prepare

NOTES = "flannel.alpha.coreos.com/"


def annotated_node(number: int, notes: Mapping[str, str] | None = None, cidr: str = "") -> Node:
    """A Node with the annotations that its flanneld would write; no flanneld runs."""
    announced = {"kube-subnet-manager": "true", "backend-type": "vxlan", "public-ip": f"192.0.2.{number}"}
    announced["backend-data"] = json.dumps({"VNI": 1, "VtepMAC": f"02:00:00:00:00:{number:02x}"})
    cidr = cidr or f"10.244.{number}.0/24"
    return Node(
        metadata=ObjectMeta(
            name=f"node-{number}",
            annotations={NOTES + key: value for key, value in (announced | dict(notes or {})).items()},
        ),
        spec=NodeSpec(pod_cidr=cidr, pod_cidrs=[cidr]),
    )


@dataclass
class KubeNode:
    """One node with its daemon; its Node and a namespace with 192.0.2.<number> exist."""

    number: int
    netns: str
    folder: Path
    transport: HttpTransport
    options: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        client = Client(self.transport)
        self.nodes = Informer(client.of(Node))
        options = FlannelOptions(
            node_name=f"node-{self.number}",
            net_conf=self.folder / "net-conf.json",
            subnet_file=self.folder / "run" / "subnet.env",
            selection=Selection(names=("eth0",)),
            netns=self.netns,
            linger_seconds=0.5,
        )
        self.configure("vxlan")
        manager = KubeManager(
            client, self.nodes, node_name=options.node_name, net_conf=options.net_conf, **self.options
        )
        rules = NftRules(masquerade=True, forward=True, netns=self.netns)
        drift, rng = KernelDrift(self.netns), random.Random(self.number)
        self.daemon = Flanneld(options, manager, rules=rules, drift=drift, rng=rng)

    def configure(self, backend: str) -> None:
        text = json.dumps({"Network": "10.244.0.0/16", "Backend": {"Type": backend}})
        fresh = self.folder / "next"
        fresh.write_text(text)
        fresh.rename(self.folder / "net-conf.json")

    @property
    def seen(self) -> Observed:
        with Netlink(self.netns) as nl:
            return observe(nl)

    def routes(self) -> dict[str, str]:
        return {r.dst: r.link for r in self.seen.routes}

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        tasks = [
            asyncio.create_task(self.nodes.run(), name=f"informer of node {self.number}"),
            asyncio.create_task(self.daemon.run(), name=f"flanneld of node {self.number}"),
        ]
        try:
            yield
            assert not any(task.done() for task in tasks), tasks
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await self.transport.close()


@asynccontextmanager
async def kube_node(
    folder: Path,
    tag: str,
    admin: Client,
    pki: Pki,
    port: int,
    *,
    silence: float = 150.0,
    backend_data: str = "",
    **options: Any,
) -> AsyncIterator[KubeNode]:
    """Node 1 with a running daemon. `backend_data`: what its Node has before it starts; `options` are the manager's."""
    try:
        prepare(f"{tag}-0", [f"{tag}-1"])
        notes = {f"{NOTES}backend-data": backend_data} if backend_data else {}
        await admin.of(Node).create(
            Node(metadata=ObjectMeta(name="node-1", annotations=notes), spec=annotated_node(1).spec)
        )
        transport = HttpTransport(endpoint(pki, port), silence=silence)
        node = KubeNode(1, f"{tag}-1", folder, transport, options)
        (folder / "run").mkdir(exist_ok=True)
        async with node.running():
            yield node
    finally:
        for number in (0, 1):
            if netns.exists(f"{tag}-{number}"):
                netns.delete(f"{tag}-{number}")
