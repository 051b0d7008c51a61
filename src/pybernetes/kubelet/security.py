"""The security contexts of containers and sandboxes, from those of the pod and its containers. Pure."""

from pybernetes.api.core.pod import Pod
from pybernetes.api.core.security import AppArmorProfile, SeccompProfile, SecurityContext
from pybernetes.kubelet.errors import StartFailed
from pybernetes.kubelet.podspec import AnyContainer, all_containers
from pybernetes.kubelet.runtime import ImageInfo, Namespaces, Profile, Security

# Paths that are hidden from a container, or read-only, unless procMount is Unmasked; the lists are runc's.
MASKED = (
    "/proc/asound", "/proc/acpi", "/proc/kcore", "/proc/keys", "/proc/latency_stats", "/proc/timer_list",
    "/proc/timer_stats", "/proc/sched_debug", "/proc/scsi", "/sys/firmware", "/sys/devices/virtual/powercap",
)  # fmt: skip
READ_ONLY = ("/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger")


def namespaces(pod: Pod) -> Namespaces:
    """The namespaces that the pod's containers share with each other or with the node."""
    spec = pod.spec
    return Namespaces(
        network="node" if spec.host_network else "pod",
        ipc="node" if spec.host_ipc else "pod",
        pid="node" if spec.host_pid else "pod" if spec.share_process_namespace else "container",
    )


def sandbox_security(pod: Pod) -> Security:
    """The security context of the sandbox, which is privileged if any container is."""
    context = pod.spec.security_context
    privileged = any(c.security_context is not None and c.security_context.privileged for c in all_containers(pod))
    return Security(
        namespaces=namespaces(pod),
        user=context.run_as_user if context is not None else None,
        group=context.run_as_group if context is not None else None,
        supplemental_groups=_groups(pod),
        privileged=privileged,
        seccomp=Profile(type="RuntimeDefault"),
    )


def container_security(pod: Pod, container: AnyContainer, image: ImageInfo | None, target_id: str = "") -> Security:
    """The security context of a container. Raises StartFailed for a container that breaks runAsNonRoot."""
    own = container.security_context or SecurityContext()
    of_pod = pod.spec.security_context
    user = own.run_as_user if own.run_as_user is not None else (of_pod.run_as_user if of_pod else None)
    group = own.run_as_group if own.run_as_group is not None else (of_pod.run_as_group if of_pod else None)
    non_root = own.run_as_non_root if own.run_as_non_root is not None else (of_pod.run_as_non_root if of_pod else None)
    username = ""
    if user is None and image is not None:
        user, username = image.uid, image.username
    if non_root:
        _check_non_root(container.name, user, username)
    spaces = namespaces(pod)
    if target_id:
        spaces = Namespaces(network=spaces.network, ipc=spaces.ipc, pid="target", target_id=target_id)
    privileged = bool(own.privileged)
    capabilities = own.capabilities
    unmasked = privileged or own.proc_mount == "Unmasked"
    return Security(
        namespaces=spaces,
        user=user,
        username="" if user is not None else username,
        group=group,
        supplemental_groups=_groups(pod),
        privileged=privileged,
        read_only_root=bool(own.read_only_root_filesystem),
        no_new_privileges=own.allow_privilege_escalation is False,
        add_capabilities=tuple(capabilities.add) if capabilities else (),
        drop_capabilities=tuple(capabilities.drop) if capabilities else (),
        seccomp=_seccomp(own.seccomp_profile or (of_pod.seccomp_profile if of_pod else None), privileged),
        apparmor=_apparmor(own.app_armor_profile or (of_pod.app_armor_profile if of_pod else None)),
        masked_paths=() if unmasked else MASKED,
        read_only_paths=() if unmasked else READ_ONLY,
    )


def _check_non_root(name: str, user: int | None, username: str) -> None:
    if user == 0:
        message = "container's runAsUser breaks non-root policy"
    elif user is None and username:
        message = (
            f"container has runAsNonRoot and image has non-numeric user ({username}), cannot verify user is non-root"
        )
    elif user is None:
        message = "container has runAsNonRoot and image will run as root"
    else:
        return
    raise StartFailed("CreateContainerConfigError", f"{message} (container: {name})")


def _groups(pod: Pod) -> tuple[int, ...]:
    context = pod.spec.security_context
    if context is None:
        return ()
    extra = (context.fs_group,) if context.fs_group is not None else ()
    return (*context.supplemental_groups, *extra)


def _seccomp(profile: SeccompProfile | None, privileged: bool) -> Profile:
    if profile is None or privileged:
        return Profile(type="Unconfined")
    if profile.type == "Localhost":
        return Profile(type="Localhost", ref=profile.localhost_profile or "")
    return Profile(type="RuntimeDefault" if profile.type == "RuntimeDefault" else "Unconfined")


def _apparmor(profile: AppArmorProfile | None) -> Profile | None:
    if profile is None:
        return None
    if profile.type == "Localhost":
        return Profile(type="Localhost", ref=profile.localhost_profile or "")
    return Profile(type="RuntimeDefault" if profile.type == "RuntimeDefault" else "Unconfined")
