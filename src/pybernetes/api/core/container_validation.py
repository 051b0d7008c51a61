"""Validation of containers: init, regular and ephemeral ones, in the order in which kube-apiserver checks."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from pybernetes.api import names, rules
from pybernetes.api.core.container import (
    Container,
    ContainerPort,
    ContainerResizePolicy,
    ContainerRestartRule,
    EphemeralContainer,
)
from pybernetes.api.core.env_validation import validate_env, validate_env_from
from pybernetes.api.core.mount_validation import validate_devices, validate_mounts
from pybernetes.api.core.probe_validation import validate_lifecycle, validate_probe
from pybernetes.api.core.resource_validation import validate_resources
from pybernetes.api.core.security_validation import validate_security_context
from pybernetes.api.core.volume import Volume
from pybernetes.api.core.volume_validation import PULL_POLICIES
from pybernetes.api.field import Errors, Path

MESSAGE_POLICIES = ("File", "FallbackToLogsOnError")
RESTART_POLICIES = ("Always", "Never", "OnFailure")
RESTART_ACTIONS = ("Restart", "RestartAllContainers")
EXIT_CODE_OPERATORS = ("In", "NotIn")
RESIZED_RESOURCES = ("cpu", "memory")
RESIZE_POLICIES = ("NotRequired", "RestartContainer")
MAX_RESTART_RULES = 20
MAX_EXIT_CODES = 255
NO_RESTART_POLICY = "must specify restartPolicy when restart rules are used"

AnyContainer = Container | EphemeralContainer

_HOOKS = (
    ("lifecycle", "lifecycle"),
    ("liveness_probe", "livenessProbe"),
    ("readiness_probe", "readinessProbe"),
    ("startup_probe", "startupProbe"),
)
_NOT_FOR_EPHEMERAL = (
    ("ports", "ports"),
    ("resources", "resources"),
    ("resize_policy", "resizePolicy"),
    ("restart_policy", "restartPolicy"),
    ("restart_policy_rules", "restartPolicyRules"),
    *_HOOKS[1:],
    _HOOKS[0],
)
"""(attribute, name), in the order of the type in Go."""


@dataclass(frozen=True, slots=True)
class PodFacts:
    """What the rules for a container need to know about its pod."""

    volumes: Mapping[str, Volume] = field(default_factory=dict)
    """The valid volumes by name."""
    claims: frozenset[str] = frozenset()
    """The names of the pod's resource claims."""
    restart_policy: str = ""
    grace_seconds: int | None = None
    os: str | None = None
    """None if the pod does not say."""
    host_users: bool = True


def validate_containers(containers: list[Container], pod: PodFacts, path: Path, errors: Errors) -> None:
    """The regular containers of a pod."""
    if not containers:
        errors.required(path)
    taken: set[str] = set()
    for index, container in enumerate(containers):
        place = path @ index
        _common(container, pod, place, errors)
        if container.name in taken:
            errors.duplicate(place / "name", container.name)
        taken.add(container.name)
        _hooks_and_probes(container, pod, place, errors)
        _restart_policy(container.restart_policy, container.restart_policy_rules, place, errors)
    _host_ports(containers, path, errors)


def validate_init_containers(
    containers: list[Container], others: list[Container], pod: PodFacts, path: Path, errors: Errors
) -> None:
    """Init containers terminate, unless they are sidecars (restartPolicy Always). `others`: the regular ones."""
    taken = {container.name for container in others}
    for index, container in enumerate(containers):
        place = path @ index
        _common(container, pod, place, errors)
        if container.restart_policy:
            _restart_policy(container.restart_policy, container.restart_policy_rules, place, errors)
        elif container.restart_policy_rules:
            errors.required(place / "restartPolicy", NO_RESTART_POLICY)
        if container.name in taken:
            errors.duplicate(place / "name", container.name)
        elif container.name:
            taken.add(container.name)
        _host_ports([container], path, errors)
        if container.restart_policy == "Always":
            _hooks_and_probes(container, pod, place, errors)
            continue
        for attribute, name in _HOOKS:
            if getattr(container, attribute) is not None:
                errors.forbidden(place / name, "may not be set for init containers without restartPolicy=Always")
        for number, policy in enumerate(container.resize_policy):
            if policy.restart_policy == "RestartContainer":
                text = "must not be set to 'RestartContainer' for non-sidecar initContainers"
                errors.invalid(place / "resizePolicy" @ number / "restartPolicy", policy.restart_policy, text)


def validate_ephemeral_containers(
    containers: list[EphemeralContainer], others: list[Container], pod: PodFacts, path: Path, errors: Errors
) -> None:
    """Ephemeral containers have no guarantees, so fields such as resources, ports and probes are forbidden."""
    targets = {container.name for container in others}
    taken = set(targets)
    for index, container in enumerate(containers):
        place = path @ index
        _common(container, pod, place, errors)
        validate_image_of_pod(container, place, errors)
        if container.name in taken:
            errors.duplicate(place / "name", container.name)
        taken.add(container.name)
        if container.target_container_name and container.target_container_name not in targets:
            errors.not_found(place / "targetContainerName", container.target_container_name)
        _only_ephemeral_fields(container, place, errors)


def _only_ephemeral_fields(container: EphemeralContainer, path: Path, errors: Errors) -> None:
    text = "cannot be set for an Ephemeral Container"
    resources = container.resources
    for attribute, name in _NOT_FOR_EPHEMERAL:
        if attribute == "resources":
            given = bool(resources.limits or resources.requests or resources.claims)
        else:
            given = getattr(container, attribute) not in (None, "", [])
        if given:
            errors.forbidden(path / name, text)
    for index, mount in enumerate(container.volume_mounts):
        if mount.sub_path:
            errors.forbidden(path / "volumeMounts" @ index / "subPath", text)
        if mount.sub_path_expr:
            errors.forbidden(path / "volumeMounts" @ index / "subPathExpr", text)


def validate_image_of_pod(container: AnyContainer, path: Path, errors: Errors) -> None:
    """A rule for pods, which templates need not follow."""
    if container.image != container.image.strip():
        errors.invalid(path / "image", container.image, "must not have leading or trailing whitespace")


def _common(container: AnyContainer, pod: PodFacts, path: Path, errors: Errors) -> None:
    rules.named(container.name, names.dns_label, path / "name", errors)
    if not container.image:
        errors.required(path / "image")
    rules.one_of(container.termination_message_policy, MESSAGE_POLICIES, path / "terminationMessagePolicy", errors)
    _ports(container.ports, path / "ports", errors)
    validate_env(container.env, path / "env", errors)
    validate_env_from(container.env_from, path / "envFrom", errors)
    validate_mounts(container, pod.volumes, path / "volumeMounts", errors)
    validate_devices(container, pod.volumes, path / "volumeDevices", errors)
    rules.one_of(container.image_pull_policy, PULL_POLICIES, path / "imagePullPolicy", errors)
    validate_resources(container.resources, pod.claims, path / "resources", errors)
    _resize_policy(container.resize_policy, pod.restart_policy, path / "resizePolicy", errors)
    validate_security_context(container.security_context, pod.host_users, path / "securityContext", errors)


def _resize_policy(policies: list[ContainerResizePolicy], pod_policy: str, path: Path, errors: Errors) -> None:
    seen: set[str] = set()
    for index, policy in enumerate(policies):
        if policy.resource_name in seen:
            errors.duplicate(path @ index, policy.resource_name)
        seen.add(policy.resource_name)
        rules.one_of(policy.resource_name, RESIZED_RESOURCES, path, errors)
        rules.one_of(policy.restart_policy, RESIZE_POLICIES, path, errors)
        if pod_policy == "Never" and policy.restart_policy != "NotRequired":
            text = "must be 'NotRequired' when pod `restartPolicy` is 'Never'"
            errors.invalid(path, policy.restart_policy, text)


def _restart_policy(policy: str, restart_rules: list[ContainerRestartRule], path: Path, errors: Errors) -> None:
    if policy and policy not in RESTART_POLICIES:
        errors.not_supported(path / "restartPolicy", policy, list(RESTART_POLICIES))
    if not restart_rules:
        return
    if not policy:
        errors.required(path / "restartPolicy", NO_RESTART_POLICY)
    if len(restart_rules) > MAX_RESTART_RULES:
        errors.too_many(path / "restartPolicyRules", len(restart_rules), MAX_RESTART_RULES)
    for index, rule in enumerate(restart_rules):
        _restart_rule(rule, path / "restartPolicyRules" @ index, errors)


def _restart_rule(rule: ContainerRestartRule, path: Path, errors: Errors) -> None:
    if rule.action not in RESTART_ACTIONS:
        errors.not_supported(path / "action", rule.action, list(RESTART_ACTIONS))
    codes = rule.exit_codes
    if codes is None:
        errors.required(path / "exitCodes", "must be specified")
        return
    if codes.operator not in EXIT_CODE_OPERATORS:
        errors.not_supported(path / "exitCodes" / "operator", codes.operator, list(EXIT_CODE_OPERATORS))
    if len(codes.values) > MAX_EXIT_CODES:
        errors.too_many(path / "exitCodes" / "values", len(codes.values), MAX_EXIT_CODES)


def _hooks_and_probes(container: Container, pod: PodFacts, path: Path, errors: Errors) -> None:
    grace = pod.grace_seconds
    validate_lifecycle(container.lifecycle, grace, pod.os, path / "lifecycle", errors)
    validate_probe(container.liveness_probe, path / "livenessProbe", errors, needs_one_success=True)
    validate_probe(container.readiness_probe, path / "readinessProbe", errors)
    readiness = container.readiness_probe
    if readiness is not None and readiness.termination_grace_period_seconds is not None:
        place = path / "readinessProbe" / "terminationGracePeriodSeconds"
        errors.invalid(place, readiness.termination_grace_period_seconds, "must not be set for readinessProbes")
    validate_probe(container.startup_probe, path / "startupProbe", errors, needs_one_success=True)


def _ports(ports: list[ContainerPort], path: Path, errors: Errors) -> None:
    taken: set[str] = set()
    for index, port in enumerate(ports):
        place = path @ index
        if port.name:
            messages = names.port_name(port.name)
            for message in messages:
                errors.invalid(place / "name", port.name, message)
            if not messages and port.name in taken:
                errors.duplicate(place / "name", port.name)
            taken.add(port.name)
        if not port.container_port:
            errors.required(place / "containerPort")
        else:
            rules.port(port.container_port, place / "containerPort", errors)
        if port.host_port:
            rules.port(port.host_port, place / "hostPort", errors)
        rules.one_of(port.protocol, rules.PROTOCOLS, place / "protocol", errors)


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
