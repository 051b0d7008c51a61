"""downwardAPI: fields of the pod, and resources of its containers, as files."""

from collections.abc import Mapping

from pybernetes.api.core.pod import Pod
from pybernetes.api.core.volume import (
    DownwardAPIProjection,
    DownwardAPIVolumeFile,
    DownwardAPIVolumeSource,
    Volume,
    VolumeProjection,
)
from pybernetes.kubelet.field_path import BadFieldPath, field_value, resource_value
from pybernetes.kubelet.volumes.atomic_writer import File
from pybernetes.kubelet.volumes.files import Files, FileVolume, mode_of, safe_path
from pybernetes.kubelet.volumes.plugin import VolumeError
from pybernetes.kubelet.volumes.projection import Projection


class DownwardAPIVolume(FileVolume[DownwardAPIVolumeSource]):
    """The downward API as a volume."""

    name = "kubernetes.io/downward-api"

    def source(self, volume: Volume) -> DownwardAPIVolumeSource | None:
        """`downwardAPI`"""
        return volume.downward_api

    async def files(self, pod: Pod, source: DownwardAPIVolumeSource) -> Files:
        """A file per item."""
        return _files(pod, source.items, mode_of(source.default_mode), self._host.allocatable)


class DownwardAPIFiles(Projection[DownwardAPIProjection]):
    """The downward API in a projected volume."""

    def source(self, projection: VolumeProjection) -> DownwardAPIProjection | None:
        """`downwardAPI`"""
        return projection.downward_api

    async def files(self, pod: Pod, source: DownwardAPIProjection, mode: int) -> Files:
        """A file per item."""
        return _files(pod, source.items, mode, self._host.allocatable)


def _files(pod: Pod, items: list[DownwardAPIVolumeFile], mode: int, allocatable: Mapping[str, str]) -> Files:
    files: dict[str, File] = {}
    for item in items:
        text = ""
        try:
            if item.field_ref is not None:
                text = field_value(pod, item.field_ref.field_path)
            elif item.resource_field_ref is not None:
                text = resource_value(pod, item.resource_field_ref, "", allocatable)
        except BadFieldPath as error:
            raise VolumeError(str(error)) from error
        files[safe_path(item.path)] = File(text.encode(), mode if item.mode is None else item.mode)
    return Files(files)
