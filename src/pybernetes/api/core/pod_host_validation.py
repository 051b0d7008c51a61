"""Validation of what a pod shares with its node, and of the node's operating system."""

from collections.abc import Iterator

from pybernetes.api import names, rules
from pybernetes.api.core.container import Container, EphemeralContainer
from pybernetes.api.core.pod_spec import PodSpec
from pybernetes.api.core.security import PodSecurityContext, SecurityContext
from pybernetes.api.field import Errors, Path

OPERATING_SYSTEMS = ("linux", "windows")
MAX_HOSTNAME = 64
_NOT_ON_WINDOWS = "cannot be set for a windows pod"

_POD_NOT_ON_WINDOWS = (
    ("app_armor_profile", "appArmorProfile"),
    ("se_linux_options", "seLinuxOptions"),
    ("seccomp_profile", "seccompProfile"),
    ("fs_group", "fsGroup"),
    ("fs_group_change_policy", "fsGroupChangePolicy"),
    ("sysctls", "sysctls"),
    ("run_as_user", "runAsUser"),
    ("run_as_group", "runAsGroup"),
    ("supplemental_groups", "supplementalGroups"),
    ("supplemental_groups_policy", "supplementalGroupsPolicy"),
    ("se_linux_change_policy", "seLinuxChangePolicy"),
)
_CONTAINER_NOT_ON_WINDOWS = (
    ("app_armor_profile", "appArmorProfile"),
    ("se_linux_options", "seLinuxOptions"),
    ("seccomp_profile", "seccompProfile"),
    ("capabilities", "capabilities"),
    ("read_only_root_filesystem", "readOnlyRootFilesystem"),
    ("privileged", "privileged"),
    ("allow_privilege_escalation", "allowPrivilegeEscalation"),
    ("proc_mount", "procMount"),
    ("run_as_user", "runAsUser"),
    ("run_as_group", "runAsGroup"),
)


def containers_with_paths(spec: PodSpec, path: Path) -> Iterator[tuple[Container | EphemeralContainer, Path]]:
    """All containers, in the order in which kube-apiserver visits them."""
    for index, container in enumerate(spec.init_containers):
        yield container, path / "initContainers" @ index
    for index, container in enumerate(spec.containers):
        yield container, path / "containers" @ index
    for index, ephemeral in enumerate(spec.ephemeral_containers):
        yield ephemeral, path / "ephemeralContainers" @ index


def validate_host_process(spec: PodSpec, path: Path, errors: Errors) -> None:
    """If one container runs as a process of a Windows node, all do, and they use the network of the node."""
    of_pod = _host_process(spec.security_context)
    count = host_processes = 0
    for container, place in containers_with_paths(spec, path):
        own = _host_process(container.security_context)
        count += 1
        if of_pod is not None and own is not None and of_pod != own:
            text = f"pod hostProcess value must be identical if both are specified, was {'true' if of_pod else 'false'}"
            errors.invalid(place / "securityContext" / "windowsOptions" / "hostProcess", own, text)
        host_processes += bool(of_pod if own is None else own)
    if not host_processes:
        return
    if host_processes != count:
        text = "If pod contains any hostProcess containers then all containers must be HostProcess containers"
        errors.invalid(path, "", text)
    if not spec.host_network:
        text = "hostNetwork must be true if pod contains any hostProcess containers"
        errors.invalid(path / "hostNetwork", False, text)


def _host_process(context: SecurityContext | PodSecurityContext | None) -> bool | None:
    if context is None or context.windows_options is None:
        return None
    return context.windows_options.host_process


def validate_host_facts(spec: PodSpec, path: Path, errors: Errors) -> None:
    """A pod with its own user namespace shares no other namespaces with the node."""
    if spec.host_users is not False:
        return
    text = "when `hostUsers` is false"
    if spec.host_network:
        errors.forbidden(path / "hostNetwork", text)
    if spec.host_pid:
        errors.forbidden(path / "HostPID", text)
    if spec.host_ipc:
        errors.forbidden(path / "HostIPC", text)
    for container, place in containers_with_paths(spec, path):
        if container.volume_devices:
            errors.forbidden(place / "volumeDevices", text)


def validate_host_name(spec: PodSpec, path: Path, errors: Errors) -> None:
    """A host name that overrides all others."""
    name, place = spec.hostname_override, path / "hostnameOverride"
    if name is None:
        return
    if spec.set_hostname_as_fqdn:
        errors.forbidden(place, "may not be specified when setHostnameAsFQDN is true")
    if spec.host_network:
        errors.forbidden(place, "may not be specified when hostNetwork is true")
    if len(name.encode()) > MAX_HOSTNAME:
        errors.too_long(place, MAX_HOSTNAME)
    rules.follows(name, names.dns_subdomain, place, errors)


def validate_os(spec: PodSpec, path: Path, errors: Errors) -> None:
    """The operating system, and what the pod cannot have on it."""
    if spec.os is None:
        return
    name = spec.os.name
    if not name:
        errors.required(path / "os" / "name")
    elif name not in OPERATING_SYSTEMS:
        errors.not_supported(path / "os", name, list(OPERATING_SYSTEMS))
    elif name == "linux":
        _on_linux(spec, path, errors)
    else:
        _on_windows(spec, path, errors)


def _on_linux(spec: PodSpec, path: Path, errors: Errors) -> None:
    text = "windows options cannot be set for a linux pod"
    if spec.security_context is not None and spec.security_context.windows_options is not None:
        errors.forbidden(path / "securityContext" / "windowsOptions", text)
    for container, place in containers_with_paths(spec, path):
        context = container.security_context
        if context is not None and context.windows_options is not None:
            errors.forbidden(place / "securityContext" / "windowsOptions", text)


def _on_windows(spec: PodSpec, path: Path, errors: Errors) -> None:
    if spec.security_context is not None:
        _none_of(spec.security_context, _POD_NOT_ON_WINDOWS, path / "securityContext", errors)
    if spec.host_users is not None:
        errors.forbidden(path / "hostUsers", _NOT_ON_WINDOWS)
    if spec.host_pid:
        errors.forbidden(path / "hostPID", _NOT_ON_WINDOWS)
    if spec.host_ipc:
        errors.forbidden(path / "hostIPC", _NOT_ON_WINDOWS)
    if spec.share_process_namespace is not None:
        errors.forbidden(path / "shareProcessNamespace", _NOT_ON_WINDOWS)
    for container, place in containers_with_paths(spec, path):
        if container.security_context is not None:
            _none_of(container.security_context, _CONTAINER_NOT_ON_WINDOWS, place / "securityContext", errors)


def _none_of(given: object, fields: tuple[tuple[str, str], ...], path: Path, errors: Errors) -> None:
    for attribute, name in fields:
        if getattr(given, attribute) not in (None, "", []):
            errors.forbidden(path / name, _NOT_ON_WINDOWS)
