"""Run `trace`: read pods and Services from the API, the nodes' facts and the pods' network namespaces."""

import asyncio
from dataclasses import replace

from pybernetes.api.core.pod import Pod
from pybernetes.api.core.service import Service
from pybernetes.api.discovery.endpoint_slice import EndpointSlice
from pybernetes.api.wellknown import LABEL_SERVICE_NAME
from pybernetes.client.client import Client
from pybernetes.client.errors import NotFound
from pybernetes.cluster.errors import ConfigError
from pybernetes.cluster.layout import Layout
from pybernetes.insight import gather, observe
from pybernetes.insight.facts import PodFacts, ServiceFacts, TraceFacts
from pybernetes.insight.hop import Trace
from pybernetes.insight.pod_reference import pod_reference
from pybernetes.insight.trace import trace
from pybernetes.insight.trace_target import parse_port, resolve
from pybernetes.linux.errors import LinuxError

#: Read the network namespaces of at most this many pods.
_MAX_INSPECTED = 16


def service_facts(services: list[Service], slices: list[EndpointSlice]) -> tuple[ServiceFacts, ...]:
    """Every port of every Service that has an address, with the endpoints of its EndpointSlices. Pure."""
    by_service: dict[tuple[str, str], list[EndpointSlice]] = {}
    for part in slices:
        key = part.metadata.namespace, part.metadata.labels.get(LABEL_SERVICE_NAME, "")
        by_service.setdefault(key, []).append(part)
    found = []
    for service in services:
        meta = service.metadata
        parts = by_service.get((meta.namespace, meta.name), [])
        for ip in service.spec.cluster_ips or [service.spec.cluster_ip]:
            if not ip or ip == "None":
                continue
            family = "IPv6" if ":" in ip else "IPv4"
            for port in service.spec.ports:
                endpoints, unready = _endpoints([p for p in parts if p.address_type == family], port.name)
                found.append(
                    ServiceFacts(
                        f"{meta.namespace}/{meta.name}",
                        ip,
                        (port.protocol or "TCP").lower(),
                        port.port,
                        port.name,
                        tuple(endpoints),
                        unready,
                    )
                )
    return tuple(found)


def _endpoints(parts: list[EndpointSlice], port_name: str) -> tuple[list[tuple[str, int, str]], int]:
    found, unready = [], 0
    for part in parts:
        number = next((p.port for p in part.ports if (p.name or "") == port_name), None)
        for endpoint in part.endpoints:
            if endpoint.conditions.ready is False and not endpoint.conditions.serving:
                unready += 1
            elif number and endpoint.addresses:
                found.append((endpoint.addresses[0], number, f"EndpointSlice {part.metadata.name}"))
    return found, unready


async def run(layout: Layout, client: Client, pod: str, target: str, port: str, namespace: str) -> Trace:
    """Read the facts and trace the packet. Raises ConfigError."""
    wanted_port = parse_port(port) if port else (0, "")
    namespace, name = pod_reference(pod, namespace)
    try:
        source = await client.of(Pod).get(name, namespace=namespace)
    except NotFound:
        raise ConfigError(f"there is no pod {namespace}/{name}") from None
    pods = (await client.of(Pod).list()).items
    services = (await client.of(Service).list()).items
    slices = (await client.of(EndpointSlice).list()).items
    resolved = resolve(target, wanted_port, namespace, pods, services)
    cluster = await gather.cluster(layout, client)
    known = service_facts(services, slices)
    targets = {resolved.ip} | {e[0] for s in known if s.ip == resolved.ip for e in s.endpoints}
    by_ip = await _pods(layout, pods, {source.status.pod_ip} | targets)
    start = by_ip.get(source.status.pod_ip, pod_facts(source))
    return trace(TraceFacts(cluster, by_ip, known), start, resolved)


async def _pods(layout: Layout, pods: list[Pod], inspected: set[str]) -> dict[str, PodFacts]:
    """Running pods by address. The network namespaces of `inspected` addresses are read, too, up to a limit."""
    by_ip: dict[str, PodFacts] = {}
    for pod in pods:
        ip = pod.status.pod_ip
        if ip and not pod.spec.host_network and pod.status.phase not in ("Succeeded", "Failed"):
            found = pod_facts(pod)
            if ip in inspected and sum(p.kernel is not None for p in by_ip.values()) < _MAX_INSPECTED:
                found = await asyncio.to_thread(_inspect, layout, found)
            by_ip[ip] = found
    return by_ip


def pod_facts(pod: Pod) -> PodFacts:
    """A pod from the API, without its network namespace."""
    name = f"{pod.metadata.namespace}/{pod.metadata.name}"
    host = bool(pod.spec.host_network)
    return PodFacts(name, pod.status.pod_ip, pod.spec.node_name, host, pod.status.phase)


def _inspect(layout: Layout, pod: PodFacts) -> PodFacts:
    """Add what its network namespace holds, if it still exists."""
    try:
        path = gather.pod_namespace(layout, pod.node, pod.ip)
        return replace(pod, kernel=observe.kernel(path)) if path else pod
    except LinuxError:
        return pod
