"""Services and EndpointSlices as seen by one node: virtual servers with their endpoints. Pure.

Source: the Kubernetes documentation of Services, KEP-2086 (internalTrafficPolicy), KEP-1669 (terminating endpoints).
"""

import ipaddress
from collections.abc import Iterable
from dataclasses import dataclass, field

from pybernetes.api.core.service import Service, ServicePort
from pybernetes.api.discovery.endpoint_slice import Endpoint as SliceEndpoint
from pybernetes.api.discovery.endpoint_slice import EndpointSlice
from pybernetes.api.wellknown import LABEL_HEADLESS
from pybernetes.linux import ipmsg

SERVICE_PROXY_NAME = "service.kubernetes.io/service-proxy-name"
DEFAULT_AFFINITY_SECONDS = 10800


@dataclass(frozen=True, slots=True, order=True)
class Endpoint:
    """A destination of connections."""

    ip: str
    port: int
    local: bool = False
    """Whether the endpoint is on this node."""


@dataclass(frozen=True, slots=True)
class VirtualServer:
    """One port of one Service, in one address family."""

    namespace: str
    name: str
    port_name: str
    protocol: str
    """`tcp`, `udp` or `sctp`"""
    port: int
    cluster_ip: str
    external_ips: tuple[str, ...] = ()
    """spec.externalIPs, and the addresses of the load balancer"""
    node_port: int = 0
    endpoints: tuple[Endpoint, ...] = ()
    """Endpoints on all nodes; used with a traffic policy of Cluster."""
    local_endpoints: tuple[Endpoint, ...] = ()
    """Endpoints on this node; used with a traffic policy of Local."""
    internal_local: bool = False
    external_local: bool = False
    affinity_seconds: int = 0
    source_ranges: tuple[str, ...] = ()
    reason: str = field(default="", compare=False)

    @property
    def key(self) -> str:
        """`prod/web/tcp/http`: unique in a cluster."""
        return f"{self.namespace}/{self.name}/{self.protocol}/{self.port_name}"

    @property
    def internal_endpoints(self) -> tuple[Endpoint, ...]:
        """The endpoints for connections to the cluster IP."""
        return self.local_endpoints if self.internal_local else self.endpoints

    @property
    def external_endpoints(self) -> tuple[Endpoint, ...]:
        """The endpoints for connections to node ports and external IPs."""
        return self.local_endpoints if self.external_local else self.endpoints


def virtual_servers(service: Service, slices: Iterable[EndpointSlice], node: str, version: int) -> list[VirtualServer]:
    """The virtual servers of a Service in one family (4 or 6). Empty for headless Services and ExternalName."""
    spec = service.spec
    cluster_ip = _cluster_ip(service, version)
    if not cluster_ip or spec.type == "ExternalName" or SERVICE_PROXY_NAME in service.metadata.labels:
        return []
    parts = [
        part for part in slices if part.address_type == f"IPv{version}" and LABEL_HEADLESS not in part.metadata.labels
    ]
    return [_server(service, port, parts, cluster_ip, node, version) for port in spec.ports]


def _cluster_ip(service: Service, version: int) -> str:
    for ip in service.spec.cluster_ips or [service.spec.cluster_ip]:
        if _is_address(ip, version):
            return ip
    return ""


def _server(
    service: Service, port: ServicePort, parts: list[EndpointSlice], cluster_ip: str, node: str, version: int
) -> VirtualServer:
    spec = service.spec
    ready, terminating = _endpoints(parts, port.name, node, version)
    local = [e for e in ready if e.local] or [e for e in terminating if e.local]
    meta = service.metadata
    return VirtualServer(
        namespace=meta.namespace,
        name=meta.name,
        port_name=port.name,
        protocol=(port.protocol or "TCP").lower(),
        port=port.port,
        cluster_ip=cluster_ip,
        external_ips=_external_ips(service, version),
        node_port=port.node_port,
        endpoints=tuple(sorted(ready or terminating)),
        local_endpoints=tuple(sorted(local)),
        internal_local=spec.internal_traffic_policy == "Local",
        external_local=spec.external_traffic_policy == "Local",
        affinity_seconds=_affinity(service),
        source_ranges=_source_ranges(spec.load_balancer_source_ranges, version),
        reason=f"Service {meta.namespace}/{meta.name} port {port.name or port.port}",
    )


def _is_address(text: str, version: int) -> bool:
    """Whether a text is an address: a single malformed one would make the kernel reject the rules of all Services."""
    try:
        return len(ipmsg.pack(text)) == (4 if version == 4 else 16)
    except ValueError:
        return False


def _source_ranges(ranges: Iterable[str], version: int) -> tuple[str, ...]:
    """The networks of a family. If all of them are malformed, admit no source rather than every source."""
    found: list[str] = []
    unreadable = False
    for text in ranges:
        try:
            network = ipaddress.ip_network(text.strip(), strict=False)
        except ValueError:
            unreadable = True
            continue
        if network.version == version:
            found.append(str(network))
    if unreadable and not found:
        return ("0.0.0.0/32" if version == 4 else "::/128",)
    return tuple(dict.fromkeys(found))


def _external_ips(service: Service, version: int) -> tuple[str, ...]:
    ingress = [i.ip for i in service.status.load_balancer.ingress if i.ip and i.ip_mode != "Proxy"]
    found = dict.fromkeys([*service.spec.external_ips, *ingress])
    return tuple(ip for ip in found if _is_address(ip, version))


def _affinity(service: Service) -> int:
    if service.spec.session_affinity != "ClientIP":
        return 0
    config = service.spec.session_affinity_config
    seconds = config.client_ip.timeout_seconds if config and config.client_ip else None
    return seconds or DEFAULT_AFFINITY_SECONDS


def _endpoints(
    parts: list[EndpointSlice], port_name: str, node: str, version: int
) -> tuple[list[Endpoint], list[Endpoint]]:
    """(ready endpoints, endpoints that terminate but still serve), each address once."""
    ready: dict[tuple[str, int], Endpoint] = {}
    terminating: dict[tuple[str, int], Endpoint] = {}
    for part in parts:
        number = next((p.port for p in part.ports if (p.name or "") == port_name), None)
        if not number:
            continue
        for endpoint in part.endpoints:
            if not endpoint.addresses or not _is_address(endpoint.addresses[0], version):
                continue
            made = Endpoint(endpoint.addresses[0], number, bool(node) and endpoint.node_name == node)
            if endpoint.conditions.ready is not False:
                ready[made.ip, number] = made
            elif _still_serves(endpoint):
                terminating[made.ip, number] = made
    return list(ready.values()), list(terminating.values())


def _still_serves(endpoint: SliceEndpoint) -> bool:
    return bool(endpoint.conditions.terminating) and endpoint.conditions.serving is not False
