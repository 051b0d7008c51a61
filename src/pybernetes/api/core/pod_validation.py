"""Validation of pods and pod templates. Parts of a pod are validated in files of their own."""

from pybernetes.api import names, rules
from pybernetes.api.core.container import Container
from pybernetes.api.core.container_validation import (
    validate_container,
    validate_ephemeral_container,
    validate_hooks_and_probes,
    validate_init_container,
)
from pybernetes.api.core.placement_validation import validate_affinity, validate_spread, validate_tolerations
from pybernetes.api.core.pod_object import Pod
from pybernetes.api.core.pod_spec import PodDNSConfig, PodSpec, PodTemplateSpec
from pybernetes.api.core.security_validation import validate_pod_security_context
from pybernetes.api.core.volume_validation import validate_volumes
from pybernetes.api.field import Errors, Path
from pybernetes.api.meta_validation import NOT_NEGATIVE, validate_annotations, validate_labels

DNS_POLICIES = ("ClusterFirst", "ClusterFirstWithHostNet", "Default", "None")
RESTART_POLICIES = ("Always", "Never", "OnFailure")
MAX_NAMESERVERS, MAX_SEARCHES = 3, 32

SPEC = Path("spec")


def validate_pod(pod: Pod, errors: Errors) -> None:
    """Validate a pod after defaulting."""
    validate_pod_spec(pod.spec, SPEC, errors)


def validate_template(template: PodTemplateSpec, path: Path, errors: Errors) -> None:
    """Validate the pod template of a workload."""
    validate_labels(template.metadata.labels, path / "labels", errors)
    validate_annotations(template.metadata.annotations, path / "annotations", errors)
    validate_pod_spec(template.spec, path / "spec", errors)
    if template.spec.ephemeral_containers:
        text = "ephemeral containers not allowed in pod template"
        errors.forbidden(path / "spec" / "ephemeralContainers", text)


def validate_pod_spec(spec: PodSpec, path: Path, errors: Errors) -> None:
    """Rules for pods and pod templates."""
    volumes = validate_volumes(spec.volumes, path / "volumes", errors)
    _containers(spec, volumes, path, errors)
    rules.one_of(spec.restart_policy, RESTART_POLICIES, path / "restartPolicy", errors)
    rules.one_of(spec.dns_policy, DNS_POLICIES, path / "dnsPolicy", errors)
    validate_labels(spec.node_selector, path / "nodeSelector", errors)
    validate_pod_security_context(spec.security_context, path / "securityContext", errors)
    _names(spec, path, errors)
    _times(spec, path, errors)
    validate_affinity(spec.affinity, path / "affinity", errors)
    validate_tolerations(spec.tolerations, path / "tolerations", errors)
    validate_spread(spec.topology_spread_constraints, path / "topologySpreadConstraints", errors)
    _dns(spec, path, errors)
    _host_aliases(spec, path / "hostAliases", errors)
    for index, gate in enumerate(spec.readiness_gates):
        place = path / "readinessGates" @ index / "conditionType"
        rules.follows(gate.condition_type, names.qualified_name, place, errors)
    for index, scheduling in enumerate(spec.scheduling_gates):
        rules.follows(scheduling.name, names.qualified_name, path / "schedulingGates" @ index, errors)
    if spec.preemption_policy and spec.preemption_policy not in ("Never", "PreemptLowerPriority"):
        allowed = ["Never", "PreemptLowerPriority"]
        errors.not_supported(path / "preemptionPolicy", spec.preemption_policy, allowed)
    if spec.os is not None:
        rules.one_of(spec.os.name, ("linux", "windows"), path / "os" / "name", errors)


def _containers(spec: PodSpec, volumes: set[str], path: Path, errors: Errors) -> None:
    if not spec.containers:
        errors.required(path / "containers")
    taken: set[str] = set()
    for index, container in enumerate(spec.containers):
        place = path / "containers" @ index
        validate_container(container, volumes, spec.host_network, place, errors)
        validate_hooks_and_probes(container, place, errors)
        _unique(container.name, taken, place, errors)
    for index, container in enumerate(spec.init_containers):
        place = path / "initContainers" @ index
        validate_container(container, volumes, spec.host_network, place, errors)
        validate_init_container(container, place, errors)
        _unique(container.name, taken, place, errors)
    targets = set(taken)
    for index, ephemeral in enumerate(spec.ephemeral_containers):
        place = path / "ephemeralContainers" @ index
        validate_container(ephemeral, volumes, spec.host_network, place, errors)
        validate_ephemeral_container(ephemeral, targets, place, errors)
        _unique(ephemeral.name, taken, place, errors)
    _host_ports(spec.containers, path / "containers", errors)


def _unique(name: str, taken: set[str], path: Path, errors: Errors) -> None:
    if name and name in taken:
        errors.duplicate(path / "name", name)
    taken.add(name)


def _host_ports(containers: list[Container], path: Path, errors: Errors) -> None:
    taken: set[str] = set()
    for index, container in enumerate(containers):
        for number, port in enumerate(container.ports):
            if not port.host_port:
                continue
            text = f"{port.protocol}/{port.host_ip}/{port.host_port}"
            if text in taken:
                errors.duplicate(path @ index / "ports" @ number / "hostPort", text)
            taken.add(text)


def _names(spec: PodSpec, path: Path, errors: Errors) -> None:
    for value, rule, name in (
        (spec.service_account_name, names.dns_subdomain, "serviceAccountName"),
        (spec.node_name, names.dns_subdomain, "nodeName"),
        (spec.hostname, names.dns_label, "hostname"),
        (spec.subdomain, names.dns_label, "subdomain"),
        (spec.priority_class_name, names.dns_subdomain, "priorityClassName"),
        (spec.runtime_class_name or "", names.dns_subdomain, "runtimeClassName"),
    ):
        if value:
            rules.follows(value, rule, path / name, errors)


def _times(spec: PodSpec, path: Path, errors: Errors) -> None:
    deadline = spec.active_deadline_seconds
    if deadline is not None and not 1 <= deadline <= rules.MAX_INT32:
        errors.invalid(path / "activeDeadlineSeconds", deadline, names.in_range(1, rules.MAX_INT32))
    grace = spec.termination_grace_period_seconds
    if grace is not None and grace < 0:
        errors.invalid(path / "terminationGracePeriodSeconds", grace, NOT_NEGATIVE)


def _dns(spec: PodSpec, path: Path, errors: Errors) -> None:
    config = spec.dns_config
    if spec.dns_policy == "None" and (config is None or not config.nameservers):
        where = path / "dnsConfig" if config is None else path / "dnsConfig" / "nameservers"
        needed = "must provide `dnsConfig` when `dnsPolicy` is None"
        if config is not None:
            needed = "must provide at least one DNS nameserver when `dnsPolicy` is None"
        errors.required(where, needed)
    if config is not None:
        _dns_config(config, path / "dnsConfig", errors)


def _dns_config(config: PodDNSConfig, path: Path, errors: Errors) -> None:
    if len(config.nameservers) > MAX_NAMESERVERS:
        text = f"must not have more than {MAX_NAMESERVERS} nameservers"
        errors.invalid(path / "nameservers", config.nameservers, text)
    for index, server in enumerate(config.nameservers):
        rules.ip(server, path / "nameservers" @ index, errors)
    if len(config.searches) > MAX_SEARCHES:
        text = f"must not have more than {MAX_SEARCHES} search paths"
        errors.invalid(path / "searches", config.searches, text)
    for index, search in enumerate(config.searches):
        if search != ".":
            # Search domains may contain underscores.
            rules.follows(
                search.removesuffix(".").replace("_", "x"), names.dns_subdomain, path / "searches" @ index, errors
            )
    for index, option in enumerate(config.options):
        if not option.name:
            errors.required(path / "options" @ index, "must not be empty")


def _host_aliases(spec: PodSpec, path: Path, errors: Errors) -> None:
    for index, alias in enumerate(spec.host_aliases):
        rules.ip(alias.ip, path @ index / "ip", errors)
        for number, name in enumerate(alias.hostnames):
            rules.follows(name, names.dns_subdomain, path @ index / "hostnames" @ number, errors)
