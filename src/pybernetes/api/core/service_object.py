"""The structs of a Service."""

from typing import Annotated

from pybernetes.api.facts import Atomic, Default, GoType, ListMap
from pybernetes.api.meta import Condition, Int32, IntOrString, Object, Struct, always, named


class ClientIPConfig(Struct, kw_only=True):
    """The duration of session affinity."""

    timeout_seconds: Int32 | None = None


class SessionAffinityConfig(Struct, kw_only=True):
    """The settings of session affinity."""

    client_ip: ClientIPConfig | None = named("clientIP", None)


class ServicePort(Struct, kw_only=True):
    """A port of the Service, and its target port."""

    port: Int32 = always(int)
    """The port of the Service."""
    app_protocol: str | None = None
    """The application's protocol, as a hint."""
    name: str = ""
    """A DNS label; required if there are several ports."""
    node_port: Int32 = 0
    """The port on all nodes that is forwarded to the Service; allocated by the server."""
    protocol: Annotated[str, Default("TCP"), GoType("v1.Protocol")] = ""
    """TCP (default), UDP or SCTP."""
    target_port: IntOrString | None = None
    """The number or the name of the pods' port; `port` by default."""


class ServiceSpec(Struct, kw_only=True):
    """The desired state of a Service."""

    allocate_load_balancer_node_ports: bool | None = None
    cluster_ip: str = named("clusterIP")
    """The virtual IP address; allocated by the server. `None` makes the Service headless."""
    cluster_ips: list[str] = named("clusterIPs", list)
    """The virtual IP addresses, one per family."""
    external_ips: list[str] = named("externalIPs", list)
    """Further addresses at which nodes accept traffic for the Service."""
    external_name: str = ""
    """With type ExternalName: the name that the Service is an alias for."""
    external_traffic_policy: Annotated[str, GoType("v1.ServiceExternalTrafficPolicy")] = ""
    """Cluster (default), or Local: only to pods on the same node, preserving the client's address."""
    health_check_node_port: Int32 = 0
    internal_traffic_policy: Annotated[str | None, GoType("v1.ServiceInternalTrafficPolicy")] = None
    """Cluster (default), or Local: only to pods on the same node."""
    ip_families: list[Annotated[str, GoType("v1.IPFamily")]] = []
    """IPv4, IPv6 or both, in order of preference."""
    ip_family_policy: Annotated[str | None, GoType("v1.IPFamilyPolicy")] = None
    """SingleStack, PreferDualStack or RequireDualStack."""
    load_balancer_class: str | None = None
    """The load balancer implementation that handles the Service."""
    load_balancer_ip: str = named("loadBalancerIP")
    load_balancer_source_ranges: list[str] = []
    """Client address ranges that may use the load balancer."""
    ports: Annotated[list[ServicePort], ListMap("port", "protocol")] = []
    """The ports of the Service."""
    publish_not_ready_addresses: bool = False
    """Whether pods that are not ready count as endpoints."""
    selector: Annotated[dict[str, str], Atomic()] = {}
    """The labels of the pods. Without a selector, endpoints are managed by another component."""
    session_affinity: Annotated[str, GoType("v1.ServiceAffinity")] = ""
    """None (default) or ClientIP."""
    session_affinity_config: SessionAffinityConfig | None = None
    traffic_distribution: str | None = None
    type: Annotated[str, GoType("v1.ServiceType")] = ""
    """ClusterIP (default), NodePort, LoadBalancer or ExternalName."""


class PortStatus(Struct, kw_only=True):
    """The state of a port of a load balancer."""

    port: Int32 = always(int)
    protocol: Annotated[str, GoType("v1.Protocol")] = always(str)
    error: str = ""


class LoadBalancerIngress(Struct, kw_only=True):
    """An address at which a load balancer accepts traffic for the Service."""

    hostname: str = ""
    ip: str = ""
    ip_mode: Annotated[str, GoType("v1.LoadBalancerIPMode")] = ""
    ports: list[PortStatus] = []


class LoadBalancerStatus(Struct, kw_only=True):
    """The addresses of a load balancer."""

    ingress: list[LoadBalancerIngress] = []


class ServiceStatus(Struct, kw_only=True):
    """The observed state of a Service."""

    conditions: Annotated[list[Condition], ListMap("type")] = []
    load_balancer: LoadBalancerStatus = always(LoadBalancerStatus)


class Service(Object, kw_only=True):
    """A stable name and address for a set of pods."""

    spec: ServiceSpec = always(ServiceSpec)
    """The desired state."""
    status: ServiceStatus = always(ServiceStatus)
    """The observed state."""
