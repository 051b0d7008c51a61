"""configMap: the keys of a ConfigMap as files."""

from collections.abc import Iterable

from pybernetes.api.core.config_map import ConfigMap
from pybernetes.api.core.pod import Pod
from pybernetes.api.core.volume import ConfigMapProjection, ConfigMapVolumeSource, Volume, VolumeProjection
from pybernetes.client.errors import NotFound
from pybernetes.kubelet.api_objects import ObjectKey, config_map_data
from pybernetes.kubelet.volumes.files import Files, FileVolume, keyed_files, mode_of
from pybernetes.kubelet.volumes.plugin import Host
from pybernetes.kubelet.volumes.projection import Projection


class ConfigMapVolume(FileVolume[ConfigMapVolumeSource]):
    """A ConfigMap as a volume."""

    name = "kubernetes.io/configmap"

    def source(self, volume: Volume) -> ConfigMapVolumeSource | None:
        """`configMap`"""
        return volume.config_map

    def references(self, pod: Pod, source: ConfigMapVolumeSource) -> Iterable[ObjectKey]:
        """The ConfigMap."""
        yield ObjectKey(ConfigMap, pod.metadata.namespace, source.name)

    async def files(self, pod: Pod, source: ConfigMapVolumeSource) -> Files:
        """A file per key."""
        return await _files(self._host, pod, source, mode_of(source.default_mode))


class ConfigMapFiles(Projection[ConfigMapProjection]):
    """A ConfigMap in a projected volume."""

    def source(self, projection: VolumeProjection) -> ConfigMapProjection | None:
        """`configMap`"""
        return projection.config_map

    def references(self, pod: Pod, source: ConfigMapProjection) -> Iterable[ObjectKey]:
        """The ConfigMap."""
        yield ObjectKey(ConfigMap, pod.metadata.namespace, source.name)

    async def files(self, pod: Pod, source: ConfigMapProjection, mode: int) -> Files:
        """A file per key."""
        return await _files(self._host, pod, source, mode)


async def _files(host: Host, pod: Pod, source: ConfigMapVolumeSource | ConfigMapProjection, mode: int) -> Files:
    optional = bool(source.optional)
    try:
        found = await host.objects.get(ConfigMap, pod.metadata.namespace, source.name)
    except NotFound:
        if optional:
            return Files()
        raise
    return Files(keyed_files(config_map_data(found), source.items, mode, kind="configmap", optional=optional))
