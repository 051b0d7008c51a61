"""Validation of a pod's network: ports of the node, DNS and the hosts file."""

from pybernetes.api import names, rules
from pybernetes.api.core.pod_spec import HostAlias, PodDNSConfig, PodSpec
from pybernetes.api.field import Errors, Path

MAX_NAMESERVERS, MAX_SEARCHES, MAX_SEARCH_CHARACTERS = 3, 32, 2048


def validate_host_network(spec: PodSpec, is_pod: bool, path: Path, errors: Errors) -> None:
    """In the network of the node, a container port is the port of the node. A template may leave it to the pod."""
    if not spec.host_network:
        return
    for index, container in enumerate(spec.containers):
        for number, port in enumerate(container.ports):
            if (is_pod or port.host_port) and port.host_port != port.container_port:
                place = path @ index / "ports" @ number / "hostPort"
                errors.invalid(place, port.host_port, "must match `containerPort` when `hostNetwork` is true")


def validate_dns(spec: PodSpec, path: Path, errors: Errors) -> None:
    """The policy None needs a name server; other settings are optional."""
    config = spec.dns_config
    if spec.dns_policy == "None":
        if config is None:
            errors.required(path, "must provide `dnsConfig` when `dnsPolicy` is None")
            return
        if not config.nameservers:
            text = "must provide at least one DNS nameserver when `dnsPolicy` is None"
            errors.required(path / "nameservers", text)
            return
    if config is not None:
        _dns_config(config, path, errors)


def _dns_config(config: PodDNSConfig, path: Path, errors: Errors) -> None:
    if len(config.nameservers) > MAX_NAMESERVERS:
        text = f"must not have more than {MAX_NAMESERVERS} nameservers"
        errors.invalid(path / "nameservers", config.nameservers, text)
    for index, server in enumerate(config.nameservers):
        rules.ip(server, path / "nameservers" @ index, errors)
    if len(config.searches) > MAX_SEARCHES:
        text = f"must not have more than {MAX_SEARCHES} search paths"
        errors.invalid(path / "searches", config.searches, text)
    if len(" ".join(config.searches).encode()) > MAX_SEARCH_CHARACTERS:
        text = f"must not have more than {MAX_SEARCH_CHARACTERS} characters (including spaces) in the search list"
        errors.invalid(path / "searches", config.searches, text)
    for index, search in enumerate(config.searches):
        if search != ".":
            name = search.removesuffix(".")
            rules.follows(name, names.dns_subdomain_with_underscores, path / "searches" @ index, errors)
    for index, option in enumerate(config.options):
        if not option.name:
            errors.required(path / "options" @ index, "must not be empty")


def validate_host_aliases(aliases: list[HostAlias], path: Path, errors: Errors) -> None:
    """Lines of the hosts file."""
    for index, alias in enumerate(aliases):
        rules.ip(alias.ip, path @ index / "ip", errors)
        for number, name in enumerate(alias.hostnames):
            rules.follows(name, names.dns_subdomain, path @ index / "hostnames" @ number, errors)
