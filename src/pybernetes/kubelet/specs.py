"""Makes the runtime's specifications of a pod's sandbox and containers."""

import asyncio
from collections.abc import Callable, Iterable

import msgspec

from pybernetes.api.core.pod import HostIP, Pod, PodIP
from pybernetes.api.core.service import Service
from pybernetes.api.quantity import value
from pybernetes.kubelet import names
from pybernetes.kubelet.api_objects import Objects
from pybernetes.kubelet.config import KubeletConfig
from pybernetes.kubelet.environment import environment
from pybernetes.kubelet.expand import expand
from pybernetes.kubelet.mounts import MountMaker, PublishedVolumes, read_text
from pybernetes.kubelet.plan import ContainerKind
from pybernetes.kubelet.podspec import AnyContainer, container_hash
from pybernetes.kubelet.resolver import parse_resolv_conf, pod_dns, sandbox_hostname
from pybernetes.kubelet.resources import container_resources
from pybernetes.kubelet.runtime import ContainerSpec, Images, PodState, PortMapping, SandboxSpec
from pybernetes.kubelet.security import container_security, sandbox_security
from pybernetes.kubelet.services import Cgroups


class PodSpecs:
    """Makes specifications for the pods of this node."""

    def __init__(
        self,
        config: KubeletConfig,
        *,
        objects: Objects,
        volumes: PublishedVolumes,
        images: Images,
        cgroups: Cgroups,
        services: Callable[[], Iterable[Service]],
        allocatable: dict[str, str],
    ) -> None:
        self._config = config
        self._objects = objects
        self._files = MountMaker(config, volumes)
        self._images = images
        self._cgroups = cgroups
        self._services = services
        self._allocatable = allocatable

    def sandbox(self, pod: Pod, attempt: int) -> SandboxSpec:
        """The pod's sandbox."""
        meta, config = pod.metadata, self._config
        host = parse_resolv_conf(read_text(config.resolv_conf))
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
        current = _with_addresses(pod, self._config.node_ips, ips)
        variables = await environment(current, container, self._objects, self._services(), self._allocatable)
        files = await asyncio.to_thread(self._files.make, pod, container, attempt, ips, variables)
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
            mounts=files.mounts,
            devices=files.devices,
            labels={**_labels(pod), names.CONTAINER_NAME: container.name},
            annotations=_annotations(pod, container, attempt),
            log_path=names.log_path(container.name, attempt),
            stdin=container.stdin,
            stdin_once=container.stdin_once,
            tty=container.tty,
            resources=container_resources(pod, container, value(self._allocatable.get("memory", 0))),
            security=container_security(pod, container, await self._images.image(image), target),
        )


def _with_addresses(pod: Pod, host_ips: tuple[str, ...], pod_ips: tuple[str, ...]) -> Pod:
    """The pod with its current addresses. Its status in the API server may lag behind."""
    status = msgspec.structs.replace(
        pod.status,
        host_ip=host_ips[0],
        host_ips=[HostIP(ip=ip) for ip in host_ips],
        pod_ip=pod_ips[0],
        pod_ips=[PodIP(ip=ip) for ip in pod_ips],
    )
    return msgspec.structs.replace(pod, status=status)


def _target(container: AnyContainer, state: PodState) -> str:
    """The id of an ephemeral container's target, whose processes it can see."""
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
