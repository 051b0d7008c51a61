"""projected: files of several sources in one directory."""

from collections.abc import Iterator, Sequence
from typing import Any

import msgspec

from pybernetes.api.core.pod import Pod
from pybernetes.api.core.volume import ProjectedVolumeSource, Volume, VolumeProjection
from pybernetes.kubelet.api_objects import ObjectKey
from pybernetes.kubelet.volumes.atomic_writer import File
from pybernetes.kubelet.volumes.files import Files, FileVolume, mode_of
from pybernetes.kubelet.volumes.plugin import NEVER, Host, VolumeError
from pybernetes.kubelet.volumes.projection import Projection


class ProjectedVolume(FileVolume[ProjectedVolumeSource]):
    """A projected volume. It is in memory because its files may be secret."""

    name = "kubernetes.io/projected"
    in_memory = True

    def __init__(self, host: Host, kinds: Sequence[Projection[Any]]) -> None:
        super().__init__(host)
        self._kinds = kinds

    def source(self, volume: Volume) -> ProjectedVolumeSource | None:
        """`projected`"""
        return volume.projected

    def references(self, pod: Pod, source: ProjectedVolumeSource) -> Iterator[ObjectKey]:
        """The objects of all sources."""
        for projection in source.sources:
            for kind in self._kinds:
                found = kind.source(projection)
                if found is not None:
                    yield from kind.references(pod, found)

    async def files(self, pod: Pod, source: ProjectedVolumeSource) -> Files:
        """The files of all sources. If two have the same path, the later one wins."""
        mode = mode_of(source.default_mode)
        content: dict[str, File] = {}
        refresh_at = NEVER
        for projection in source.sources:
            files = await self._project(pod, projection, mode)
            content.update(files.content)
            refresh_at = min(refresh_at, files.refresh_at)
        return Files(content, refresh_at)

    async def _project(self, pod: Pod, projection: VolumeProjection, mode: int) -> Files:
        for kind in self._kinds:
            found = kind.source(projection)
            if found is not None:
                return await kind.files(pod, found, mode)
        raise VolumeError(f"projected volume source is not supported: {_describe(projection)}")


def _describe(projection: VolumeProjection) -> str:
    return msgspec.json.encode(projection).decode()
