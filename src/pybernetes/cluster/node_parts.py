"""The parts of a node, each with what it needs around it: together in one agent, or each alone.

Clients and informers are run by the caller, so that parts which see the same objects can share them.
"""

import asyncio
import os
import random
from collections.abc import Sequence
from pathlib import Path

from pybernetes.api.core.node import Node
from pybernetes.api.core.service import Service
from pybernetes.api.discovery.endpoint_slice import EndpointSlice
from pybernetes.client.client import Client
from pybernetes.client.events import EventRecorder
from pybernetes.client.informer import Informers
from pybernetes.dns.forward import Forwarder, Upstream, read_resolv_conf
from pybernetes.dns.server import DnsOptions, DnsServer, follow
from pybernetes.dns.zone import Zone
from pybernetes.flannel.api_facts import ApiFacts
from pybernetes.flannel.daemon import Flanneld
from pybernetes.flannel.drift import KernelDrift
from pybernetes.flannel.kube.manager import KubeManager
from pybernetes.flannel.manager import SubnetManager
from pybernetes.flannel.options import FlannelOptions
from pybernetes.flannel.rules import configured
from pybernetes.kubelet.config import KubeletConfig
from pybernetes.kubelet.cri.runtime import CriRuntime
from pybernetes.kubelet.kubelet import Kubelet
from pybernetes.proxy.daemon import KubeProxy
from pybernetes.proxy.options import ProxyOptions


async def run_kubelet(config: KubeletConfig, client: Client, informers: Informers) -> None:
    """A kubelet on the runtime's CRI socket, until cancelled. Raises the kubelet's ConfigError."""
    recorder = EventRecorder(client, "kubelet", host=config.node_name)
    kubelet = Kubelet(config, client, informers, CriRuntime(config.runtime_endpoint), recorder)
    async with asyncio.TaskGroup() as group:
        group.create_task(recorder.run(), name="events")
        group.create_task(kubelet.run(), name="kubelet")


def make_proxy(options: ProxyOptions, informers: Informers) -> KubeProxy:
    """The Service proxy. Raises ProxyError."""
    return KubeProxy(options, informers.of(Service), informers.of(EndpointSlice))


def make_flannel(options: FlannelOptions, client: Client, informers: Informers) -> Flanneld:
    """flanneld with its leases in Nodes, on the process's network namespace."""
    manager = KubeManager(
        client,
        informers.of(Node),
        node_name=options.node_name,
        net_conf=options.net_conf,
        set_condition=options.set_condition,
    )
    return flannel_with(options, manager, ApiFacts(client, os.environ))


def flannel_with(options: FlannelOptions, manager: SubnetManager, facts: ApiFacts | None = None) -> Flanneld:
    """flanneld with its leases wherever the manager keeps them, on the process's network namespace."""
    return Flanneld(
        options,
        manager,
        rules=configured(masquerade=options.ip_masq, forward=options.forward_rules, random=options.random_ports),
        drift=KernelDrift(),
        facts=facts,
        rng=random.Random(),
    )


async def run_dns(options: DnsOptions, informers: Informers, upstreams: Path | Sequence[Upstream]) -> None:
    """A DNS server, until cancelled. It answers once it knows all Services; `upstreams` may be a resolv.conf."""
    zone = Zone(options.domain)
    services, slices = informers.of(Service), informers.of(EndpointSlice)
    follow(zone, services, slices)
    await services.synced()
    await slices.synced()
    forward = read_resolv_conf(upstreams) if isinstance(upstreams, Path) else upstreams
    server = DnsServer(options, zone, Forwarder(forward))
    await server.start()
    try:
        await asyncio.Event().wait()
    finally:
        await server.close()
