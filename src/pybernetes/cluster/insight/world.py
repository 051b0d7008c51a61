"""What `trace` needs beside the nodes: pods and Services from the API, and the pods' own namespaces."""

import asyncio
import ipaddress
import re
from dataclasses import replace

from pybernetes.api.core.pod import Pod
from pybernetes.api.core.service import Service
from pybernetes.api.discovery.endpoint_slice import EndpointSlice
from pybernetes.client.client import Client
from pybernetes.client.errors import NotFound
from pybernetes.cluster.errors import ConfigError
from pybernetes.cluster.insight import gather, observe
from pybernetes.cluster.insight.hops import PodFacts, ServiceFacts, Trace, World
from pybernetes.cluster.insight.reference import pod_reference
from pybernetes.cluster.insight.trace import Target, trace
from pybernetes.cluster.layout import Layout
from pybernetes.linux.errors import LinuxError

_SERVICE_NAME = "kubernetes.io/service-name"
_PORT = re.compile(r"(\d{1,5})(?:/(tcp|udp|sctp))?", re.IGNORECASE)
#: Into the namespaces of how many target pods is looked.
_LOOKED_INTO = 16


def parse_port(text: str) -> tuple[int, str]:
    """`53/udp` -> (53, udp); the protocol is empty if none is given. Raises ConfigError."""
    found = _PORT.fullmatch(text)
    if found is None or not 0 < int(found[1]) < 65536:
        raise ConfigError(f"--port {text!r} is not a port; write one such as 80 or 53/udp")
    return int(found[1]), (found[2] or "").lower()


def service_facts(services: list[Service], slices: list[EndpointSlice]) -> tuple[ServiceFacts, ...]:
    """Every port of every Service that has an address, with what its EndpointSlices say. Pure."""
    by_service: dict[tuple[str, str], list[EndpointSlice]] = {}
    for part in slices:
        key = part.metadata.namespace, part.metadata.labels.get(_SERVICE_NAME, "")
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


def resolve(text: str, port: tuple[int, str], namespace: str, pods: list[Pod], services: list[Service]) -> Target:
    """What TARGET means: an address, `pod/NAME`, `service/NAME`, NAME, `NAME.NAMESPACE[.svc...]`. Raises ConfigError.

    A bare name is a Service, and if there is none, a pod.
    """
    number, protocol = port
    try:
        ip = str(ipaddress.ip_address(text))
    except ValueError:
        ip = ""
    if ip:
        owner = next((s for s in services if ip in (s.spec.cluster_ips or [s.spec.cluster_ip])), None)
        return _of_service(owner, port) if owner is not None else Target(ip, ip, protocol or "tcp", number)
    kind, slash, name = text.partition("/")
    if not slash:
        kind, name = "", text
    if kind in ("", "service", "services", "svc"):
        labels = name.split(".")
        wanted = (labels[1] if len(labels) > 1 else namespace, labels[0])
        service = next((s for s in services if (s.metadata.namespace, s.metadata.name) == wanted), None)
        if service is not None:
            return _of_service(service, port)
    if kind in ("", "pod", "pods", "po"):
        pod = next((p for p in pods if (p.metadata.namespace, p.metadata.name) == (namespace, name)), None)
        if pod is not None:
            if not pod.status.pod_ip:
                raise ConfigError(f"pod {namespace}/{name} has no address yet (it is {pod.status.phase or 'new'})")
            return Target(pod.status.pod_ip, f"pod {namespace}/{name}", protocol or "tcp", number)
    raise ConfigError(
        f"{text!r} is no address, and namespace {namespace!r} has no Service or pod of that name; write an address, "
        "pod/NAME, service/NAME, or NAME.NAMESPACE for a Service elsewhere"
    )


def _of_service(service: Service, port: tuple[int, str]) -> Target:
    name = f"Service {service.metadata.namespace}/{service.metadata.name}"
    ip = service.spec.cluster_ip
    if not ip or ip == "None":
        raise ConfigError(f"{name} has no address of its own (it is headless, or an alias): trace to a pod instead")
    number, protocol = port
    chosen = next(
        (
            p
            for p in service.spec.ports
            if (not number or p.port == number) and (not protocol or (p.protocol or "TCP").lower() == protocol)
        ),
        None,
    )
    if chosen is not None:
        return Target(ip, name, (chosen.protocol or "TCP").lower(), chosen.port)
    return Target(ip, name, protocol or "tcp", number)


async def follow(layout: Layout, client: Client, pod: str, target: str, port: str, namespace: str) -> Trace:
    """Gather, and trace. Raises ConfigError."""
    wish = parse_port(port) if port else (0, "")
    namespace, name = pod_reference(pod, namespace)
    try:
        source = await client.of(Pod).get(name, namespace=namespace)
    except NotFound:
        raise ConfigError(f"there is no pod {namespace}/{name}") from None
    pods = (await client.of(Pod).list()).items
    services = (await client.of(Service).list()).items
    slices = (await client.of(EndpointSlice).list()).items
    aim = resolve(target, wish, namespace, pods, services)
    facts = await gather.cluster(layout, client)
    known = service_facts(services, slices)
    wanted = {source.status.pod_ip, aim.ip} | {e[0] for s in known if s.ip == aim.ip for e in s.endpoints}
    by_ip: dict[str, PodFacts] = {}
    for each in pods:
        ip = each.status.pod_ip
        if ip and not each.spec.host_network and each.status.phase not in ("Succeeded", "Failed"):
            found = pod_facts(each)
            if ip in wanted and len([p for p in by_ip.values() if p.kernel]) < _LOOKED_INTO:
                found = await asyncio.to_thread(_look_into, layout, found)
            by_ip[ip] = found
    world = World(facts, by_ip, known)
    return trace(world, by_ip.get(source.status.pod_ip, pod_facts(source)), aim)


def pod_facts(pod: Pod) -> PodFacts:
    """A pod as the API has it."""
    name = f"{pod.metadata.namespace}/{pod.metadata.name}"
    host = bool(pod.spec.host_network)
    return PodFacts(name, pod.status.pod_ip, pod.spec.node_name, host, pod.status.phase)


def _look_into(layout: Layout, pod: PodFacts) -> PodFacts:
    """With the pod's own namespace, if it still has one."""
    try:
        path = gather.pod_namespace(layout, pod.node, pod.ip)
        return replace(pod, kernel=observe.kernel(path)) if path else pod
    except LinuxError:
        return pod
