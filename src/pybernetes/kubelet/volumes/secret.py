"""secret: the keys of a Secret as files, in memory."""

from collections.abc import Iterable

from pybernetes.api.core.pod import Pod
from pybernetes.api.core.secret import Secret
from pybernetes.api.core.selectors import KeyToPath
from pybernetes.api.core.volume import SecretProjection, SecretVolumeSource, Volume, VolumeProjection
from pybernetes.client.errors import NotFound
from pybernetes.kubelet.api_objects import ObjectKey, secret_data
from pybernetes.kubelet.volumes.files import Files, FileVolume, keyed_files, mode_of
from pybernetes.kubelet.volumes.plugin import Host
from pybernetes.kubelet.volumes.projection import Projection


class SecretVolume(FileVolume[SecretVolumeSource]):
    """A Secret as a volume."""

    name = "kubernetes.io/secret"
    in_memory = True

    def source(self, volume: Volume) -> SecretVolumeSource | None:
        """`secret`"""
        return volume.secret

    def references(self, pod: Pod, source: SecretVolumeSource) -> Iterable[ObjectKey]:
        """The Secret."""
        yield ObjectKey(Secret, pod.metadata.namespace, source.secret_name)

    async def files(self, pod: Pod, source: SecretVolumeSource) -> Files:
        """A file per key."""
        mode = mode_of(source.default_mode)
        return await _files(self._host, pod, source.secret_name, source.items, mode, optional=bool(source.optional))


class SecretFiles(Projection[SecretProjection]):
    """A Secret in a projected volume."""

    def source(self, projection: VolumeProjection) -> SecretProjection | None:
        """`secret`"""
        return projection.secret

    def references(self, pod: Pod, source: SecretProjection) -> Iterable[ObjectKey]:
        """The Secret."""
        yield ObjectKey(Secret, pod.metadata.namespace, source.name)

    async def files(self, pod: Pod, source: SecretProjection, mode: int) -> Files:
        """A file per key."""
        return await _files(self._host, pod, source.name, source.items, mode, optional=bool(source.optional))


async def _files(host: Host, pod: Pod, name: str, items: list[KeyToPath], mode: int, *, optional: bool) -> Files:
    try:
        found = await host.objects.get(Secret, pod.metadata.namespace, name)
    except NotFound:
        if optional:
            return Files()
        raise
    return Files(keyed_files(secret_data(found), items, mode, kind="secret", optional=optional))
