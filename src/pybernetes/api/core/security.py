"""Security contexts: user, capabilities and profiles of containers."""

from typing import ClassVar

from pybernetes.api.facts import Union
from pybernetes.api.meta import Int64, Struct, always


class AppArmorProfile(Struct, kw_only=True):
    """The AppArmor profile of a container."""

    type_facts: ClassVar = (Union({"localhostProfile": "LocalhostProfile"}, "type"),)
    type: str = always(str)
    localhost_profile: str | None = None


class Capabilities(Struct, kw_only=True):
    """POSIX capabilities to add to and to drop from the runtime's defaults."""

    add: list[str] = []
    drop: list[str] = []


class SELinuxOptions(Struct, kw_only=True):
    """The SELinux label of a container."""

    level: str = ""
    role: str = ""
    type: str = ""
    user: str = ""


class SeccompProfile(Struct, kw_only=True):
    """The seccomp profile: the system calls that a container may make."""

    type_facts: ClassVar = (Union({"localhostProfile": "LocalhostProfile"}, "type"),)
    type: str = always(str)
    localhost_profile: str | None = None


class Sysctl(Struct, kw_only=True):
    """A kernel parameter of the pod's namespaces."""

    name: str = always(str)
    value: str = always(str)


class WindowsSecurityContextOptions(Struct, kw_only=True):
    """Settings for Windows containers."""

    gmsa_credential_spec: str | None = None
    gmsa_credential_spec_name: str | None = None
    host_process: bool | None = None
    run_as_user_name: str | None = None


class SecurityContext(Struct, kw_only=True):
    """Security settings of a container; they take precedence over those of the pod."""

    allow_privilege_escalation: bool | None = None
    """Whether a process can gain more privileges than its parent."""
    app_armor_profile: AppArmorProfile | None = None
    capabilities: Capabilities | None = None
    """Capabilities to add and to drop."""
    privileged: bool | None = None
    """Whether the container is privileged: equivalent to root on the node."""
    proc_mount: str = ""
    read_only_root_filesystem: bool | None = None
    """Whether the image's file system is read-only."""
    run_as_group: Int64 | None = None
    """The group ID of the first process."""
    run_as_non_root: bool | None = None
    """Whether the kubelet refuses to run the container as root."""
    run_as_user: Int64 | None = None
    """The user ID of the first process; the image's by default."""
    se_linux_options: SELinuxOptions | None = None
    seccomp_profile: SeccompProfile | None = None
    """The system calls that are allowed."""
    windows_options: WindowsSecurityContextOptions | None = None


class PodSecurityContext(Struct, kw_only=True):
    """Security settings of all containers of a pod, and the ownership of its volumes."""

    app_armor_profile: AppArmorProfile | None = None
    fs_group: Int64 | None = None
    """A group that owns the volumes and that all containers belong to."""
    fs_group_change_policy: str = ""
    run_as_group: Int64 | None = None
    """The group ID of the first processes."""
    run_as_non_root: bool | None = None
    """Whether the kubelet refuses to run the container as root."""
    run_as_user: Int64 | None = None
    """The user ID of the first processes."""
    se_linux_change_policy: str = ""
    se_linux_options: SELinuxOptions | None = None
    seccomp_profile: SeccompProfile | None = None
    supplemental_groups: list[Int64] = []
    """Further groups of the first processes."""
    supplemental_groups_policy: str = ""
    sysctls: list[Sysctl] = []
    """Kernel parameters of the pod."""
    windows_options: WindowsSecurityContextOptions | None = None
