"""The state of the containers of a pod, as reported by the kubelet."""

from typing import Annotated

from pybernetes.api.core.container import ResourceRequirements
from pybernetes.api.facts import ListMap, Required
from pybernetes.api.meta import Int32, Int64, Quantity, Struct, Time, always, named


class ContainerStateRunning(Struct, kw_only=True):
    """The container is running."""

    started_at: Time = ""


class ContainerStateTerminated(Struct, kw_only=True):
    """The container has terminated."""

    exit_code: Int32 = always(int)
    container_id: str = named("containerID")
    finished_at: Time = ""
    message: str = ""
    reason: str = ""
    signal: Int32 | None = None
    started_at: Time = ""


class ContainerStateWaiting(Struct, kw_only=True):
    """The container is not running yet."""

    message: str = ""
    reason: str = ""


class ContainerState(Struct, kw_only=True):
    """The state of a container: at most one field is set; none means waiting."""

    running: ContainerStateRunning | None = None
    terminated: ContainerStateTerminated | None = None
    waiting: ContainerStateWaiting | None = None


class LinuxContainerUser(Struct, kw_only=True):
    """The user and groups of a container's first process on Linux."""

    gid: Int64 = always(int)
    uid: Int64 = always(int)
    supplemental_groups: list[Int64] = []


class ContainerUser(Struct, kw_only=True):
    """The user of a container's first process."""

    linux: LinuxContainerUser | None = None


class ResourceHealth(Struct, kw_only=True):
    """The health of a device of a container."""

    resource_id: str = always(str, name="resourceID")
    health: str = ""
    message: str = ""


class ResourceStatus(Struct, kw_only=True):
    """The health of the devices of one resource."""

    name: str = always(str)
    resources: Annotated[list[ResourceHealth], ListMap("resourceID", patch=False)] = []


class ImageVolumeStatus(Struct, kw_only=True):
    """The image of an image volume."""

    image_ref: Annotated[str, Required()] = ""


class VolumeStatus(Struct, kw_only=True):
    """The status of a mounted volume."""

    image: ImageVolumeStatus | None = None


class VolumeMountStatus(Struct, kw_only=True):
    """How a volume is mounted in a container."""

    mount_path: str = always(str)
    name: str = always(str)
    read_only: bool = False
    recursive_read_only: str = ""
    volume_status: VolumeStatus | None = None


class ContainerStatus(Struct, kw_only=True):
    """The current and last state of a container."""

    image: str = always(str)
    """The image that the container runs."""
    image_id: str = always(str, name="imageID")
    """The image's digest."""
    name: str = always(str)
    """The name of the container."""
    ready: bool = always(bool)
    """Whether the container is ready to receive traffic."""
    restart_count: Int32 = always(int)
    """The number of restarts."""
    allocated_resources: dict[str, Quantity] = {}
    allocated_resources_status: Annotated[list[ResourceStatus], ListMap("name")] = []
    container_id: str = named("containerID")
    """The runtime's ID, as `containerd://...`."""
    last_state: ContainerState = always(ContainerState)
    """The state of its previous instance."""
    resources: ResourceRequirements | None = None
    started: bool | None = None
    """Whether it has started and its startup probe has succeeded."""
    state: ContainerState = always(ContainerState)
    """Its current state."""
    stop_signal: str = ""
    user: ContainerUser | None = None
    volume_mounts: Annotated[list[VolumeMountStatus], ListMap("mountPath")] = []
