"""Service: a stable name and address for a changing set of pods."""

from datetime import datetime

from pybernetes.api.core.service_object import (
    ClientIPConfig,
    LoadBalancerIngress,
    LoadBalancerStatus,
    PortStatus,
    Service,
    ServicePort,
    ServiceSpec,
    ServiceStatus,
    SessionAffinityConfig,
)
from pybernetes.api.core.service_validation import (
    CLUSTER_IP,
    EXTERNAL_NAME,
    LOAD_BALANCER,
    NODE_PORT,
    validate,
    validate_status,
    validate_update,
    warnings,
)
from pybernetes.api.duration import age
from pybernetes.api.kind import Cell, Column, Kind
from pybernetes.api.schema import StructSchema
from pybernetes.api.subresource import proxy, status
from pybernetes.api.tables import AGE, NAME, SELECTOR, label_map, or_none

__all__ = [
    "KIND",
    "ClientIPConfig",
    "LoadBalancerIngress",
    "LoadBalancerStatus",
    "PortStatus",
    "Service",
    "ServicePort",
    "ServiceSpec",
    "ServiceStatus",
    "SessionAffinityConfig",
]

AFFINITY_SECONDS = 10800


def default(obj: Service) -> None:
    """Type ClusterIP, no session affinity, target ports equal to ports."""
    spec = obj.spec
    spec.session_affinity = spec.session_affinity or "None"
    if spec.session_affinity == "None":
        spec.session_affinity_config = None
    elif spec.session_affinity == "ClientIP":
        config = spec.session_affinity_config or SessionAffinityConfig()
        config.client_ip = config.client_ip or ClientIPConfig()
        config.client_ip.timeout_seconds = config.client_ip.timeout_seconds or AFFINITY_SECONDS
        spec.session_affinity_config = config
    spec.type = spec.type or CLUSTER_IP
    for port in spec.ports:
        port.protocol = port.protocol or "TCP"
        port.target_port = port.target_port or port.port
    if spec.type in (NODE_PORT, LOAD_BALANCER):
        spec.external_traffic_policy = spec.external_traffic_policy or "Cluster"
    if spec.type in (CLUSTER_IP, NODE_PORT, LOAD_BALANCER) and spec.internal_traffic_policy is None:
        spec.internal_traffic_policy = "Cluster"
    if spec.type == LOAD_BALANCER and spec.allocate_load_balancer_node_ports is None:
        spec.allocate_load_balancer_node_ports = True
    # Clients that know only clusterIP set no clusterIPs; those that know clusterIPs set both.
    if spec.cluster_ip and not spec.cluster_ips:
        spec.cluster_ips = [spec.cluster_ip]
    for ingress in obj.status.load_balancer.ingress:
        if spec.type == LOAD_BALANCER and ingress.ip:
            ingress.ip_mode = ingress.ip_mode or "VIP"


def prepare_update(new: Service, old: Service) -> None:
    """Keep allocated addresses and node ports that the client omits."""
    spec, was = new.spec, old.spec
    if spec.cluster_ip and spec.cluster_ip != was.cluster_ip and spec.cluster_ips == was.cluster_ips:
        spec.cluster_ips = [spec.cluster_ip]
    if EXTERNAL_NAME not in (spec.type, was.type):
        spec.cluster_ip = spec.cluster_ip or was.cluster_ip
        spec.cluster_ips = spec.cluster_ips or was.cluster_ips
    if spec.type != EXTERNAL_NAME:
        spec.ip_families = spec.ip_families or was.ip_families
        spec.ip_family_policy = was.ip_family_policy if spec.ip_family_policy is None else spec.ip_family_policy
    if spec.type in (NODE_PORT, LOAD_BALANCER) and was.type in (NODE_PORT, LOAD_BALANCER):
        _keep_node_ports(spec.ports, was.ports)
        if spec.type == LOAD_BALANCER and spec.external_traffic_policy == "Local":
            spec.health_check_node_port = spec.health_check_node_port or was.health_check_node_port
    if spec.type == CLUSTER_IP and was.type in (NODE_PORT, LOAD_BALANCER):
        _drop_same_node_ports(spec, was)
    if spec.type == EXTERNAL_NAME and was.type != EXTERNAL_NAME:
        _drop_same_addresses(spec, was)
    if spec.type != LOAD_BALANCER and was.type == LOAD_BALANCER:
        if spec.allocate_load_balancer_node_ports == was.allocate_load_balancer_node_ports:
            spec.allocate_load_balancer_node_ports = None
        new.status = ServiceStatus()


def _keep_node_ports(new: list[ServicePort], old: list[ServicePort]) -> None:
    taken = {port.node_port for port in new if port.node_port}
    by_port = {(port.protocol, port.port): port.node_port for port in old}
    for port in new:
        kept = by_port.get((port.protocol, port.port), 0)
        if not port.node_port and kept and kept not in taken:
            port.node_port = kept
            taken.add(kept)


def _drop_same_node_ports(spec: ServiceSpec, was: ServiceSpec) -> None:
    """The new type has no node ports: drop those that the client sent back unchanged."""
    if [p.node_port for p in spec.ports] == [p.node_port for p in was.ports]:
        for port in spec.ports:
            port.node_port = 0
    if spec.external_traffic_policy == was.external_traffic_policy and not spec.external_ips:
        spec.external_traffic_policy = ""


def _drop_same_addresses(spec: ServiceSpec, was: ServiceSpec) -> None:
    """An ExternalName Service has no addresses: drop those that the client sent back unchanged."""
    if spec.cluster_ip == was.cluster_ip:
        spec.cluster_ip, spec.cluster_ips = "", []
    if spec.ip_families == was.ip_families:
        spec.ip_families, spec.ip_family_policy = [], None
    if spec.internal_traffic_policy == was.internal_traffic_policy:
        spec.internal_traffic_policy = None
    _drop_same_node_ports(spec, was)


COLUMNS = (
    NAME,
    Column("Type", description="How the Service is reached."),
    Column("Cluster-IP", description="Its address inside the cluster."),
    Column("External-IP", description="Its address outside the cluster."),
    Column("Port(s)", description="Its ports, and the node ports that lead to them."),
    AGE,
    SELECTOR,
)


def row(obj: Service, now: datetime) -> list[Cell]:
    spec = obj.spec
    return [
        obj.metadata.name,
        spec.type,
        or_none(spec.cluster_ips[0] if spec.cluster_ips else spec.cluster_ip),
        _external(obj),
        or_none(",".join(_port_text(port) for port in spec.ports)),
        age(obj.metadata.creation_timestamp, now),
        label_map(spec.selector),
    ]


def _port_text(port: ServicePort) -> str:
    node_port = f":{port.node_port}" if port.node_port else ""
    return f"{port.port}{node_port}/{port.protocol}"


def _external(obj: Service) -> str:
    spec = obj.spec
    if spec.type == EXTERNAL_NAME:
        return spec.external_name
    if spec.type == LOAD_BALANCER:
        found = sorted({ingress.ip or ingress.hostname for ingress in obj.status.load_balancer.ingress})
        return ",".join([*found, *spec.external_ips]) or "<pending>"
    return or_none(",".join(spec.external_ips))


KIND = Kind(
    group="",
    version="v1",
    name="Service",
    plural="services",
    singular="service",
    schema=StructSchema(Service, default=default, validate=validate),
    short_names=("svc",),
    categories=("all",),
    pool="service-addresses",
    returns_deleted=True,
    storage="services/specs",
    subresources=(status(validate=validate_status), proxy("ServiceProxyOptions")),
    name_rule="dns-1035-label",
    prepare_update=prepare_update,
    validate_update=validate_update,
    warnings=warnings,
    columns=COLUMNS,
    row=row,
    selectable={
        "spec.clusterIP": lambda obj: obj.spec.cluster_ip,
        "spec.type": lambda obj: obj.spec.type,
    },
)
