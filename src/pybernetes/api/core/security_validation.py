"""Validation of security contexts of pods and containers."""

import re

from pybernetes.api import rules
from pybernetes.api.core.security import AppArmorProfile, PodSecurityContext, SeccompProfile, SecurityContext, Sysctl
from pybernetes.api.core.windows_validation import validate_windows_options
from pybernetes.api.field import Errors, Path

SYSCTL = r"([a-z0-9]([-_a-z0-9]*[a-z0-9])?[\./])*[a-z0-9]([-_a-z0-9]*[a-z0-9])?"
PROFILE_TYPES = ("Localhost", "RuntimeDefault", "Unconfined")
MAX_PROFILE_PATH = 4095
_IPC_SYSCTLS = ("kernel.shm", "kernel.msg", "kernel.sem", "fs.mqueue.")
_SYSCTL_RE = re.compile(SYSCTL)


def validate_security_context(context: SecurityContext | None, host_users: bool, path: Path, errors: Errors) -> None:
    """Security context of a container."""
    if context is None:
        return
    rules.identity(context.run_as_user, path / "runAsUser", errors)
    rules.identity(context.run_as_group, path / "runAsGroup", errors)
    if context.proc_mount and context.proc_mount not in ("Default", "Unmasked"):
        errors.not_supported(path / "procMount", context.proc_mount, ["Default", "Unmasked"])
    if host_users and context.proc_mount == "Unmasked":
        errors.invalid(path / "procMount", context.proc_mount, "`hostUsers` must be false to use `Unmasked`")
    _seccomp(context.seccomp_profile, path / "seccompProfile", errors)
    if context.allow_privilege_escalation is False:
        if context.privileged:
            errors.invalid(path, context, "cannot set `allowPrivilegeEscalation` to false and `privileged` to true")
        added = context.capabilities.add if context.capabilities is not None else []
        if "CAP_SYS_ADMIN" in added:
            text = "cannot set `allowPrivilegeEscalation` to false and `capabilities.Add` CAP_SYS_ADMIN"
            errors.invalid(path, context, text)
    validate_windows_options(context.windows_options, path / "windowsOptions", errors)
    _app_armor(context.app_armor_profile, path / "appArmorProfile", errors)


def validate_pod_security_context(
    context: PodSecurityContext | None, path: Path, errors: Errors, *, host_network: bool, host_ipc: bool
) -> None:
    """Security context of a pod."""
    if context is None:
        return
    rules.identity(context.fs_group, path / "fsGroup", errors)
    rules.identity(context.run_as_user, path / "runAsUser", errors)
    rules.identity(context.run_as_group, path / "runAsGroup", errors)
    for index, group in enumerate(context.supplemental_groups):
        rules.identity(group, path / "supplementalGroups" @ index, errors)
    _sysctls(context.sysctls, host_network, host_ipc, path / "sysctls", errors)
    _optional(context.fs_group_change_policy, ("Always", "OnRootMismatch"), path / "fsGroupChangePolicy", errors)
    _seccomp(context.seccomp_profile, path / "seccompProfile", errors)
    validate_windows_options(context.windows_options, path / "windowsOptions", errors)
    _app_armor(context.app_armor_profile, path / "appArmorProfile", errors)
    _optional(context.supplemental_groups_policy, ("Merge", "Strict"), path / "supplementalGroupsPolicy", errors)
    _optional(context.se_linux_change_policy, ("MountOption", "Recursive"), path / "seLinuxChangePolicy", errors)


def _optional(value: str, allowed: tuple[str, ...], path: Path, errors: Errors) -> None:
    if value and value not in allowed:
        errors.not_supported(path, value, list(allowed))


def _sysctls(sysctls: list[Sysctl], host_network: bool, host_ipc: bool, path: Path, errors: Errors) -> None:
    seen: set[str] = set()
    for index, sysctl in enumerate(sysctls):
        name, place = sysctl.name, path @ index / "name"
        if not name:
            errors.required(place)
        elif len(name) > 253 or not _SYSCTL_RE.fullmatch(name):
            errors.invalid(place, name, f"must have at most 253 characters and match regex ^{SYSCTL}$")
        elif name in seen:
            errors.duplicate(place, name)
        seen.add(name)
        dotted = name.replace("/", ".")
        if host_network and dotted.startswith("net."):
            errors.invalid(place, name, "may not be specified when 'hostNetwork' is true")
        elif host_ipc and dotted.startswith(_IPC_SYSCTLS):
            errors.invalid(place, name, "may not be specified when 'hostIPC' is true")


def _seccomp(profile: SeccompProfile | None, path: Path, errors: Errors) -> None:
    if profile is None:
        return
    if not profile.type:
        errors.required(path / "type", "type is required when seccompProfile is set")
    elif profile.type not in PROFILE_TYPES:
        errors.not_supported(path / "type", profile.type, list(PROFILE_TYPES))
    if profile.type == "Localhost":
        if profile.localhost_profile is None:
            errors.required(path / "localhostProfile", "must be set when seccomp type is Localhost")
        else:
            rules.relative_path(profile.localhost_profile, path / "localhostProfile", errors)
    elif profile.localhost_profile is not None:
        # The value is shown as Go names its fields.
        shown = {"Type": profile.type, "LocalhostProfile": profile.localhost_profile}
        errors.invalid(path / "localhostProfile", shown, "can only be set when seccomp type is Localhost")


def _app_armor(profile: AppArmorProfile | None, path: Path, errors: Errors) -> None:
    if profile is None:
        return
    place, localhost = path / "localhostProfile", profile.localhost_profile
    if profile.type == "Localhost":
        _app_armor_file(localhost, place, errors)
    elif not profile.type:
        errors.required(path / "type", "type is required when appArmorProfile is set")
    elif profile.type not in PROFILE_TYPES:
        errors.not_supported(path / "type", profile.type, list(PROFILE_TYPES))
    elif localhost is not None:
        errors.invalid(place, localhost, "can only be set when AppArmor type is Localhost")


def _app_armor_file(name: str | None, path: Path, errors: Errors) -> None:
    if name is not None and name != name.strip():
        errors.invalid(path, name, "must not be padded with whitespace")
    elif not name:
        errors.required(path, "must be set when AppArmor type is Localhost")
    if name is not None and len(name.encode()) > MAX_PROFILE_PATH:
        errors.too_long(path, MAX_PROFILE_PATH)
