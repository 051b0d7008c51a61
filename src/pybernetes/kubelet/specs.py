"""From a pod to what the runtime is to make: sandbox and containers, with every mount, variable and right."""

import asyncio
from collections.abc import Callable, Iterable
from pathlib import Path

import msgspec

from pybernetes.api.core.container import VolumeMount
from pybernetes.api.core.pod import HostIP, Pod, PodIP
from pybernetes.api.core.service import Service
from pybernetes.api.quantity import value
from pybernetes.kubelet import names
from pybernetes.kubelet.config import KubeletConfig
from pybernetes.kubelet.environment import Objects, environment
from pybernetes.kubelet.errors import StartFailed
from pybernetes.kubelet.expand import expand
from pybernetes.kubelet.layout import PodDirs
from pybernetes.kubelet.plan import ContainerKind
from pybernetes.kubelet.podspec import AnyContainer, container_hash
from pybernetes.kubelet.resolver import (
    hosts_file,
    node_hosts_file,
    parse_resolv_conf,
    pod_dns,
    sandbox_hostname,
)
from pybernetes.kubelet.resources import container_resources
from pybernetes.kubelet.runtime import ContainerSpec, Images, Mount, PodState, PortMapping, Propagation, SandboxSpec
from pybernetes.kubelet.security import container_security, sandbox_security
from pybernetes.kubelet.services import Cgroups
from pybernetes.kubelet.volumes.manager import host_directory, source_of
from pybernetes.kubelet.volumes.sub_path import SubPathRefused, bind_sub_path

_PROPAGATION: dict[str, Propagation] = {
    "HostToContainer": "host-to-container",
    "Bidirectional": "bidirectional",
}
_CONFIG_ERROR = "CreateContainerConfigError"


class PodSpecs:
    """Makes specifications for this node."""

    def __init__(
        self,
        config: KubeletConfig,
        *,
        objects: Objects,
        images: Images,
        cgroups: Cgroups,
        services: Callable[[], Iterable[Service]],
        allocatable: dict[str, str],
    ) -> None:
        self._config = config
        self._objects = objects
        self._images = images
        self._cgroups = cgroups
        self._services = services
        self._allocatable = allocatable

    def sandbox(self, pod: Pod, attempt: int) -> SandboxSpec:
        """The pod's sandbox."""
        meta, config = pod.metadata, self._config
        host = parse_resolv_conf(_read(config.resolv_conf))
        context = pod.spec.security_context
        return SandboxSpec(
            name=meta.name,
            namespace=meta.namespace,
            uid=meta.uid,
            attempt=attempt,
            hostname=sandbox_hostname(pod, config.cluster_domain),
            log_directory=names.log_directory(str(config.pod_logs_dir), meta.namespace, meta.name, meta.uid),
            dns=pod_dns(pod, host, config.cluster_dns, config.cluster_domain),
            port_mappings=() if pod.spec.host_network else tuple(_ports(pod)),
            labels={**meta.labels, **_labels(pod)},
            annotations=meta.annotations,
            cgroup_parent=self._cgroups.parent(pod),
            security=sandbox_security(pod),
            sysctls={s.name: s.value for s in context.sysctls} if context is not None else {},
            runtime_handler=pod.spec.runtime_class_name or "",
        )

    async def container(
        self, pod: Pod, container: AnyContainer, kind: ContainerKind, attempt: int, image: str, state: PodState
    ) -> ContainerSpec:
        """One container; raises StartFailed."""
        sandbox = state.sandbox
        ips = sandbox.ips if sandbox is not None and sandbox.ips else self._config.node_ips
        seen = _with_addresses(pod, self._config.node_ips, ips)
        variables = await environment(seen, container, self._objects, self._services(), self._allocatable)
        mounts = await asyncio.to_thread(self._mounts, pod, container, attempt, ips, variables)
        target = _target(container, state)
        return ContainerSpec(
            name=container.name,
            image=image,
            image_name=container.image,
            attempt=attempt,
            command=tuple(expand(part, variables) for part in container.command),
            args=tuple(expand(part, variables) for part in container.args),
            working_dir=container.working_dir,
            env=tuple(variables.items()),
            mounts=tuple(mounts),
            labels={**_labels(pod), names.CONTAINER_NAME: container.name},
            annotations=_annotations(pod, container, attempt),
            log_path=names.log_path(container.name, attempt),
            stdin=container.stdin,
            stdin_once=container.stdin_once,
            tty=container.tty,
            resources=container_resources(pod, container, value(self._allocatable.get("memory", 0))),
            security=container_security(pod, container, await self._images.image(image), target),
        )

    def _mounts(
        self, pod: Pod, container: AnyContainer, attempt: int, ips: tuple[str, ...], variables: dict[str, str]
    ) -> list[Mount]:
        dirs = PodDirs(self._config.root_dir, pod.metadata.uid)
        volumes = {volume.name: volume for volume in pod.spec.volumes}
        mounts = []
        for index, wanted in enumerate(container.volume_mounts):
            volume = volumes.get(wanted.name)
            if volume is None:
                raise StartFailed(_CONFIG_ERROR, f'volumeMount "{wanted.name}" names no volume of the pod')
            host = host_directory(self._config, pod, volume)
            sub_path = _sub_path(wanted, variables)
            if sub_path:
                target = dirs.sub_paths(wanted.name, container.name) / str(index)
                try:
                    host = bind_sub_path(host, sub_path, target)
                except SubPathRefused as error:
                    raise StartFailed(_CONFIG_ERROR, f"failed to prepare subPath for volumeMount: {error}") from error
            read_only = wanted.read_only or source_of(volume) in ("config_map", "secret", "projected", "downward_api")
            mounts.append(
                Mount(
                    host_path=str(host),
                    container_path=_absolute(wanted.mount_path),
                    read_only=read_only,
                    propagation=_PROPAGATION.get(wanted.mount_propagation, "private"),
                )
            )
        mounts += self._hosts(pod, dirs, ips, [m.container_path for m in mounts])
        mounts.append(self._termination_log(dirs, container, attempt))
        return mounts

    def _hosts(self, pod: Pod, dirs: PodDirs, ips: tuple[str, ...], taken: list[str]) -> list[Mount]:
        if "/etc/hosts" in taken:
            return []
        if pod.spec.host_network:
            text = node_hosts_file(pod, _read(Path("/etc/hosts")))
        else:
            text = hosts_file(pod, ips, self._config.cluster_domain)
        dirs.hosts.parent.mkdir(parents=True, exist_ok=True)
        dirs.hosts.write_text(text)
        dirs.hosts.chmod(0o644)
        return [Mount(host_path=str(dirs.hosts), container_path="/etc/hosts")]

    def _termination_log(self, dirs: PodDirs, container: AnyContainer, attempt: int) -> Mount:
        path = dirs.container(container.name) / f"{attempt:08x}"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"")
        # The container's user is not ours: anybody may write its last words.
        path.chmod(0o666)
        inside = container.termination_message_path or names.DEFAULT_TERMINATION_MESSAGE_PATH
        return Mount(host_path=str(path), container_path=inside)


def _with_addresses(pod: Pod, host_ips: tuple[str, ...], pod_ips: tuple[str, ...]) -> Pod:
    """The pod with the addresses it has by now: its status at the API server may lag behind."""
    status = msgspec.structs.replace(
        pod.status,
        host_ip=host_ips[0],
        host_ips=[HostIP(ip=ip) for ip in host_ips],
        pod_ip=pod_ips[0],
        pod_ips=[PodIP(ip=ip) for ip in pod_ips],
    )
    return msgspec.structs.replace(pod, status=status)


def _sub_path(wanted: VolumeMount, variables: dict[str, str]) -> str:
    return expand(wanted.sub_path_expr, variables) if wanted.sub_path_expr else wanted.sub_path


def _absolute(path: str) -> str:
    return path if path.startswith("/") else "/" + path


def _target(container: AnyContainer, state: PodState) -> str:
    """Id of the container whose processes an ephemeral container is to see."""
    name = getattr(container, "target_container_name", "")
    found = state.latest(name) if name else None
    return found.id if found is not None else ""


def _labels(pod: Pod) -> dict[str, str]:
    meta = pod.metadata
    return {names.POD_NAME: meta.name, names.POD_NAMESPACE: meta.namespace, names.POD_UID: meta.uid}


def _annotations(pod: Pod, container: AnyContainer, attempt: int) -> dict[str, str]:
    found = {
        names.CONTAINER_HASH: container_hash(container),
        names.CONTAINER_RESTART_COUNT: str(attempt),
        names.CONTAINER_TERMINATION_MESSAGE_PATH: container.termination_message_path
        or names.DEFAULT_TERMINATION_MESSAGE_PATH,
        names.CONTAINER_TERMINATION_MESSAGE_POLICY: container.termination_message_policy or "File",
    }
    if pod.metadata.deletion_grace_period_seconds is not None:
        found[names.POD_DELETION_GRACE] = str(pod.metadata.deletion_grace_period_seconds)
    if pod.spec.termination_grace_period_seconds is not None:
        found[names.POD_TERMINATION_GRACE] = str(pod.spec.termination_grace_period_seconds)
    return found


def _ports(pod: Pod) -> Iterable[PortMapping]:
    for container in [*pod.spec.init_containers, *pod.spec.containers]:
        for port in container.ports:
            protocol = port.protocol or "TCP"
            if protocol not in ("TCP", "UDP", "SCTP") or not port.host_port:
                continue
            yield PortMapping(
                protocol="UDP" if protocol == "UDP" else "SCTP" if protocol == "SCTP" else "TCP",
                container_port=port.container_port,
                host_port=port.host_port,
                host_ip=port.host_ip,
            )


def _read(path: Path) -> str:
    try:
        return path.read_text(errors="replace")
    except OSError:
        return ""
