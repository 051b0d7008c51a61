"""Validation of containers: init, regular and ephemeral ones."""

from pybernetes.api import names, rules
from pybernetes.api.core.container import (
    Container,
    ContainerPort,
    EnvFromSource,
    EnvVar,
    EnvVarSource,
    EphemeralContainer,
    VolumeMount,
)
from pybernetes.api.core.field_ref_validation import ENV_FIELDS, validate_field_ref, validate_resource_ref
from pybernetes.api.core.probe_validation import validate_lifecycle, validate_probe
from pybernetes.api.core.resource_validation import validate_resources
from pybernetes.api.core.security_validation import validate_security_context
from pybernetes.api.core.selectors import ConfigMapKeySelector, SecretKeySelector
from pybernetes.api.field import Errors, Path

PULL_POLICIES = ("Always", "IfNotPresent", "Never")


def validate_container(
    container: Container | EphemeralContainer, volumes: set[str], host_network: bool, path: Path, errors: Errors
) -> None:
    """Rules for every container. The pod checks that names are unique."""
    rules.named(container.name, names.dns_label, path / "name", errors)
    if not container.image:
        errors.required(path / "image")
    elif container.image != container.image.strip():
        errors.invalid(path / "image", container.image, "must not have leading or trailing whitespace")
    policy = container.termination_message_policy
    if not policy:
        errors.required(path / "terminationMessagePolicy")
    elif policy not in ("FallbackToLogsOnError", "File"):
        errors.not_supported(path / "terminationMessagePolicy", policy, ["FallbackToLogsOnError", "File"])
    rules.one_of(container.image_pull_policy, PULL_POLICIES, path / "imagePullPolicy", errors)
    _ports(container.ports, host_network, path / "ports", errors)
    for index, variable in enumerate(container.env):
        _variable(variable, path / "env" @ index, errors)
    for index, source in enumerate(container.env_from):
        _env_from(source, path / "envFrom" @ index, errors)
    _mounts(container, volumes, path / "volumeMounts", errors)
    validate_resources(container.resources, path / "resources", errors)
    validate_security_context(container.security_context, path / "securityContext", errors)
    for place, resize in enumerate(container.resize_policy):
        _resize(resize.resource_name, resize.restart_policy, path / "resizePolicy" @ place, errors)


def _resize(resource: str, policy: str, path: Path, errors: Errors) -> None:
    rules.one_of(resource, ("cpu", "memory"), path / "resourceName", errors)
    rules.one_of(policy, ("NotRequired", "RestartContainer"), path / "restartPolicy", errors)


def validate_hooks_and_probes(container: Container, path: Path, errors: Errors) -> None:
    """Rules for containers that keep running."""
    validate_lifecycle(container.lifecycle, path / "lifecycle", errors)
    validate_probe(container.liveness_probe, path / "livenessProbe", errors, needs_one_success=True)
    validate_probe(container.readiness_probe, path / "readinessProbe", errors)
    validate_probe(container.startup_probe, path / "startupProbe", errors, needs_one_success=True)


def validate_init_container(container: Container, path: Path, errors: Errors) -> None:
    """An init container terminates, unless it is a sidecar (restartPolicy Always)."""
    if container.restart_policy == "Always":
        validate_hooks_and_probes(container, path, errors)
        return
    if container.restart_policy:
        errors.not_supported(path / "restartPolicy", container.restart_policy, ["Always"])
    for attribute, name in (
        ("lifecycle", "lifecycle"),
        ("liveness_probe", "livenessProbe"),
        ("readiness_probe", "readinessProbe"),
        ("startup_probe", "startupProbe"),
    ):
        if getattr(container, attribute) is not None:
            errors.forbidden(path / name, "may not be set for init containers without restartPolicy=Always")


def validate_ephemeral_container(container: EphemeralContainer, targets: set[str], path: Path, errors: Errors) -> None:
    """An ephemeral container has no guarantees, so fields such as resources, ports and probes are forbidden."""
    if container.target_container_name and container.target_container_name not in targets:
        errors.not_found(path / "targetContainerName", container.target_container_name)
    for attribute, name in (
        ("ports", "ports"),
        ("lifecycle", "lifecycle"),
        ("liveness_probe", "livenessProbe"),
        ("readiness_probe", "readinessProbe"),
        ("startup_probe", "startupProbe"),
        ("resize_policy", "resizePolicy"),
    ):
        if getattr(container, attribute):
            errors.forbidden(path / name, "cannot be set for an Ephemeral Container")
    if container.resources.limits or container.resources.requests:
        errors.forbidden(path / "resources", "cannot be set for an Ephemeral Container")
    for index, mount in enumerate(container.volume_mounts):
        if mount.sub_path:
            errors.forbidden(path / "volumeMounts" @ index / "subPath", "cannot be set for an Ephemeral Container")


def _ports(ports: list[ContainerPort], host_network: bool, path: Path, errors: Errors) -> None:
    rules.unique([p.name for p in ports], lambda i: path @ i / "name", errors)
    for index, port in enumerate(ports):
        place = path @ index
        if port.name:
            rules.follows(port.name, names.port_name, place / "name", errors)
        if not port.container_port:
            errors.required(place / "containerPort")
        else:
            rules.port(port.container_port, place / "containerPort", errors)
        if port.host_port:
            rules.port(port.host_port, place / "hostPort", errors)
        rules.one_of(port.protocol, rules.PROTOCOLS, place / "protocol", errors)
        if host_network and port.host_port != port.container_port:
            errors.invalid(
                place / "containerPort", port.container_port, "must match `hostPort` when `hostNetwork` is true"
            )


def _variable(variable: EnvVar, path: Path, errors: Errors) -> None:
    rules.named(variable.name, names.env_name, path / "name", errors)
    source = variable.value_from
    if source is None:
        return
    place = path / "valueFrom"
    given = sum(getattr(source, name) is not None for name in EnvVarSource.__struct_fields__)
    if not given:
        text = "must specify one of: `fieldRef`, `resourceFieldRef`, `configMapKeyRef` or `secretKeyRef`"
        errors.invalid(place, "", text)
    elif variable.value:
        errors.invalid(place, "", "may not be specified when `value` is not empty")
    elif given > 1:
        errors.invalid(place, "", "may not have more than one field specified at a time")
    if source.field_ref is not None:
        validate_field_ref(source.field_ref, ENV_FIELDS, place / "fieldRef", errors)
    if source.resource_field_ref is not None:
        validate_resource_ref(source.resource_field_ref, place / "resourceFieldRef", errors, in_volume=False)
    if source.config_map_key_ref is not None:
        _key(source.config_map_key_ref, place / "configMapKeyRef", errors)
    if source.secret_key_ref is not None:
        _key(source.secret_key_ref, place / "secretKeyRef", errors)


def _key(ref: ConfigMapKeySelector | SecretKeySelector, path: Path, errors: Errors) -> None:
    if not ref.name:
        errors.required(path / "name")
    rules.named(ref.key, names.config_key, path / "key", errors)


def _env_from(source: EnvFromSource, path: Path, errors: Errors) -> None:
    if source.prefix:
        rules.follows(source.prefix, names.env_name, path / "prefix", errors)
    if source.config_map_ref is not None and not source.config_map_ref.name:
        errors.required(path / "configMapRef" / "name")
    if source.secret_ref is not None and not source.secret_ref.name:
        errors.required(path / "secretRef" / "name")
    given = (source.config_map_ref is not None) + (source.secret_ref is not None)
    if not given:
        errors.invalid(path, "", "must specify one of: `configMapRef` or `secretRef`")
    elif given > 1:
        errors.invalid(path, "", "may not have more than one field specified at a time")


def _mounts(container: Container | EphemeralContainer, volumes: set[str], path: Path, errors: Errors) -> None:
    seen: set[str] = set()
    for index, mount in enumerate(container.volume_mounts):
        place = path @ index
        if not mount.name:
            errors.required(place / "name")
        if mount.name not in volumes:
            errors.not_found(place / "name", mount.name)
        if not mount.mount_path:
            errors.required(place / "mountPath")
        if mount.mount_path in seen:
            errors.invalid(place / "mountPath", mount.mount_path, "must be unique")
        seen.add(mount.mount_path)
        _sub_path(mount, place, errors)
        _propagation(mount, container, place, errors)


def _sub_path(mount: VolumeMount, path: Path, errors: Errors) -> None:
    if mount.sub_path:
        rules.relative_path(mount.sub_path, path / "subPath", errors)
    if mount.sub_path_expr:
        if mount.sub_path:
            errors.invalid(path / "subPathExpr", mount.sub_path_expr, "subPathExpr and subPath are mutually exclusive")
        rules.relative_path(mount.sub_path_expr, path / "subPathExpr", errors)


def _propagation(mount: VolumeMount, container: Container | EphemeralContainer, path: Path, errors: Errors) -> None:
    mode = mount.mount_propagation
    allowed = ["Bidirectional", "HostToContainer", "None"]
    if mode and mode not in allowed:
        errors.not_supported(path / "mountPropagation", mode, allowed)
    context = container.security_context
    if mode == "Bidirectional" and not (context is not None and context.privileged):
        errors.forbidden(
            path / "mountPropagation", "Bidirectional mount propagation is available only to privileged containers"
        )
