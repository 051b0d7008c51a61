"""The contract between the kubelet and a kind of volume.

A pod's life, as a plugin sees it:

    references   names the API objects that the volume is made from; the kubelet watches them while the pod is here
    set_up       makes the volume and says where it is: before the pod's sandbox is made, before each start of one of
                 its containers, and after a restart of the kubelet. A plugin with `refreshes` is also asked again
                 whenever a referenced object, or a label or an annotation of the pod changes, and when the
                 `refresh_at` that it gave has come. So `set_up` has to be idempotent, and cheap if nothing changed.
    tear_down    undoes what `set_up` did, after the last container has ended. The kubelet may have restarted since
                 and know the pod by its uid only, so a plugin finds what it needs in the volume's directory.

The kubelet does the rest for every kind alike: it picks the plugin, keeps a pod's calls in sequence, applies fsGroup,
mounts subPaths without letting a symbolic link lead out of the volume, hands mounts and devices to the runtime, and
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
    """The volume cannot be set up now; the text says why. The kubelet reports it and tries again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MountedVolume:
    """A directory or file of the node that containers mount."""

    path: Path
    read_only: bool = False
    """Mount it read-only whatever the container asks for."""
    apply_fs_group: bool = False
    """Give everything below `path` to the pod's fsGroup, as fsGroupChangePolicy says. Not for volumes that the pod
    shares with others, nor for a plugin that writes its files with the group itself."""
    selinux_relabel: bool = False
    """Let the runtime relabel the files for the pod's SELinux context. Not for volumes shared with others."""
    refresh_at: float = NEVER
    """When `set_up` has to be called again although nothing has changed (seconds since the epoch)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BlockVolume:
    """A block device of the node (volumeMode Block), which containers get as a device instead of a mount."""

    device: Path
    read_only: bool = False
    refresh_at: float = NEVER


PublishedVolume = MountedVolume | BlockVolume


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """A volume of a pod, and the place for it."""

    pod: Pod
    name: str
    """The volume's name in the pod."""
    directory: Path
    """For the plugin alone: `<root>/pods/<uid>/volumes/<plugin>/<name>`. Not made yet at the first `set_up`."""
    first: bool
    """Whether the directory does not exist yet."""

    @property
    def fs_group(self) -> int | None:
        """The group that the volume's files shall belong to."""
        context = self.pod.spec.security_context
        return context.fs_group if context is not None else None


class VolumePlugin(ABC, Generic[S]):
    """One kind of volume. `S` is the type of its source, such as `EmptyDirVolumeSource`."""

    name: ClassVar[str]
    """Such as `kubernetes.io/empty-dir`. It names directories, so it must never change."""
    needs_node: ClassVar[bool] = True
    """Whether `set_up` touches the machine. A simulated node skips such volumes, and sets up the others."""
    refreshes: ClassVar[bool] = False
    """Whether a volume that has been set up may have to change while its pod runs."""

    @abstractmethod
    def source(self, volume: Volume) -> S | None:
        """The part of a volume that this plugin takes; None if the volume is of another kind."""

    def references(self, pod: Pod, source: S) -> Iterable[ObjectKey]:
        """The API objects from which the volume is made."""
        return ()

    @abstractmethod
    async def set_up(self, source: S, target: Target) -> PublishedVolume:
        """Make the volume, or bring it up to date. Raises VolumeError, ApiError, Unreachable or OSError.

        Disk and network must not hold up the event loop: use a thread.
        """

    async def tear_down(self, directory: Path) -> None:
        """Undo what the kubelet cannot: it unmounts and removes the directory afterwards. Raises OSError."""


@dataclass(frozen=True, slots=True)
class Token:
    """A service account's token, and when to get another."""

    text: str
    renew_at: float


class Tokens(Protocol):
    """Tokens of pods' service accounts."""

    async def token(self, pod: Pod, projection: ServiceAccountTokenProjection) -> Token:
        """A token with a good part of its life left; raises ApiError or Unreachable."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Host:
    """What the kubelet offers to plugins."""

    objects: Objects
    tokens: Tokens
    allocatable: Mapping[str, str]
    """What the node can give to pods, for limits that a container does not set."""
    clock: Clock
