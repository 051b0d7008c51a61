"""Validation of Services. The API server allocates addresses and node ports."""

from pybernetes.api import names, rules
from pybernetes.api.core.service_object import Service, ServicePort, ServiceSpec
from pybernetes.api.field import Errors, Path
from pybernetes.api.meta_validation import validate_labels

CLUSTER_IP, NODE_PORT, LOAD_BALANCER, EXTERNAL_NAME = "ClusterIP", "NodePort", "LoadBalancer", "ExternalName"
TYPES = (CLUSTER_IP, EXTERNAL_NAME, LOAD_BALANCER, NODE_PORT)
HEADLESS = "None"
MAX_AFFINITY_SECONDS = 86400

SPEC = Path("spec")


def validate(obj: Service, errors: Errors) -> None:
    """Validate a Service after defaulting, with or without allocated addresses."""
    spec = obj.spec
    _type(spec, errors)
    _ports(spec, errors)
    validate_labels(spec.selector, SPEC / "selector", errors)
    _affinity(spec, errors)
    _addresses(spec, errors)
    _policies(spec, errors)


def _type(spec: ServiceSpec, errors: Errors) -> None:
    rules.one_of(spec.type, TYPES, SPEC / "type", errors)
    if spec.type == EXTERNAL_NAME:
        if spec.cluster_ips or spec.cluster_ip:
            errors.forbidden(SPEC / "clusterIPs", "may not be set for ExternalName services")
        name = spec.external_name.removesuffix(".")
        rules.named(name, names.dns_subdomain, SPEC / "externalName", errors)
    if spec.type == LOAD_BALANCER and spec.cluster_ip == HEADLESS:
        errors.invalid(SPEC / "clusterIPs" @ 0, HEADLESS, "may not be set to 'None' for LoadBalancer services")
    if spec.type == NODE_PORT and spec.cluster_ip == HEADLESS:
        errors.invalid(SPEC / "clusterIPs" @ 0, HEADLESS, "may not be set to 'None' for NodePort services")


def _ports(spec: ServiceSpec, errors: Errors) -> None:
    path = SPEC / "ports"
    if not spec.ports and spec.cluster_ip != HEADLESS and spec.type != EXTERNAL_NAME:
        errors.required(path)
    rules.unique([p.name for p in spec.ports], lambda i: path @ i / "name", errors)
    seen: set[tuple[str, int]] = set()
    node_ports: set[tuple[str, int]] = set()
    for index, port in enumerate(spec.ports):
        place = path @ index
        _port(port, len(spec.ports) > 1, place, errors)
        if (port.protocol, port.port) in seen:
            errors.duplicate(place, {"port": port.port, "protocol": port.protocol})
        seen.add((port.protocol, port.port))
        if not port.node_port:
            continue
        if spec.type in (CLUSTER_IP, EXTERNAL_NAME):
            errors.forbidden(place / "nodePort", f"may not be used when `type` is '{spec.type}'")
        elif (port.protocol, port.node_port) in node_ports:
            errors.duplicate(place / "nodePort", port.node_port)
        node_ports.add((port.protocol, port.node_port))


def _port(port: ServicePort, needs_name: bool, path: Path, errors: Errors) -> None:
    if needs_name and not port.name:
        errors.required(path / "name")
    elif port.name:
        rules.follows(port.name, names.dns_label, path / "name", errors)
    rules.port(port.port, path / "port", errors)
    rules.one_of(port.protocol, rules.PROTOCOLS, path / "protocol", errors)
    rules.port_or_name(port.target_port or 0, path / "targetPort", errors)
    if port.app_protocol:
        rules.follows(port.app_protocol, names.qualified_name, path / "appProtocol", errors)
    if port.node_port:
        rules.port(port.node_port, path / "nodePort", errors)


def _affinity(spec: ServiceSpec, errors: Errors) -> None:
    rules.one_of(spec.session_affinity, ("ClientIP", "None"), SPEC / "sessionAffinity", errors)
    path = SPEC / "sessionAffinityConfig"
    config = spec.session_affinity_config
    if spec.session_affinity == "None" and config is not None:
        errors.forbidden(path, "must not be set when session affinity is None")
    elif spec.session_affinity == "ClientIP" and config is not None and config.client_ip is not None:
        seconds = config.client_ip.timeout_seconds
        if seconds is None or not 0 < seconds <= MAX_AFFINITY_SECONDS:
            text = f"must be greater than 0 and less than {MAX_AFFINITY_SECONDS}"
            errors.invalid(path / "clientIP" / "timeoutSeconds", seconds, text)


def _addresses(spec: ServiceSpec, errors: Errors) -> None:
    for index, address in enumerate(spec.cluster_ips):
        if address == HEADLESS:
            if len(spec.cluster_ips) > 1:
                errors.invalid(SPEC / "clusterIPs" @ index, address, "'None' must be the first and only value")
        else:
            rules.ip(address, SPEC / "clusterIPs" @ index, errors)
    if spec.cluster_ip and spec.cluster_ip != HEADLESS and not rules.is_ip(spec.cluster_ip):
        errors.invalid(SPEC / "clusterIP", spec.cluster_ip, "must be empty, 'None', or a valid IP address")
    if spec.cluster_ips and spec.cluster_ip != spec.cluster_ips[0]:
        errors.invalid(SPEC / "clusterIPs", spec.cluster_ips, "first value must match `clusterIP`")
    for index, address in enumerate(spec.external_ips):
        rules.ip(address, SPEC / "externalIPs" @ index, errors)
    for index, family in enumerate(spec.ip_families):
        if family not in ("IPv4", "IPv6"):
            errors.not_supported(SPEC / "ipFamilies" @ index, family, ["IPv4", "IPv6"])
    policies = ("PreferDualStack", "RequireDualStack", "SingleStack")
    if spec.ip_family_policy and spec.ip_family_policy not in policies:
        errors.not_supported(SPEC / "ipFamilyPolicy", spec.ip_family_policy, list(policies))


def _policies(spec: ServiceSpec, errors: Errors) -> None:
    reachable = spec.type in (NODE_PORT, LOAD_BALANCER) or bool(spec.external_ips and spec.type == CLUSTER_IP)
    path = SPEC / "externalTrafficPolicy"
    if not reachable and spec.external_traffic_policy:
        text = "may only be set for externally-accessible services"
        errors.invalid(path, spec.external_traffic_policy, text)
    elif reachable and spec.external_traffic_policy not in ("", "Cluster", "Local"):
        errors.not_supported(path, spec.external_traffic_policy, ["Cluster", "Local"])
    if spec.internal_traffic_policy not in ("", "Cluster", "Local"):
        errors.not_supported(SPEC / "internalTrafficPolicy", spec.internal_traffic_policy, ["Cluster", "Local"])
    if spec.type != LOAD_BALANCER and spec.load_balancer_source_ranges:
        text = "may only be used when `type` is 'LoadBalancer'"
        errors.forbidden(SPEC / "loadBalancerSourceRanges", text)
    for cidr in spec.load_balancer_source_ranges:
        if not rules.is_cidr(cidr):
            text = "must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)"
            errors.invalid(SPEC / "loadBalancerSourceRanges", cidr, text)
    if spec.allocate_load_balancer_node_ports is not None and spec.type != LOAD_BALANCER:
        text = "may only be used when `type` is 'LoadBalancer'"
        errors.forbidden(SPEC / "allocateLoadBalancerNodePorts", text)
    if spec.health_check_node_port and not (spec.type == LOAD_BALANCER and spec.external_traffic_policy == "Local"):
        text = "may only be set when `type` is 'LoadBalancer' and `externalTrafficPolicy` is 'Local'"
        errors.invalid(SPEC / "healthCheckNodePort", spec.health_check_node_port, text)


def validate_update(new: Service, old: Service, errors: Errors) -> None:
    """The primary cluster IP is immutable as long as the type has one."""
    if EXTERNAL_NAME in (new.spec.type, old.spec.type):
        return
    was = old.spec.cluster_ips or ([old.spec.cluster_ip] if old.spec.cluster_ip else [])
    now = new.spec.cluster_ips or ([new.spec.cluster_ip] if new.spec.cluster_ip else [])
    if was and was[:1] != now[:1]:
        errors.invalid(SPEC / "clusterIPs" @ 0, now, "may not change once set")
