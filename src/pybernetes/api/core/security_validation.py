"""Validation of security contexts of pods and containers."""

import re

from pybernetes.api import names, rules
from pybernetes.api.core.security import AppArmorProfile, PodSecurityContext, SeccompProfile, SecurityContext
from pybernetes.api.field import Errors, Path

SYSCTL = r"([a-z0-9]([-_a-z0-9]*[a-z0-9])?[\./])*[a-z0-9]([-_a-z0-9]*[a-z0-9])?"
_SYSCTL_RE = re.compile(SYSCTL)


def _identity(value: int | None, path: Path, errors: Errors) -> None:
    """A user or group ID."""
    if value is not None and not 0 <= value <= rules.MAX_INT32:
        errors.invalid(path, value, names.in_range(0, rules.MAX_INT32))


def validate_security_context(context: SecurityContext | None, path: Path, errors: Errors) -> None:
    """Security context of a container."""
    if context is None:
        return
    _identity(context.run_as_user, path / "runAsUser", errors)
    _identity(context.run_as_group, path / "runAsGroup", errors)
    if context.proc_mount and context.proc_mount not in ("Default", "Unmasked"):
        errors.not_supported(path / "procMount", context.proc_mount, ["Default", "Unmasked"])
    _seccomp(context.seccomp_profile, path / "seccompProfile", errors)
    _app_armor(context.app_armor_profile, path / "appArmorProfile", errors)
    if context.allow_privilege_escalation is False:
        if context.privileged:
            errors.invalid(path, context, "cannot set `allowPrivilegeEscalation` to false and `privileged` to true")
        added = context.capabilities.add if context.capabilities is not None else []
        if "CAP_SYS_ADMIN" in added:
            text = "cannot set `allowPrivilegeEscalation` to false and `capabilities.Add` CAP_SYS_ADMIN"
            errors.invalid(path, context, text)


def validate_pod_security_context(context: PodSecurityContext | None, path: Path, errors: Errors) -> None:
    """Security context of a pod."""
    if context is None:
        return
    _identity(context.fs_group, path / "fsGroup", errors)
    _identity(context.run_as_user, path / "runAsUser", errors)
    _identity(context.run_as_group, path / "runAsGroup", errors)
    for index, group in enumerate(context.supplemental_groups):
        _identity(group, path / "supplementalGroups" @ index, errors)
    if context.fs_group_change_policy and context.fs_group_change_policy not in ("Always", "OnRootMismatch"):
        errors.not_supported(path / "fsGroupChangePolicy", context.fs_group_change_policy, ["Always", "OnRootMismatch"])
    if context.supplemental_groups_policy and context.supplemental_groups_policy not in ("Merge", "Strict"):
        errors.not_supported(path / "supplementalGroupsPolicy", context.supplemental_groups_policy, ["Merge", "Strict"])
    _seccomp(context.seccomp_profile, path / "seccompProfile", errors)
    _app_armor(context.app_armor_profile, path / "appArmorProfile", errors)
    rules.unique([s.name for s in context.sysctls], lambda i: path / "sysctls" @ i / "name", errors)
    for index, sysctl in enumerate(context.sysctls):
        place = path / "sysctls" @ index / "name"
        if not sysctl.name:
            errors.required(place)
        elif len(sysctl.name) > 253 or not _SYSCTL_RE.fullmatch(sysctl.name):
            errors.invalid(place, sysctl.name, f"must have at most 253 characters and match regex ^{SYSCTL}$")


def _seccomp(profile: SeccompProfile | None, path: Path, errors: Errors) -> None:
    if profile is None:
        return
    rules.one_of(profile.type, ("Localhost", "RuntimeDefault", "Unconfined"), path / "type", errors)
    if profile.type == "Localhost":
        if not profile.localhost_profile:
            errors.required(path / "localhostProfile", "must be set when seccomp type is Localhost")
        else:
            rules.relative_path(profile.localhost_profile, path / "localhostProfile", errors)
    elif profile.localhost_profile:
        text = "can only be set when seccomp type is Localhost"
        errors.invalid(path / "localhostProfile", profile.localhost_profile, text)


def _app_armor(profile: AppArmorProfile | None, path: Path, errors: Errors) -> None:
    if profile is None:
        return
    rules.one_of(profile.type, ("Localhost", "RuntimeDefault", "Unconfined"), path / "type", errors)
    if profile.type == "Localhost" and not profile.localhost_profile:
        errors.required(path / "localhostProfile", "must be set when AppArmor type is Localhost")
    elif profile.type != "Localhost" and profile.localhost_profile:
        text = "can only be set when AppArmor type is Localhost"
        errors.invalid(path / "localhostProfile", profile.localhost_profile, text)
