"""Validation of EndpointSlices."""

from pybernetes.api import names, rules
from pybernetes.api.discovery.endpoint_slice_object import Endpoint, EndpointHints, EndpointPort, EndpointSlice
from pybernetes.api.field import Errors, Path
from pybernetes.api.meta_validation import IMMUTABLE, validate_labels

MAX_ENDPOINTS, MAX_ADDRESSES, MAX_PORTS, MAX_HINTS, MAX_TOPOLOGY = 1000, 100, 20000, 8, 16


def validate(obj: EndpointSlice, errors: Errors) -> None:
    """All addresses have the address type of the slice."""
    rules.one_of(obj.address_type, ("FQDN", "IPv4", "IPv6"), Path("addressType"), errors.last)
    _ports(obj.ports, Path("ports"), errors)
    path = Path("endpoints")
    if len(obj.endpoints) > MAX_ENDPOINTS:
        errors.too_many(path, len(obj.endpoints), MAX_ENDPOINTS)
        return
    for index, endpoint in enumerate(obj.endpoints):
        _endpoint(endpoint, obj.address_type, path @ index, errors)


def validate_update(new: EndpointSlice, old: EndpointSlice, errors: Errors) -> None:
    """The address type cannot change."""
    if new.address_type != old.address_type:
        errors.last.invalid("addressType", None, IMMUTABLE)


def _endpoint(endpoint: Endpoint, address_type: str, path: Path, errors: Errors) -> None:
    addresses = path / "addresses"
    if not endpoint.addresses:
        errors.last.required(addresses)
    elif len(endpoint.addresses) > MAX_ADDRESSES:
        errors.last.too_many(addresses, len(endpoint.addresses), MAX_ADDRESSES)
    for number, address in enumerate(endpoint.addresses):
        _address(address, address_type, addresses, number, errors)
    if endpoint.node_name is not None:
        rules.follows(endpoint.node_name, names.dns_subdomain, path / "nodeName", errors)
    topology = path / "deprecatedTopology"
    if len(endpoint.deprecated_topology) > MAX_TOPOLOGY:
        errors.too_many(topology, len(endpoint.deprecated_topology), MAX_TOPOLOGY)
    validate_labels(endpoint.deprecated_topology, topology, errors)
    if endpoint.hostname is not None:
        rules.follows(endpoint.hostname, names.dns_label, path / "hostname", errors)
    if endpoint.hints is not None:
        _hints(endpoint.hints, path / "hints", errors)


def _address(address: str, address_type: str, path: Path, index: int, errors: Errors) -> None:
    if address_type == "FQDN":
        _domain(address, path @ index, errors)
    elif address_type in ("IPv4", "IPv6"):
        if not rules.is_ip(address):
            rules.ip(address, path @ index, errors)
            return
        if (":" in address) != (address_type == "IPv6"):
            errors.invalid(path, address, f"must be an {address_type} address")
        rules.endpoint_ip(address, path @ index, errors)


def _domain(name: str, path: Path, errors: Errors) -> None:
    if not name:
        errors.required(path)
        return
    name = name.removesuffix(".")
    if messages := names.dns_subdomain(name):
        errors.invalid(path, name, ",".join(messages))
    elif "." not in name:
        errors.invalid(path, name, "should be a domain with at least two segments separated by dots")


def _hints(hints: EndpointHints, path: Path, errors: Errors) -> None:
    for field, found, rule in (
        ("forZones", [zone.name for zone in hints.for_zones], names.label_value),
        ("forNodes", [node.name for node in hints.for_nodes], names.dns_subdomain),
    ):
        place = path / field
        if len(found) > MAX_HINTS:
            errors.too_many(place, len(found), MAX_HINTS)
            return
        seen: set[str] = set()
        for index, name in enumerate(found):
            if name in seen:
                errors.duplicate(place @ index / "name", name)
            seen.add(name)
            rules.follows(name, rule, place @ index / "name", errors)


def _ports(ports: list[EndpointPort], path: Path, errors: Errors) -> None:
    if len(ports) > MAX_PORTS:
        errors.too_many(path, len(ports), MAX_PORTS)
        return
    seen: set[str] = set()
    for index, port in enumerate(ports):
        place = path @ index
        name = port.name or ""
        if name:
            rules.follows(name, names.dns_label, place / "name", errors)
        if name in seen:
            errors.duplicate(place / "name", name)
        seen.add(name)
        if port.protocol not in rules.PROTOCOLS:
            errors.not_supported(place / "protocol", port.protocol, list(rules.PROTOCOLS))
        if port.app_protocol is not None:
            rules.follows(port.app_protocol, names.qualified_name, place / "appProtocol", errors)
