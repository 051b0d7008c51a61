"""The mounts and devices of containers: volumes, /etc/hosts, and the termination log.

This module reads and writes files: call it in a thread.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from pybernetes.api.core.container import VolumeDevice, VolumeMount
from pybernetes.api.core.pod import Pod
from pybernetes.kubelet import names
from pybernetes.kubelet.config import KubeletConfig
from pybernetes.kubelet.errors import StartFailed
from pybernetes.kubelet.expand import expand
from pybernetes.kubelet.layout import PodDirs
from pybernetes.kubelet.podspec import AnyContainer
from pybernetes.kubelet.resolver import hosts_file, node_hosts_file
from pybernetes.kubelet.runtime import Device, Mount, Propagation
from pybernetes.kubelet.volumes.plugin import BlockVolume, MountedVolume, PublishedVolume
from pybernetes.kubelet.volumes.sub_path import SubPathRefused, bind_sub_path

_PROPAGATION: dict[str, Propagation] = {
    "HostToContainer": "host-to-container",
    "Bidirectional": "bidirectional",
}
_CONFIG_ERROR = "CreateContainerConfigError"


class PublishedVolumes(Protocol):
    """Finds volumes that have been set up."""

    def published(self, uid: str, name: str) -> PublishedVolume | None:
        """A pod's volume; None if it has not been set up."""


@dataclass(frozen=True, slots=True)
class ContainerFiles:
    """Mounts and devices of one container."""

    mounts: tuple[Mount, ...]
    devices: tuple[Device, ...]


class MountMaker:
    """Prepares the mounts and devices of containers."""

    def __init__(self, config: KubeletConfig, volumes: PublishedVolumes) -> None:
        self._config = config
        self._volumes = volumes

    def make(
        self, pod: Pod, container: AnyContainer, attempt: int, ips: tuple[str, ...], variables: Mapping[str, str]
    ) -> ContainerFiles:
        """Prepare the mounts and devices of one container. Raises StartFailed."""
        dirs = PodDirs(self._config.root_dir, pod.metadata.uid)
        mounts = []
        for index, wanted in enumerate(container.volume_mounts):
            sub_paths = dirs.sub_paths(wanted.name, container.name) / str(index)
            mounts.append(self._volume_mount(pod, container, wanted, variables, sub_paths))
        if all(mount.container_path != "/etc/hosts" for mount in mounts):
            mounts.append(self._hosts(pod, dirs, ips))
        mounts.append(_termination_log(dirs, container, attempt))
        devices = [self._device(pod, container, wanted) for wanted in container.volume_devices]
        return ContainerFiles(tuple(mounts), tuple(devices))

    def _published(self, pod: Pod, container: AnyContainer, name: str) -> PublishedVolume:
        found = self._volumes.published(pod.metadata.uid, name)
        if found is None:
            raise StartFailed(_CONFIG_ERROR, f'cannot find volume "{name}" to mount into container "{container.name}"')
        return found

    def _volume_mount(
        self, pod: Pod, container: AnyContainer, wanted: VolumeMount, variables: Mapping[str, str], target: Path
    ) -> Mount:
        volume = self._published(pod, container, wanted.name)
        if not isinstance(volume, MountedVolume):
            message = f"volume {wanted.name} has volumeMode Block, but is specified in volumeMounts"
            raise StartFailed(_CONFIG_ERROR, message)
        path = volume.path
        sub_path = expand(wanted.sub_path_expr, variables) if wanted.sub_path_expr else wanted.sub_path
        if sub_path:
            try:
                path = bind_sub_path(path, sub_path, target)
            except SubPathRefused as error:
                raise StartFailed(_CONFIG_ERROR, f"failed to prepare subPath for volumeMount: {error}") from error
        return Mount(
            host_path=str(path),
            container_path=_absolute(wanted.mount_path),
            read_only=wanted.read_only or volume.read_only,
            selinux_relabel=volume.selinux_relabel,
            propagation=_PROPAGATION.get(wanted.mount_propagation, "private"),
        )

    def _device(self, pod: Pod, container: AnyContainer, wanted: VolumeDevice) -> Device:
        volume = self._published(pod, container, wanted.name)
        if not isinstance(volume, BlockVolume):
            message = f"volume {wanted.name} has volumeMode Filesystem, but is specified in volumeDevices"
            raise StartFailed(_CONFIG_ERROR, message)
        return Device(
            host_path=str(volume.device),
            container_path=wanted.device_path,
            permissions="r" if volume.read_only else "mrw",
        )

    def _hosts(self, pod: Pod, dirs: PodDirs, ips: tuple[str, ...]) -> Mount:
        if pod.spec.host_network:
            text = node_hosts_file(pod, read_text(Path("/etc/hosts")))
        else:
            text = hosts_file(pod, ips, self._config.cluster_domain)
        dirs.hosts.parent.mkdir(parents=True, exist_ok=True)
        dirs.hosts.write_text(text)
        dirs.hosts.chmod(0o644)
        return Mount(host_path=str(dirs.hosts), container_path="/etc/hosts")


def _termination_log(dirs: PodDirs, container: AnyContainer, attempt: int) -> Mount:
    path = dirs.container(container.name) / f"{attempt:08x}"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"")
    # The container may run as any user and must be able to write its message.
    path.chmod(0o666)
    inside = container.termination_message_path or names.DEFAULT_TERMINATION_MESSAGE_PATH
    return Mount(host_path=str(path), container_path=inside)


def _absolute(path: str) -> str:
    return path if path.startswith("/") else "/" + path


def read_text(path: Path) -> str:
    """A file's text; empty if it cannot be read."""
    try:
        return path.read_text(errors="replace")
    except OSError:
        return ""
