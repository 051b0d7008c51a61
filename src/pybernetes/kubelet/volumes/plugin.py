"""The contract of a kind of volume.

The kubelet calls a plugin as follows:

    references   returns the API objects that the volume is made from. The kubelet watches them while the pod is on the
                 node.
    set_up       creates the volume, or brings it up to date, and returns where it is. Called before the pod's sandbox
                 is created, before each start of a container, and after a restart of the kubelet. If `refreshes` is
                 set, also called when a referenced object or the pod's labels or annotations have changed, and when
                 `refresh_at` has come. It must be idempotent, and cheap if nothing has changed.
    tear_down    reverts `set_up` after all containers have exited. After a restart the kubelet may know only the pod's
                 uid, so the plugin must find what it needs in the volume's directory.

The kubelet does everything else, for all kinds: it selects the plugin, keeps a pod's calls in sequence, applies
fsGroup, mounts subPaths such that symbolic links cannot leave the volume, passes mounts and devices to the runtime, and
finally unmounts and removes the directory.
"""

import math
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Generic, Protocol, TypeVar

from pybernetes.api.core.pod import Pod
from pybernetes.api.core.volume import ServiceAccountTokenProjection, Volume
from pybernetes.kubelet.api_objects import ObjectKey, Objects
from pybernetes.kubelet.types import Clock

S = TypeVar("S")
NEVER = math.inf


class VolumeError(Exception):
    """The volume cannot be set up now. The kubelet records an event with the message and retries."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MountedVolume:
    """A directory or file of the node that containers mount."""

    path: Path
    read_only: bool = False
    """Mount it read-only even if the container does not request that."""
    apply_fs_group: bool = False
    """Change the group of all files to the pod's fsGroup, according to fsGroupChangePolicy. Leave it False for volumes
    that are shared with other pods, and if the plugin sets the group itself."""
    selinux_relabel: bool = False
    """Let the runtime relabel the files for the pod's SELinux context. Leave it False for shared volumes."""
    refresh_at: float = NEVER
    """When to call `set_up` again even if nothing has changed, in seconds since the epoch."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BlockVolume:
    """A block device of the node (volumeMode Block), which becomes a device in containers instead of a mount."""

    device: Path
    read_only: bool = False
    refresh_at: float = NEVER


PublishedVolume = MountedVolume | BlockVolume


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """The volume to set up, and its directory."""

    pod: Pod
    name: str
    """The volume's name in the pod."""
    directory: Path
    """`<root>/pods/<uid>/volumes/<plugin>/<name>`, for use by the plugin only. `set_up` must create it."""
    first: bool
    """Whether the volume is set up for the first time: the directory does not exist yet."""

    @property
    def fs_group(self) -> int | None:
        """The pod's fsGroup."""
        context = self.pod.spec.security_context
        return context.fs_group if context is not None else None


class VolumePlugin(ABC, Generic[S]):
    """One kind of volume. `S` is the type of its source, such as `EmptyDirVolumeSource`."""

    name: ClassVar[str]
    """For example `kubernetes.io/empty-dir`. It is part of directory names, so it must never change."""
    needs_node: ClassVar[bool] = True
    """Whether `set_up` uses the machine. A simulated node skips such volumes and sets up the others."""
    refreshes: ClassVar[bool] = False
    """Whether the volume may have to change while its pod runs."""

    @abstractmethod
    def source(self, volume: Volume) -> S | None:
        """The volume's source if it is of this kind, else None."""

    def references(self, pod: Pod, source: S) -> Iterable[ObjectKey]:
        """The API objects that the volume is made from."""
        return ()

    @abstractmethod
    async def set_up(self, source: S, target: Target) -> PublishedVolume:
        """Create the volume, or bring it up to date. Raises VolumeError, ApiError, Unreachable or OSError.

        Use a thread for blocking calls.
        """

    async def tear_down(self, directory: Path) -> None:
        """Revert `set_up`. Afterwards the kubelet unmounts and removes the directory. Raises VolumeError or OSError."""


@dataclass(frozen=True, slots=True)
class Token:
    """A service account's token and the time to renew it."""

    text: str
    renew_at: float


class Tokens(Protocol):
    """Provides tokens of pods' service accounts."""

    async def token(self, pod: Pod, projection: ServiceAccountTokenProjection) -> Token:
        """A token that is not due for renewal; raises ApiError or Unreachable."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Host:
    """What the kubelet provides to plugins."""

    objects: Objects
    tokens: Tokens
    allocatable: Mapping[str, str]
    """The node's allocatable resources, which replace missing limits in the downward API."""
    clock: Clock
