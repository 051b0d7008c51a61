"""Converts the kubelet's types to CRI messages. Pure."""

from pybernetes.kubelet.criapi import cri_pb2 as pb
from pybernetes.kubelet.runtime import ContainerSpec, Namespaces, Profile, Resources, SandboxSpec, Security

_MODES = {"pod": pb.POD, "container": pb.CONTAINER, "node": pb.NODE, "target": pb.TARGET}
_PROPAGATION = {
    "private": pb.PROPAGATION_PRIVATE,
    "host-to-container": pb.PROPAGATION_HOST_TO_CONTAINER,
    "bidirectional": pb.PROPAGATION_BIDIRECTIONAL,
}
_PROTOCOLS = {"TCP": pb.TCP, "UDP": pb.UDP, "SCTP": pb.SCTP}
_PROFILES = {
    "RuntimeDefault": pb.SecurityProfile.RuntimeDefault,
    "Unconfined": pb.SecurityProfile.Unconfined,
    "Localhost": pb.SecurityProfile.Localhost,
}


def sandbox(spec: SandboxSpec) -> pb.PodSandboxConfig:
    """Convert the specification of a sandbox."""
    config = pb.PodSandboxConfig(
        metadata=pb.PodSandboxMetadata(name=spec.name, uid=spec.uid, namespace=spec.namespace, attempt=spec.attempt),
        hostname=spec.hostname,
        log_directory=spec.log_directory,
        port_mappings=[
            pb.PortMapping(
                protocol=_PROTOCOLS[p.protocol],
                container_port=p.container_port,
                host_port=p.host_port,
                host_ip=p.host_ip,
            )
            for p in spec.port_mappings
        ],
        labels=spec.labels,
        annotations=spec.annotations,
        linux=pb.LinuxPodSandboxConfig(
            cgroup_parent=spec.cgroup_parent,
            security_context=_sandbox_security(spec.security),
            sysctls=spec.sysctls,
        ),
    )
    if spec.dns is not None:
        config.dns_config.CopyFrom(
            pb.DNSConfig(servers=spec.dns.servers, searches=spec.dns.searches, options=spec.dns.options)
        )
    return config


def container(spec: ContainerSpec) -> pb.ContainerConfig:
    """Convert the specification of a container."""
    return pb.ContainerConfig(
        metadata=pb.ContainerMetadata(name=spec.name, attempt=spec.attempt),
        image=pb.ImageSpec(image=spec.image),
        command=spec.command,
        args=spec.args,
        working_dir=spec.working_dir,
        envs=[pb.KeyValue(key=key, value=value) for key, value in spec.env],
        mounts=[
            pb.Mount(
                container_path=m.container_path,
                host_path=m.host_path,
                readonly=m.read_only,
                selinux_relabel=m.selinux_relabel,
                propagation=_PROPAGATION[m.propagation],
            )
            for m in spec.mounts
        ],
        devices=[
            pb.Device(container_path=d.container_path, host_path=d.host_path, permissions=d.permissions)
            for d in spec.devices
        ],
        labels=spec.labels,
        annotations=spec.annotations,
        log_path=spec.log_path,
        stdin=spec.stdin,
        stdin_once=spec.stdin_once,
        tty=spec.tty,
        linux=pb.LinuxContainerConfig(
            resources=_resources(spec.resources), security_context=_container_security(spec.security)
        ),
    )


def _resources(resources: Resources) -> pb.LinuxContainerResources:
    return pb.LinuxContainerResources(
        cpu_period=resources.cpu_period,
        cpu_quota=resources.cpu_quota,
        cpu_shares=resources.cpu_shares,
        memory_limit_in_bytes=resources.memory_limit,
        oom_score_adj=resources.oom_score_adj,
    )


def _namespaces(options: Namespaces) -> pb.NamespaceOption:
    return pb.NamespaceOption(
        network=_MODES[options.network],
        pid=_MODES[options.pid],
        ipc=_MODES[options.ipc],
        target_id=options.target_id,
    )


def _profile(profile: Profile) -> pb.SecurityProfile:
    return pb.SecurityProfile(profile_type=_PROFILES[profile.type], localhost_ref=profile.ref)


def _sandbox_security(security: Security) -> pb.LinuxSandboxSecurityContext:
    context = pb.LinuxSandboxSecurityContext(
        namespace_options=_namespaces(security.namespaces),
        readonly_rootfs=security.read_only_root,
        supplemental_groups=security.supplemental_groups,
        privileged=security.privileged,
        seccomp=_profile(security.seccomp),
    )
    if security.user is not None:
        context.run_as_user.value = security.user
    if security.group is not None and security.user is not None:
        context.run_as_group.value = security.group
    return context


def _container_security(security: Security) -> pb.LinuxContainerSecurityContext:
    context = pb.LinuxContainerSecurityContext(
        capabilities=pb.Capability(
            add_capabilities=security.add_capabilities, drop_capabilities=security.drop_capabilities
        ),
        privileged=security.privileged,
        namespace_options=_namespaces(security.namespaces),
        run_as_username=security.username,
        readonly_rootfs=security.read_only_root,
        supplemental_groups=security.supplemental_groups,
        no_new_privs=security.no_new_privileges,
        masked_paths=security.masked_paths,
        readonly_paths=security.read_only_paths,
        seccomp=_profile(security.seccomp),
    )
    if security.apparmor is not None:
        context.apparmor.CopyFrom(_profile(security.apparmor))
    if security.user is not None:
        context.run_as_user.value = security.user
        # Set the field even for 0: an unset field means that the image's user applies.
        context.run_as_user.SetInParent()
    if security.group is not None:
        context.run_as_group.value = security.group
        context.run_as_group.SetInParent()
    return context
