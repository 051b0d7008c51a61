"""TODOC core/security.py"""

from pybernetes.api.meta import Struct, always


class AppArmorProfile(Struct, kw_only=True):
    """TODOC AppArmorProfile"""

    type: str = always(str)
    localhost_profile: str = ""


class Capabilities(Struct, kw_only=True):
    """TODOC Capabilities"""

    add: list[str] = []
    drop: list[str] = []


class SELinuxOptions(Struct, kw_only=True):
    """TODOC SELinuxOptions"""

    level: str = ""
    role: str = ""
    type: str = ""
    user: str = ""


class SeccompProfile(Struct, kw_only=True):
    """TODOC SeccompProfile"""

    type: str = always(str)
    localhost_profile: str = ""


class Sysctl(Struct, kw_only=True):
    """TODOC Sysctl"""

    name: str = always(str)
    value: str = always(str)


class WindowsSecurityContextOptions(Struct, kw_only=True):
    """TODOC WindowsSecurityContextOptions"""

    gmsa_credential_spec: str = ""
    gmsa_credential_spec_name: str = ""
    host_process: bool | None = None
    run_as_user_name: str = ""


class SecurityContext(Struct, kw_only=True):
    """TODOC SecurityContext"""

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
    """TODOC PodSecurityContext"""

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
