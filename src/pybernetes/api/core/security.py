"""Security contexts: which user, capabilities and profiles containers run with."""

from pybernetes.api.meta import Struct, always


class AppArmorProfile(Struct, kw_only=True):
    """The AppArmor profile of a container."""

    type: str = always(str)
    localhost_profile: str = ""


class Capabilities(Struct, kw_only=True):
    """POSIX capabilities to add to, and to drop from, the runtime's defaults."""

    add: list[str] = []
    drop: list[str] = []


class SELinuxOptions(Struct, kw_only=True):
    """The SELinux label of a container."""

    level: str = ""
    role: str = ""
    type: str = ""
    user: str = ""


class SeccompProfile(Struct, kw_only=True):
    """The system calls that a container may make."""

    type: str = always(str)
    localhost_profile: str = ""


class Sysctl(Struct, kw_only=True):
    """A kernel parameter of the pod's namespaces."""

    name: str = always(str)
    value: str = always(str)


class WindowsSecurityContextOptions(Struct, kw_only=True):
    """Settings for Windows containers."""

    gmsa_credential_spec: str = ""
    gmsa_credential_spec_name: str = ""
    host_process: bool | None = None
    run_as_user_name: str = ""


class SecurityContext(Struct, kw_only=True):
    """The privileges of a container; it takes precedence over the pod's."""

    allow_privilege_escalation: bool | None = None
    app_armor_profile: AppArmorProfile | None = None
    capabilities: Capabilities | None = None
    privileged: bool | None = None
    proc_mount: str = ""
    read_only_root_filesystem: bool | None = None
    run_as_group: int | None = None
    run_as_non_root: bool | None = None
    run_as_user: int | None = None
    se_linux_options: SELinuxOptions | None = None
    seccomp_profile: SeccompProfile | None = None
    windows_options: WindowsSecurityContextOptions | None = None


class PodSecurityContext(Struct, kw_only=True):
    """The privileges of all containers of a pod, and the ownership of its volumes."""

    app_armor_profile: AppArmorProfile | None = None
    fs_group: int | None = None
    fs_group_change_policy: str = ""
    run_as_group: int | None = None
    run_as_non_root: bool | None = None
    run_as_user: int | None = None
    se_linux_change_policy: str = ""
    se_linux_options: SELinuxOptions | None = None
    seccomp_profile: SeccompProfile | None = None
    supplemental_groups: list[int] = []
    supplemental_groups_policy: str = ""
    sysctls: list[Sysctl] = []
    windows_options: WindowsSecurityContextOptions | None = None
