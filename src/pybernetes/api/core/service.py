"""TODOC core/service.py"""

from typing import Annotated

from pybernetes.api.facts import Atomic, ListMap
from pybernetes.api.kind import Kind
from pybernetes.api.meta import Condition, IntOrString, Object, Struct, always


class ClientIPConfig(Struct, kw_only=True):
    """TODOC ClientIPConfig"""

    timeout_seconds: int | None = None


class SessionAffinityConfig(Struct, kw_only=True):
    """TODOC SessionAffinityConfig"""

    client_ip: ClientIPConfig | None = None


class ServicePort(Struct, kw_only=True):
    """TODOC ServicePort"""

    port: int = always(int)
    app_protocol: str | None = None
    name: str = ""
    node_port: int = 0
    protocol: str = ""
    target_port: IntOrString | None = None


class ServiceSpec(Struct, kw_only=True):
    """TODOC ServiceSpec"""

    allocate_load_balancer_node_ports: bool | None = None
    cluster_ip: str = ""
    cluster_ips: list[str] = []
    external_ips: list[str] = []
    external_name: str = ""
    external_traffic_policy: str = ""
    health_check_node_port: int | None = None
    internal_traffic_policy: str = ""
    ip_families: list[str] = []
    ip_family_policy: str = ""
    load_balancer_class: str | None = None
    load_balancer_ip: str = ""
    load_balancer_source_ranges: list[str] = []
    ports: Annotated[list[ServicePort], ListMap("port", "protocol")] = []
    publish_not_ready_addresses: bool = False
    selector: Annotated[dict[str, str], Atomic()] = {}
    session_affinity: str = ""
    session_affinity_config: SessionAffinityConfig | None = None
    traffic_distribution: str = ""
    type: str = ""


class PortStatus(Struct, kw_only=True):
    """TODOC PortStatus"""

    port: int = always(int)
    protocol: str = always(str)
    error: str = ""


class LoadBalancerIngress(Struct, kw_only=True):
    """TODOC LoadBalancerIngress"""

    hostname: str = ""
    ip: str = ""
    ip_mode: str = ""
    ports: list[PortStatus] = []


class LoadBalancerStatus(Struct, kw_only=True):
    """TODOC LoadBalancerStatus"""

    ingress: list[LoadBalancerIngress] = []


class ServiceStatus(Struct, kw_only=True):
    """TODOC ServiceStatus"""

    conditions: Annotated[list[Condition], ListMap("type")] = []
    load_balancer: LoadBalancerStatus = always(LoadBalancerStatus)


class Service(Object, kw_only=True):
    """TODOC Service"""

    spec: ServiceSpec = always(ServiceSpec)
    status: ServiceStatus = always(ServiceStatus)


KIND = Kind(
    group="",
    version="v1",
    name="Service",
    plural="services",
    singular="service",
    struct=Service,
    short_names=("svc",),
    categories=("all",),
    storage="services/specs",
    subresources=("status", "proxy"),
    name_rule="dns-1035-label",
)
