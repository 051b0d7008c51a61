"""The container runtime as the kubelet uses it: plain values and protocols, independent of gRPC.

Two implementations pass the same contract suite: `cri/` (containerd, CRI-O) and `simulated/runtime.py`. Times are
seconds since the epoch; 0 stands for "not yet".

The values are msgspec Structs because defining as many dataclasses would take 20 ms of the kubelet's start.
"""

from collections.abc import AsyncGenerator, Mapping
from typing import Literal, Protocol

import msgspec

ContainerPhase = Literal["created", "running", "exited", "unknown"]
NamespaceMode = Literal["pod", "container", "node", "target"]
Propagation = Literal["private", "host-to-container", "bidirectional"]


class RuntimeFailure(Exception):
    """Base class of errors of the runtime; the message is the runtime's."""


class RuntimeUnavailable(RuntimeFailure):
    """No answer: the runtime is down or restarting. The call may or may not have had an effect."""


class RuntimeRefused(RuntimeFailure):
    """The runtime could not execute the call, or rejected it as invalid."""


class NoSuch(RuntimeFailure):
    """The sandbox, container or image does not exist."""


class ImagePullFailed(RuntimeFailure):
    """The image could not be pulled."""


class CommandTimedOut(RuntimeFailure):
    """A command in a container did not finish in time."""


class Namespaces(msgspec.Struct, frozen=True, kw_only=True):
    """The Linux namespaces of a sandbox or container."""

    network: NamespaceMode = "pod"
    pid: NamespaceMode = "container"
    ipc: NamespaceMode = "pod"
    target_id: str = ""


class Profile(msgspec.Struct, frozen=True, kw_only=True):
    """A seccomp or AppArmor profile. `ref` names a Localhost profile."""

    type: Literal["RuntimeDefault", "Unconfined", "Localhost"] = "Unconfined"
    ref: str = ""


class Security(msgspec.Struct, frozen=True, kw_only=True):
    """The security context of a container or sandbox."""

    namespaces: Namespaces = Namespaces()
    user: int | None = None
    username: str = ""
    group: int | None = None
    supplemental_groups: tuple[int, ...] = ()
    privileged: bool = False
    read_only_root: bool = False
    no_new_privileges: bool = False
    add_capabilities: tuple[str, ...] = ()
    drop_capabilities: tuple[str, ...] = ()
    seccomp: Profile = Profile()
    apparmor: Profile | None = None
    masked_paths: tuple[str, ...] = ()
    read_only_paths: tuple[str, ...] = ()


class Resources(msgspec.Struct, frozen=True, kw_only=True):
    """Resource limits of a container; 0 means the kernel's default."""

    cpu_period: int = 0
    cpu_quota: int = 0
    cpu_shares: int = 0
    memory_limit: int = 0
    oom_score_adj: int = 0


class Mount(msgspec.Struct, frozen=True, kw_only=True):
    """A path of the node that is mounted into a container."""

    host_path: str
    container_path: str
    read_only: bool = False
    selinux_relabel: bool = False
    propagation: Propagation = "private"


class Device(msgspec.Struct, frozen=True, kw_only=True):
    """A device of the node that is available in a container. `permissions` consists of the letters `rwm`."""

    host_path: str
    container_path: str
    permissions: str = "mrw"


class PortMapping(msgspec.Struct, frozen=True, kw_only=True):
    """A host port that is forwarded to the pod."""

    protocol: Literal["TCP", "UDP", "SCTP"]
    container_port: int
    host_port: int
    host_ip: str = ""


class Dns(msgspec.Struct, frozen=True, kw_only=True):
    """The content of a pod's resolv.conf."""

    servers: tuple[str, ...] = ()
    searches: tuple[str, ...] = ()
    options: tuple[str, ...] = ()


class SandboxSpec(msgspec.Struct, frozen=True, kw_only=True):
    """The specification of a pod's sandbox."""

    name: str
    namespace: str
    uid: str
    attempt: int = 0
    hostname: str = ""
    log_directory: str = ""
    dns: Dns | None = None
    port_mappings: tuple[PortMapping, ...] = ()
    labels: Mapping[str, str] = msgspec.field(default_factory=dict)
    annotations: Mapping[str, str] = msgspec.field(default_factory=dict)
    cgroup_parent: str = ""
    security: Security = Security()
    sysctls: Mapping[str, str] = msgspec.field(default_factory=dict)
    runtime_handler: str = ""


class ContainerSpec(msgspec.Struct, frozen=True, kw_only=True):
    """The specification of a container. `image` is a reference that the runtime has already resolved."""

    name: str
    image: str
    image_name: str = ""
    attempt: int = 0
    command: tuple[str, ...] = ()
    args: tuple[str, ...] = ()
    working_dir: str = ""
    env: tuple[tuple[str, str], ...] = ()
    mounts: tuple[Mount, ...] = ()
    devices: tuple[Device, ...] = ()
    labels: Mapping[str, str] = msgspec.field(default_factory=dict)
    annotations: Mapping[str, str] = msgspec.field(default_factory=dict)
    log_path: str = ""
    stdin: bool = False
    stdin_once: bool = False
    tty: bool = False
    resources: Resources = Resources()
    security: Security = Security()


class Sandbox(msgspec.Struct, frozen=True, kw_only=True):
    """A sandbox in the runtime."""

    id: str
    name: str
    namespace: str
    uid: str
    attempt: int
    ready: bool
    created_at: float
    ips: tuple[str, ...] = ()
    host_network: bool = False


class ContainerInfo(msgspec.Struct, frozen=True, kw_only=True):
    """A container in the runtime."""

    id: str
    sandbox_id: str
    name: str
    attempt: int
    state: ContainerPhase
    image: str
    image_id: str
    created_at: float
    started_at: float = 0.0
    finished_at: float = 0.0
    exit_code: int = 0
    reason: str = ""
    message: str = ""
    labels: Mapping[str, str] = msgspec.field(default_factory=dict)
    annotations: Mapping[str, str] = msgspec.field(default_factory=dict)
    log_path: str = ""


class PodState(msgspec.Struct, frozen=True):
    """A pod's sandboxes and containers in the runtime, both newest first."""

    sandboxes: tuple[Sandbox, ...] = ()
    containers: tuple[ContainerInfo, ...] = ()

    @property
    def sandbox(self) -> Sandbox | None:
        """The newest sandbox."""
        return self.sandboxes[0] if self.sandboxes else None

    def latest(self, name: str) -> ContainerInfo | None:
        """The newest container with this name."""
        return next((c for c in self.containers if c.name == name), None)

    def latest_in(self, sandbox_id: str, name: str) -> ContainerInfo | None:
        """The newest container with this name in one sandbox."""
        return next((c for c in self.containers if c.name == name and c.sandbox_id == sandbox_id), None)

    @property
    def running(self) -> tuple[ContainerInfo, ...]:
        """The containers that run, or may run."""
        return tuple(c for c in self.containers if c.state in ("running", "unknown"))


class PodRef(msgspec.Struct, frozen=True):
    """The pod that a sandbox or container belongs to."""

    namespace: str
    name: str
    uid: str


class RuntimeVersion(msgspec.Struct, frozen=True):
    """`containerd`, `1.6.20`"""

    name: str
    version: str


class RuntimeStatus(msgspec.Struct, frozen=True):
    """Whether containers can run, whether pods can get a network, and why not."""

    ready: bool
    network_ready: bool
    message: str = ""
    network_message: str = ""
    reason: str = ""
    network_reason: str = ""


class ImageInfo(msgspec.Struct, frozen=True, kw_only=True):
    """An image on the node."""

    id: str
    tags: tuple[str, ...] = ()
    digests: tuple[str, ...] = ()
    size: int = 0
    uid: int | None = None
    username: str = ""


class RegistryAuth(msgspec.Struct, frozen=True, kw_only=True):
    """Credentials for one registry."""

    username: str = ""
    password: str = ""
    auth: str = ""
    server_address: str = ""
    identity_token: str = ""


class ExecResult(msgspec.Struct, frozen=True):
    """Exit code and output of a command."""

    exit_code: int
    stdout: bytes
    stderr: bytes


class Usage(msgspec.Struct, frozen=True):
    """CPU time (nanoseconds since the start) and working set (bytes) of a container."""

    pod: PodRef
    container: str
    cpu_nanoseconds: int
    working_set: int


class Pods(Protocol):
    """Sandboxes and containers."""

    async def version(self) -> RuntimeVersion:
        """Name and version of the runtime."""

    async def status(self) -> RuntimeStatus:
        """Whether the runtime can run pods."""

    async def list_pods(self) -> dict[str, tuple[PodRef, bool]]:
        """uid -> (pod, whether any part of it may still run), for every pod that the runtime has."""

    async def pod(self, uid: str) -> PodState:
        """Sandboxes and containers of one pod."""

    async def run_sandbox(self, spec: SandboxSpec) -> str:
        """Create and start a sandbox; returns its id."""

    async def stop_sandbox(self, sandbox_id: str) -> None:
        """Stop its containers and release its addresses. Has no effect if it is stopped or does not exist."""

    async def remove_sandbox(self, sandbox_id: str) -> None:
        """Remove a sandbox with its containers. Has no effect if it does not exist."""

    async def create_container(self, sandbox_id: str, spec: ContainerSpec, sandbox: SandboxSpec) -> str:
        """Create a container; returns its id."""

    async def start_container(self, container_id: str) -> None:
        """Start a container's process."""

    async def stop_container(self, container_id: str, timeout: int) -> None:
        """Send TERM, and KILL after `timeout` seconds. Has no effect if it has exited or does not exist."""

    async def remove_container(self, container_id: str) -> None:
        """Remove an exited container. Has no effect if it does not exist."""

    async def reopen_log(self, container_id: str) -> None:
        """Make the runtime reopen a container's log file after a rotation."""

    async def usage(self) -> list[Usage]:
        """Resource usage of all running containers."""

    def events(self) -> AsyncGenerator[str, None]:
        """uids of pods with a container that has exited; "" if events may have been missed."""

    async def close(self) -> None:
        """Close the connection."""


class Images(Protocol):
    """The node's images."""

    async def image(self, name: str) -> ImageInfo | None:
        """The image with this name, if it is on the node."""

    async def pull(self, name: str, auth: RegistryAuth | None = None) -> str:
        """Pull an image; returns a reference to run it by. Raises ImagePullFailed."""

    async def list_images(self) -> list[ImageInfo]:
        """All images."""

    async def remove_image(self, image_id: str) -> None:
        """Remove an image with all its names."""

    async def image_filesystem(self) -> str:
        """A path on the image filesystem; "" if the runtime does not know it."""


class Streams(Protocol):
    """Commands and streams into containers."""

    async def exec_sync(self, container_id: str, command: tuple[str, ...], timeout: float) -> ExecResult:
        """Run a command until it exits; raises CommandTimedOut. A timeout of 0 means none."""

    async def exec_url(
        self, container_id: str, command: tuple[str, ...], *, stdin: bool, stdout: bool, stderr: bool, tty: bool
    ) -> str:
        """The URL for streaming a command's input and output."""

    async def attach_url(self, container_id: str, *, stdin: bool, stdout: bool, stderr: bool, tty: bool) -> str:
        """The URL for streaming the input and output of a container's process."""

    async def port_forward_url(self, sandbox_id: str, ports: tuple[int, ...]) -> str:
        """The URL for streaming to a pod's ports."""


class Runtime(Pods, Images, Streams, Protocol):
    """A container runtime."""
