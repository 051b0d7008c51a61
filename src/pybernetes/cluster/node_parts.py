"""Start the parts of a node with their dependencies: together in one agent, or each alone.

The caller runs clients and informers, so that several parts can share them.
"""

import asyncio
from collections.abc import Sequence
from pathlib import Path

from pybernetes.api.core.service import Service
from pybernetes.api.discovery.endpoint_slice import EndpointSlice
from pybernetes.client.client import Client
from pybernetes.client.events import EventRecorder
from pybernetes.client.informer import Informers
from pybernetes.dns.follow import follow
from pybernetes.dns.forward import Forwarder, Upstream, read_resolv_conf
from pybernetes.dns.server import DnsOptions, DnsServer
from pybernetes.dns.zone import Zone
from pybernetes.kubelet.config import KubeletConfig
from pybernetes.kubelet.cri.runtime import CriRuntime
from pybernetes.kubelet.real_node import real_kubelet
from pybernetes.proxy.daemon import KubeProxy
from pybernetes.proxy.options import ProxyOptions


async def run_kubelet(config: KubeletConfig, client: Client, informers: Informers) -> None:
    """Run a kubelet on the runtime's CRI socket until cancelled. Raises the kubelet's ConfigError."""
    recorder = EventRecorder(client, "kubelet", host=config.node_name)
    kubelet = real_kubelet(config, client, informers, CriRuntime(config.runtime_endpoint), recorder)
    async with asyncio.TaskGroup() as group:
        group.create_task(recorder.run(), name="events")
        group.create_task(kubelet.run(), name="kubelet")


def make_proxy(options: ProxyOptions, informers: Informers) -> KubeProxy:
    """Assemble the Service proxy. Raises ProxyError."""
    return KubeProxy(options, informers.of(Service), informers.of(EndpointSlice))


async def run_dns(options: DnsOptions, informers: Informers, upstreams: Path | Sequence[Upstream]) -> None:
    """Run a DNS server until cancelled. It starts once it knows all Services. `upstreams` may be a resolv.conf."""
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
