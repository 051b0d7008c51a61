"""serviceAccountToken: a token for the pod's service account, bound to the pod and renewed before it expires."""

from pybernetes.api.core.pod import Pod
from pybernetes.api.core.volume import ServiceAccountTokenProjection, VolumeProjection
from pybernetes.kubelet.volumes.atomic_writer import File
from pybernetes.kubelet.volumes.files import Files, safe_path
from pybernetes.kubelet.volumes.projection import Projection


class ServiceAccountTokenFiles(Projection[ServiceAccountTokenProjection]):
    """A token in a projected volume."""

    def source(self, projection: VolumeProjection) -> ServiceAccountTokenProjection | None:
        """`serviceAccountToken`"""
        return projection.service_account_token

    async def files(self, pod: Pod, source: ServiceAccountTokenProjection, mode: int) -> Files:
        """A file with the token. The volume must be refreshed when the token is due for renewal."""
        token = await self._host.tokens.token(pod, source)
        context = pod.spec.security_context
        # With an fsGroup only root and that group can read the token, else all users in the pod's containers can.
        private = 0o600 if context is not None and context.fs_group is not None else mode
        return Files({safe_path(source.path): File(token.text.encode(), private)}, token.renew_at)
