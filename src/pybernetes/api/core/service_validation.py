"""Validation of Services, in the order of kube-apiserver. The API server allocates addresses and node ports."""

from collections.abc import Iterable
from typing import Any

from pybernetes.api import names, rules
from pybernetes.api.core.service_object import Service, ServicePort, ServiceSpec
from pybernetes.api.field import Errors, Path
from pybernetes.api.meta_validation import validate_labels

CLUSTER_IP, NODE_PORT, LOAD_BALANCER, EXTERNAL_NAME = "ClusterIP", "NodePort", "LoadBalancer", "ExternalName"
TYPES = (CLUSTER_IP, EXTERNAL_NAME, LOAD_BALANCER, NODE_PORT)
HEADLESS = "None"
MAX_AFFINITY_SECONDS = 86400

SPEC = Path("spec")


DISTRIBUTIONS = ("PreferClose", "PreferSameZone", "PreferSameNode")
FAMILIES = ("IPv4", "IPv6")
FAMILY_POLICIES = ("PreferDualStack", "RequireDualStack", "SingleStack")
POLICIES = ("Cluster", "Local")


def validate(obj: Service, errors: Errors) -> None:
    """Validate a Service after defaulting, with or without allocated addresses.

    Where its addresses are wrong, nothing else is reported: kube-apiserver allocates addresses before it validates.
    """
    spec = obj.spec
    if not _addresses_are_valid(spec, errors):
        return
    _type(spec, errors)
    names_seen: set[str] = set()
    for index, port in enumerate(spec.ports):
        _port(port, len(spec.ports) > 1, names_seen, SPEC / "ports" @ index, errors)
    validate_labels(spec.selector, SPEC / "selector", errors)
    _affinity(spec, errors)
    for index, address in enumerate(spec.external_ips):
        rules.unicast(address, SPEC / "externalIPs" @ index, errors)
    rules.one_of(spec.type, TYPES, SPEC / "type", errors)
    _port_conflicts(spec, errors)
    _load_balancer(spec, errors)
    _policies(spec, errors)


def is_headless(spec: ServiceSpec) -> bool:
    """Whether the Service has no address."""
    return spec.type == CLUSTER_IP and spec.cluster_ip == HEADLESS


def _addresses_are_valid(spec: ServiceSpec, errors: Errors) -> bool:
    """clusterIP, clusterIPs, ipFamilies and ipFamilyPolicy agree."""
    if spec.type == EXTERNAL_NAME:
        return True
    found = Errors()
    path = SPEC / "clusterIPs"
    if spec.cluster_ips and not spec.cluster_ip:
        found.invalid(path, spec.cluster_ips, "must be empty when `clusterIP` is not specified")
    elif spec.cluster_ips and spec.cluster_ips[0] != spec.cluster_ip:
        found.invalid(path, spec.cluster_ips, "first value must match `clusterIP`")
    seen: set[str] = set()
    for index, family in enumerate(spec.ip_families):
        _supported(family, FAMILIES, SPEC / "ipFamilies" @ index, found)
        if family in seen:
            found.duplicate(SPEC / "ipFamilies" @ index, family)
        seen.add(family)
    if spec.ip_family_policy is not None:
        _supported(spec.ip_family_policy, FAMILY_POLICIES, SPEC / "ipFamilyPolicy", found)
    if _are_ips(spec.cluster_ips, path, found):
        _families_of_ips(spec, path, found)
    errors.items += found.items
    return not found


def _supported(value: str, allowed: Iterable[str], path: Path, errors: Errors) -> None:
    if value not in allowed:
        errors.not_supported(path, value, list(allowed))


def _are_ips(addresses: list[str], path: Path, errors: Errors) -> bool:
    before = len(errors.items)
    for index, address in enumerate(addresses):
        if index or address != HEADLESS:
            rules.ip(address, path @ index, errors)
        elif len(addresses) > 1:
            errors.invalid(path, addresses, "'None' must be the first and only value")
    valid = len(errors.items) == before
    if len(addresses) > 2:
        errors.invalid(path, addresses, "may only hold up to 2 values")
    return valid


def _families_of_ips(spec: ServiceSpec, path: Path, errors: Errors) -> None:
    found = ["IPv6" if ":" in address else "IPv4" for address in spec.cluster_ips]
    if len(found) > 1 and len(set(found)) == 1:
        errors.invalid(path, spec.cluster_ips, "may specify no more than one IP for each IP family")
    if is_headless(spec):
        return
    for index, (family, wanted) in enumerate(zip(found, spec.ip_families, strict=False)):
        if family != wanted and wanted in FAMILIES:
            text = f"expected an {wanted} value as indicated by `ipFamilies[{index}]`"
            errors.invalid(path @ index, spec.cluster_ips[index], text)


def _type(spec: ServiceSpec, errors: Errors) -> None:
    headless = spec.cluster_ip == HEADLESS
    if not spec.ports and not is_headless(spec) and spec.type != EXTERNAL_NAME:
        errors.required(SPEC / "ports")
    if spec.type in (LOAD_BALANCER, NODE_PORT) and headless:
        errors.invalid(SPEC / "clusterIPs" @ 0, HEADLESS, f"may not be set to 'None' for {spec.type} services")
    if spec.type == EXTERNAL_NAME:
        for name, value in (
            ("clusterIPs", spec.cluster_ips),
            ("ipFamilies", spec.ip_families),
            ("ipFamilyPolicy", spec.ip_family_policy),
        ):
            if value:
                errors.forbidden(SPEC / name, "may not be set for ExternalName services")
        rules.named(spec.external_name.removesuffix("."), names.dns_subdomain, SPEC / "externalName", errors)


def _port(port: ServicePort, needs_name: bool, seen: set[str], path: Path, errors: Errors) -> None:
    if needs_name and not port.name:
        errors.required(path / "name")
    elif port.name:
        rules.follows(port.name, names.dns_label, path / "name", errors)
        if port.name in seen:
            errors.duplicate(path / "name", port.name)
        seen.add(port.name)
    rules.port(port.port, path / "port", errors)
    rules.one_of(port.protocol, rules.PROTOCOLS, path / "protocol", errors)
    rules.port_or_name(port.target_port or 0, path / "targetPort", errors)
    if port.app_protocol is not None:
        rules.follows(port.app_protocol, names.qualified_name, path / "appProtocol", errors)


def _port_conflicts(spec: ServiceSpec, errors: Errors) -> None:
    places = [(port, SPEC / "ports" @ index) for index, port in enumerate(spec.ports)]
    if spec.type == CLUSTER_IP:
        for port, path in places:
            if port.node_port:
                errors.forbidden(path / "nodePort", "may not be used when `type` is 'ClusterIP'")
    node_ports: set[tuple[str, int]] = set()
    for port, path in places:
        if port.node_port and (port.protocol, port.node_port) in node_ports:
            errors.duplicate(path / "nodePort", port.node_port)
        node_ports.add((port.protocol, port.node_port))
    ports: set[tuple[str, int]] = set()
    for port, path in places:
        if (port.protocol, port.port) in ports:
            errors.duplicate(path, _shown(port))
        ports.add((port.protocol, port.port))


def _shown(port: ServicePort) -> dict[str, Any]:
    """Protocol and port as errors show them, with Go's names."""
    return {
        "Name": "",
        "Protocol": port.protocol,
        "AppProtocol": None,
        "Port": port.port,
        "TargetPort": 0,
        "NodePort": 0,
    }


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


def _load_balancer(spec: ServiceSpec, errors: Errors) -> None:
    """Fields that only load balancers have."""
    text = "may only be used when `type` is 'LoadBalancer'"
    ranges = SPEC / "LoadBalancerSourceRanges"  # The path that kube-apiserver reports.
    if spec.load_balancer_source_ranges and spec.type != LOAD_BALANCER:
        errors.forbidden(ranges, text)
    for index, value in enumerate(spec.load_balancer_source_ranges):
        rules.cidr(value.strip(), ranges @ index, errors)
    if spec.allocate_load_balancer_node_ports is not None and spec.type != LOAD_BALANCER:
        errors.forbidden(SPEC / "allocateLoadBalancerNodePorts", text)
    if spec.load_balancer_class is not None:
        if spec.type == LOAD_BALANCER:
            rules.follows(spec.load_balancer_class, names.qualified_name, SPEC / "loadBalancerClass", errors)
        else:
            errors.forbidden(SPEC / "loadBalancerClass", text)


def _policies(spec: ServiceSpec, errors: Errors) -> None:
    reachable = spec.type in (NODE_PORT, LOAD_BALANCER) or bool(spec.external_ips and spec.type == CLUSTER_IP)
    path = SPEC / "externalTrafficPolicy"
    if not reachable and spec.external_traffic_policy:
        text = "may only be set for externally-accessible services"
        errors.invalid(path, spec.external_traffic_policy, text)
    elif reachable and spec.external_traffic_policy:
        _supported(spec.external_traffic_policy, POLICIES, path, errors)
    if spec.health_check_node_port and not (spec.type == LOAD_BALANCER and spec.external_traffic_policy == "Local"):
        text = "may only be set when `type` is 'LoadBalancer' and `externalTrafficPolicy` is 'Local'"
        errors.invalid(SPEC / "healthCheckNodePort", spec.health_check_node_port, text)
    if spec.internal_traffic_policy is not None:
        _supported(spec.internal_traffic_policy, POLICIES, SPEC / "internalTrafficPolicy", errors)
    if spec.traffic_distribution is not None:
        _supported(spec.traffic_distribution, DISTRIBUTIONS, SPEC / "trafficDistribution", errors)


def validate_update(new: Service, old: Service, errors: Errors) -> None:
    """The primary cluster IP is immutable as long as the type has one; so is the class of a load balancer."""
    if errors and not _addresses_are_valid(new.spec, Errors()):
        return
    if EXTERNAL_NAME not in (new.spec.type, old.spec.type):
        was, now = old.spec.cluster_ips, new.spec.cluster_ips
        if was and was[:1] != now[:1]:
            errors.invalid(SPEC / "clusterIPs" @ 0, now, "may not change once set")
    if new.spec.type == old.spec.type == LOAD_BALANCER:
        wanted = new.spec.load_balancer_class
        if wanted != old.spec.load_balancer_class:
            errors.invalid(SPEC / "loadBalancerClass", wanted, "may not change once set")


def validate_status(new: Service, old: Service, errors: Errors) -> None:
    """Only load balancers have addresses in their status."""
    path = Path("status") / "loadBalancer" / "ingress"
    found = new.status.load_balancer.ingress
    if new.spec.type != LOAD_BALANCER and found:
        errors.forbidden(path, "may only be used when `spec.type` is 'LoadBalancer'")
        return
    for index, ingress in enumerate(found):
        place = path @ index
        if ingress.ip:
            rules.ip(ingress.ip, place / "ip", errors)
        if ingress.ip_mode and not ingress.ip:
            errors.forbidden(place / "ipMode", "may not be specified when `ip` is not set")
        elif ingress.ip_mode:
            _supported(ingress.ip_mode, ("Proxy", "VIP"), place / "ipMode", errors)
        if ingress.hostname:
            rules.follows(ingress.hostname, names.dns_subdomain, place / "hostname", errors)
            if rules.is_ip(ingress.hostname):
                errors.invalid(place / "hostname", ingress.hostname, "must be a DNS name, not an IP address")


def warnings(new: Service, old: Service | None) -> list[str]:
    """What kube-apiserver warns about."""
    spec, found = new.spec, list[str]()
    if is_headless(spec):
        if spec.load_balancer_ip:
            found.append("spec.loadBalancerIP is ignored for headless services")
        if spec.external_ips:
            found.append("spec.externalIPs is ignored for headless services")
        if spec.session_affinity != "None":
            found.append("spec.SessionAffinity is ignored for headless services")
    elif spec.external_ips and spec.type != EXTERNAL_NAME:
        found.append("spec.externalIPs is deprecated and may no longer be implemented in some clusters")
    if spec.type == EXTERNAL_NAME and spec.external_ips:
        found.append('spec.externalIPs is ignored when spec.type is "ExternalName"')
    if spec.type != EXTERNAL_NAME and spec.external_name:
        found.append('spec.externalName is ignored when spec.type is not "ExternalName"')
    if spec.traffic_distribution == "PreferClose":
        found.append('spec.trafficDistribution: "PreferClose" is deprecated; use "PreferSameZone"')
    return found
