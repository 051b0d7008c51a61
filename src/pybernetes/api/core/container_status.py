"""The state of the containers of a pod, as the kubelet reports it."""

from typing import Annotated

from pybernetes.api.core.container import ResourceRequirements
from pybernetes.api.facts import ListMap, Required
from pybernetes.api.meta import Int32, Int64, Quantity, Struct, Time, always, named


class ContainerStateRunning(Struct, kw_only=True):
    """The container runs."""

    started_at: Time = ""


class ContainerStateTerminated(Struct, kw_only=True):
    """The container has ended."""

    exit_code: Int32 = always(int)
    container_id: str = named("containerID")
    finished_at: Time = ""
    message: str = ""
    reason: str = ""
    signal: Int32 | None = None
    started_at: Time = ""


class ContainerStateWaiting(Struct, kw_only=True):
    """The container does not run yet, and why."""

    message: str = ""
    reason: str = ""


class ContainerState(Struct, kw_only=True):
    """What a container is doing: one field is set; none means waiting."""

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
    """How well a device of a container is."""

    resource_id: str = always(str, name="resourceID")
    health: str = ""
    message: str = ""


class ResourceStatus(Struct, kw_only=True):
    """How well the devices of one resource are."""

    name: str = always(str)
    resources: Annotated[list[ResourceHealth], ListMap("resourceID", patch=False)] = []


class ImageVolumeStatus(Struct, kw_only=True):
    """The image that an image volume shows."""

    image_ref: Annotated[str, Required()] = ""


class VolumeStatus(Struct, kw_only=True):
    """What is known of a mounted volume."""

    image: ImageVolumeStatus | None = None


class VolumeMountStatus(Struct, kw_only=True):
    """How a volume is mounted in a container."""

    mount_path: str = always(str)
    name: str = always(str)
    read_only: bool = False
    recursive_read_only: str = ""
    volume_status: VolumeStatus | None = None


class ContainerStatus(Struct, kw_only=True):
    """The present and last state of a container."""

    image: str = always(str)
    """The image that runs."""
    image_id: str = always(str, name="imageID")
    """The image's digest."""
    name: str = always(str)
    """The container."""
    ready: bool = always(bool)
    """Whether the container gets traffic."""
    restart_count: Int32 = always(int)
    """How often it was restarted."""
    allocated_resources: dict[str, Quantity] = {}
    allocated_resources_status: Annotated[list[ResourceStatus], ListMap("name")] = []
    container_id: str = named("containerID")
    """The runtime's ID, as `containerd://...`."""
    last_state: ContainerState = always(ContainerState)
    """How it ended last."""
    resources: ResourceRequirements | None = None
    started: bool | None = None
    """Whether it has started and its startup probe has succeeded."""
    state: ContainerState = always(ContainerState)
    """What it is doing."""
    stop_signal: str = ""
    user: ContainerUser | None = None
    volume_mounts: Annotated[list[VolumeMountStatus], ListMap("mountPath")] = []
