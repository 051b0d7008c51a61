"""What the kubelet asks of a container runtime, in its own words: values in, values out, no gRPC.

Two implementations pass the same contract suite: `cri/` (containerd and others over CRI v1) and `simulated.py`
(pods on paper). Times are seconds since the epoch; 0 stands for "not yet".
"""

from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass, field
from typing import Literal, Protocol

ContainerPhase = Literal["created", "running", "exited", "unknown"]
NamespaceMode = Literal["pod", "container", "node", "target"]
Propagation = Literal["private", "host-to-container", "bidirectional"]


class RuntimeFailure(Exception):
    """Base of the runtime's refusals; the text is the runtime's own."""


class RuntimeUnavailable(RuntimeFailure):
    """No answer: the runtime is down or restarting. The call may or may not have been done."""


class RuntimeRefused(RuntimeFailure):
    """The runtime tried and failed, or the request made no sense to it."""


class NoSuch(RuntimeFailure):
    """There is no such sandbox, container or image."""


class ImagePullFailed(RuntimeFailure):
    """The image could not be fetched."""


class CommandTimedOut(RuntimeFailure):
    """A command run in a container did not end in time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Namespaces:
    """Which namespaces a sandbox or container shares with whom."""

    network: NamespaceMode = "pod"
    pid: NamespaceMode = "container"
    ipc: NamespaceMode = "pod"
    target_id: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """A seccomp or AppArmor profile; `ref` names it when it is the node's own."""

    type: Literal["RuntimeDefault", "Unconfined", "Localhost"] = "Unconfined"
    ref: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Security:
    """Rights of a container's process, or of a sandbox's."""

    namespaces: Namespaces = field(default_factory=Namespaces)
    user: int | None = None
    username: str = ""
    group: int | None = None
    supplemental_groups: tuple[int, ...] = ()
    privileged: bool = False
    read_only_root: bool = False
    no_new_privileges: bool = False
    add_capabilities: tuple[str, ...] = ()
    drop_capabilities: tuple[str, ...] = ()
    seccomp: Profile = field(default_factory=Profile)
    apparmor: Profile | None = None
    masked_paths: tuple[str, ...] = ()
    read_only_paths: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Resources:
    """Limits of a container; 0 leaves the kernel's default."""

    cpu_period: int = 0
    cpu_quota: int = 0
    cpu_shares: int = 0
    memory_limit: int = 0
    oom_score_adj: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Mount:
    """A path of the node made visible in a container."""

    host_path: str
    container_path: str
    read_only: bool = False
    selinux_relabel: bool = False
    propagation: Propagation = "private"


@dataclass(frozen=True, slots=True, kw_only=True)
class Device:
    """A device of the node made visible in a container; `permissions` are letters of `rwm`."""

    host_path: str
    container_path: str
    permissions: str = "mrw"


@dataclass(frozen=True, slots=True, kw_only=True)
class PortMapping:
    """A port of the node that leads to one of the pod."""

    protocol: Literal["TCP", "UDP", "SCTP"]
    container_port: int
    host_port: int
    host_ip: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Dns:
    """What a pod's resolv.conf says."""

    servers: tuple[str, ...] = ()
    searches: tuple[str, ...] = ()
    options: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class SandboxSpec:
    """A pod's sandbox to be made."""

    name: str
    namespace: str
    uid: str
    attempt: int = 0
    hostname: str = ""
    log_directory: str = ""
    dns: Dns | None = None
    port_mappings: tuple[PortMapping, ...] = ()
    labels: Mapping[str, str] = field(default_factory=dict)
    annotations: Mapping[str, str] = field(default_factory=dict)
    cgroup_parent: str = ""
    security: Security = field(default_factory=Security)
    sysctls: Mapping[str, str] = field(default_factory=dict)
    runtime_handler: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ContainerSpec:
    """A container to be made. `image` is a reference that the runtime has already resolved."""

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
    labels: Mapping[str, str] = field(default_factory=dict)
    annotations: Mapping[str, str] = field(default_factory=dict)
    log_path: str = ""
    stdin: bool = False
    stdin_once: bool = False
    tty: bool = False
    resources: Resources = field(default_factory=Resources)
    security: Security = field(default_factory=Security)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sandbox:
    """A sandbox as the runtime sees it."""

    id: str
    name: str
    namespace: str
    uid: str
    attempt: int
    ready: bool
    created_at: float
    ips: tuple[str, ...] = ()
    host_network: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ContainerInfo:
    """A container as the runtime sees it."""

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
    labels: Mapping[str, str] = field(default_factory=dict)
    annotations: Mapping[str, str] = field(default_factory=dict)
    log_path: str = ""


@dataclass(frozen=True, slots=True)
class PodState:
    """All that the runtime has of one pod. Both are ordered newest first."""

    sandboxes: tuple[Sandbox, ...] = ()
    containers: tuple[ContainerInfo, ...] = ()

    @property
    def sandbox(self) -> Sandbox | None:
        """The newest sandbox."""
        return self.sandboxes[0] if self.sandboxes else None

    def latest(self, name: str) -> ContainerInfo | None:
        """The newest container of a name."""
        return next((c for c in self.containers if c.name == name), None)

    def latest_in(self, sandbox_id: str, name: str) -> ContainerInfo | None:
        """The newest container of a name within one sandbox."""
        return next((c for c in self.containers if c.name == name and c.sandbox_id == sandbox_id), None)

    @property
    def running(self) -> tuple[ContainerInfo, ...]:
        """The containers whose process may live."""
        return tuple(c for c in self.containers if c.state in ("running", "unknown"))


@dataclass(frozen=True, slots=True)
class PodRef:
    """Whose a thing in the runtime is."""

    namespace: str
    name: str
    uid: str


@dataclass(frozen=True, slots=True)
class RuntimeVersion:
    """`containerd`, `1.6.20`"""

    name: str
    version: str


@dataclass(frozen=True, slots=True)
class RuntimeStatus:
    """Whether containers can run, and whether pods can get a network; messages say why not."""

    ready: bool
    network_ready: bool
    message: str = ""
    network_message: str = ""
    reason: str = ""
    network_reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageInfo:
    """An image that the node has."""

    id: str
    tags: tuple[str, ...] = ()
    digests: tuple[str, ...] = ()
    size: int = 0
    uid: int | None = None
    username: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class RegistryAuth:
    """Credentials for one registry."""

    username: str = ""
    password: str = ""
    auth: str = ""
    server_address: str = ""
    identity_token: str = ""


@dataclass(frozen=True, slots=True)
class ExecResult:
    """What a command left behind."""

    exit_code: int
    stdout: bytes
    stderr: bytes


@dataclass(frozen=True, slots=True)
class Usage:
    """CPU time (nanoseconds since start) and working set (bytes) of a container."""

    pod: PodRef
    container: str
    cpu_nanoseconds: int
    working_set: int


class Pods(Protocol):
    """Sandboxes and containers."""

    async def version(self) -> RuntimeVersion:
        """Name and version."""

    async def status(self) -> RuntimeStatus:
        """Whether it can run pods."""

    async def list_pods(self) -> dict[str, tuple[PodRef, bool]]:
        """uid -> whose it is and whether anything of it may still run, of every pod the runtime knows."""

    async def pod(self, uid: str) -> PodState:
        """All there is of one pod."""

    async def run_sandbox(self, spec: SandboxSpec) -> str:
        """Make and start a sandbox; returns its id."""

    async def stop_sandbox(self, sandbox_id: str) -> None:
        """Stop what runs in it and free its addresses. Nothing happens if it is stopped or gone."""

    async def remove_sandbox(self, sandbox_id: str) -> None:
        """Remove it with its containers. Nothing happens if it is gone."""

    async def create_container(self, sandbox_id: str, spec: ContainerSpec, sandbox: SandboxSpec) -> str:
        """Make a container; returns its id."""

    async def start_container(self, container_id: str) -> None:
        """Start its process."""

    async def stop_container(self, container_id: str, timeout: int) -> None:
        """TERM, and KILL after `timeout` seconds. Nothing happens if it has ended or is gone."""

    async def remove_container(self, container_id: str) -> None:
        """Remove an ended container. Nothing happens if it is gone."""

    async def reopen_log(self, container_id: str) -> None:
        """Write on into a new file of the log's name."""

    async def usage(self) -> list[Usage]:
        """What every running container uses."""

    def events(self) -> AsyncGenerator[str, None]:
        """uids of pods whose containers have changed by themselves; "" when anything may have changed."""

    async def close(self) -> None:
        """Let go of the connection."""


class Images(Protocol):
    """The node's images."""

    async def image(self, name: str) -> ImageInfo | None:
        """The image of a name, if the node has it."""

    async def pull(self, name: str, auth: RegistryAuth | None = None) -> str:
        """Fetch an image; returns a reference to run it by. Raises ImagePullFailed."""

    async def list_images(self) -> list[ImageInfo]:
        """All of them."""

    async def remove_image(self, image_id: str) -> None:
        """Remove one with all its names."""

    async def image_filesystem(self) -> str:
        """A path on the filesystem that holds images; "" if the runtime cannot tell."""


class Streams(Protocol):
    """Commands and streams into containers."""

    async def exec_sync(self, container_id: str, command: tuple[str, ...], timeout: float) -> ExecResult:
        """Run a command to its end; raises CommandTimedOut. 0 waits for ever."""

    async def exec_url(
        self, container_id: str, command: tuple[str, ...], *, stdin: bool, stdout: bool, stderr: bool, tty: bool
    ) -> str:
        """Where to stream a command's input and output."""

    async def attach_url(self, container_id: str, *, stdin: bool, stdout: bool, stderr: bool, tty: bool) -> str:
        """Where to stream a running process's input and output."""

    async def port_forward_url(self, sandbox_id: str, ports: tuple[int, ...]) -> str:
        """Where to stream to a pod's ports."""


class Runtime(Pods, Images, Streams, Protocol):
    """A whole container runtime."""
