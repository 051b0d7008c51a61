"""The contract of a source of projected volumes."""

from abc import ABC, abstractmethod
from collections.abc import Iterable
from typing import Generic

from pybernetes.api.core.pod import Pod
from pybernetes.api.core.volume import VolumeProjection
from pybernetes.kubelet.api_objects import ObjectKey
from pybernetes.kubelet.volumes.files import Files
from pybernetes.kubelet.volumes.plugin import Host, S


class Projection(ABC, Generic[S]):
    """One kind of source of projected volumes."""

    def __init__(self, host: Host) -> None:
        self._host = host

    @abstractmethod
    def source(self, projection: VolumeProjection) -> S | None:
        """The projection's source if it is of this kind, else None."""

    def references(self, pod: Pod, source: S) -> Iterable[ObjectKey]:
        """The API objects that the files are made from."""
        return ()

    @abstractmethod
    async def files(self, pod: Pod, source: S, mode: int) -> Files:
        """The files; `mode` applies to those without a mode. Raises VolumeError, ApiError or Unreachable."""
