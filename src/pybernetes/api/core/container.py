"""Containers of a pod: images, commands, environment, ports, mounts and resources."""

from typing import Annotated

from pybernetes.api.core.probe import Lifecycle, Probe
from pybernetes.api.core.reference import LocalObjectReference
from pybernetes.api.core.security import SecurityContext
from pybernetes.api.core.selectors import (
    ConfigMapKeySelector,
    FileKeySelector,
    ObjectFieldSelector,
    ResourceFieldSelector,
    SecretKeySelector,
)
from pybernetes.api.facts import Default, ListMap, ListSet, Required
from pybernetes.api.meta import Int32, Quantity, Struct, always, named


class ConfigMapEnvSource(LocalObjectReference, kw_only=True):
    """A ConfigMap whose entries become environment variables."""

    optional: bool | None = None


class SecretEnvSource(LocalObjectReference, kw_only=True):
    """A Secret whose entries become environment variables."""

    optional: bool | None = None


class EnvFromSource(Struct, kw_only=True):
    """A source of several environment variables."""

    config_map_ref: ConfigMapEnvSource | None = None
    """The ConfigMap."""
    prefix: str = ""
    """A prefix for the name of each variable."""
    secret_ref: SecretEnvSource | None = None
    """The Secret."""


class EnvVarSource(Struct, kw_only=True):
    """The source of an environment variable's value; exactly one field is set."""

    config_map_key_ref: ConfigMapKeySelector | None = None
    """A key of a ConfigMap."""
    field_ref: ObjectFieldSelector | None = None
    """A field of the pod."""
    file_key_ref: FileKeySelector | None = None
    """A key of a file with environment variables."""
    resource_field_ref: ResourceFieldSelector | None = None
    """A request or limit of a container."""
    secret_key_ref: SecretKeySelector | None = None
    """A key of a Secret."""


class EnvVar(Struct, kw_only=True):
    """An environment variable of a container."""

    name: str = always(str)
    """The variable."""
    value: str = ""
    """The value. $(NAME) is expanded if the variable was defined before."""
    value_from: EnvVarSource | None = None
    """The source of the value; excludes `value`."""


class ContainerPort(Struct, kw_only=True):
    """A port that a container listens on. The declaration is informational: other ports are reachable, too."""

    container_port: Int32 = always(int)
    """The port, 1 to 65535."""
    host_ip: str = named("hostIP")
    """The address of the node to which `hostPort` is bound."""
    host_port: Int32 = 0
    """A port of the node that is forwarded to the container."""
    name: str = ""
    """A name that Services and probes can refer to."""
    protocol: Annotated[str, Default("TCP")] = ""
    """TCP (default), UDP or SCTP."""


class ContainerResizePolicy(Struct, kw_only=True):
    """Whether resizing a resource restarts the container."""

    resource_name: str = always(str)
    restart_policy: str = always(str)


class ContainerRestartRuleOnExitCodes(Struct, kw_only=True):
    """The exit codes that a restart rule matches."""

    operator: Annotated[str, Required()] = ""
    values: Annotated[list[Int32], ListSet()] = []


class ContainerRestartRule(Struct, kw_only=True):
    """The action for certain exits of the container."""

    action: Annotated[str, Required()] = ""
    exit_codes: ContainerRestartRuleOnExitCodes | None = None


class ResourceClaim(Struct, kw_only=True):
    """A resource claim of the pod that the container uses."""

    name: str = always(str)
    request: str = ""


class ResourceRequirements(Struct, kw_only=True):
    """The resources that a container is guaranteed (requests) and may use at most (limits)."""

    claims: Annotated[list[ResourceClaim], ListMap("name", patch=False)] = []
    """Resource claims of the pod that the container uses."""
    limits: dict[str, Quantity] = {}
    """The maximum that the container may use."""
    requests: dict[str, Quantity] = {}
    """The minimum that the container is guaranteed; the limits by default."""


class VolumeDevice(Struct, kw_only=True):
    """A raw block device inside a container."""

    device_path: str = always(str)
    name: str = always(str)


class VolumeMount(Struct, kw_only=True):
    """Mounts a volume, or a part of it, into a container."""

    mount_path: str = always(str)
    """The mount point in the container."""
    name: str = always(str)
    """The name of the volume."""
    bind_mount_options: Annotated[list[str], ListSet()] = []
    mount_propagation: str = ""
    """None (default), HostToContainer or Bidirectional."""
    read_only: bool = False
    """Whether the mount is read-only."""
    recursive_read_only: str = ""
    """Whether submounts are read-only, too: Disabled, IfPossible or Enabled."""
    sub_path: str = ""
    """The path within the volume to mount."""
    sub_path_expr: str = ""
    """The path within the volume to mount, with environment variables expanded."""


class Container(Struct, kw_only=True):
    """A container of a pod."""

    name: str = always(str)
    """Unique within the pod; a DNS label."""
    args: list[str] = []
    """Arguments of the command; the image's by default. $(NAME) stands for an environment variable."""
    command: list[str] = []
    """The command, without a shell; the image's by default. $(NAME) stands for an environment variable."""
    env: Annotated[list[EnvVar], ListMap("name")] = []
    """Environment variables."""
    env_from: list[EnvFromSource] = []
    """Sources of environment variables; `env` takes precedence over them."""
    image: str = ""
    """The reference of the image."""
    image_pull_policy: str = ""
    """Always, IfNotPresent or Never. Always is the default for the tag `latest` and for images without a tag."""
    lifecycle: Lifecycle | None = None
    """Actions after the container's start and before its termination."""
    liveness_probe: Probe | None = None
    """When this probe fails, the container is restarted."""
    ports: Annotated[list[ContainerPort], ListMap("containerPort", "protocol")] = []
    """Ports that the container listens on."""
    readiness_probe: Probe | None = None
    """While this probe fails, Services send no traffic to the pod."""
    resize_policy: list[ContainerResizePolicy] = []
    """Whether resizing a resource restarts the container."""
    resources: ResourceRequirements = always(ResourceRequirements)
    """Requests and limits of the container."""
    restart_policy: str = ""
    """Always makes an init container a sidecar, which keeps running alongside the other containers."""
    restart_policy_rules: list[ContainerRestartRule] = []
    security_context: SecurityContext | None = None
    """Security settings of the container."""
    startup_probe: Probe | None = None
    """The other probes start after this one has succeeded."""
    stdin: bool = False
    """Whether standard input is kept open for `attach`."""
    stdin_once: bool = False
    """Whether standard input is closed after the first client."""
    termination_message_path: str = ""
    """The file whose content becomes the termination message."""
    termination_message_policy: str = ""
    """File (default), or FallbackToLogsOnError: the end of the log if the file is empty."""
    tty: bool = False
    """Whether the container gets a terminal."""
    volume_devices: Annotated[list[VolumeDevice], ListMap("devicePath")] = []
    """Raw block devices."""
    volume_mounts: Annotated[list[VolumeMount], ListMap("mountPath")] = []
    """Volumes in the container's file system."""
    working_dir: str = ""
    """The working directory; the image's by default."""


class EphemeralContainerCommon(Struct, kw_only=True):
    """The fields that ephemeral containers share with other containers."""

    name: str = always(str)
    """Unique within the pod; a DNS label."""
    args: list[str] = []
    """Arguments of the command; the image's by default. $(NAME) stands for an environment variable."""
    command: list[str] = []
    """The command, without a shell; the image's by default. $(NAME) stands for an environment variable."""
    env: Annotated[list[EnvVar], ListMap("name")] = []
    """Environment variables."""
    env_from: list[EnvFromSource] = []
    """Sources of environment variables; `env` takes precedence over them."""
    image: str = ""
    """The reference of the image."""
    image_pull_policy: str = ""
    """Always, IfNotPresent or Never. Always is the default for the tag `latest` and for images without a tag."""
    lifecycle: Lifecycle | None = None
    """Not allowed here."""
    liveness_probe: Probe | None = None
    """Not allowed here."""
    ports: Annotated[list[ContainerPort], ListMap("containerPort", "protocol")] = []
    """Not allowed here."""
    readiness_probe: Probe | None = None
    """Not allowed here."""
    resize_policy: list[ContainerResizePolicy] = []
    """Not allowed here."""
    resources: ResourceRequirements = always(ResourceRequirements)
    """Not allowed here."""
    restart_policy: str = ""
    """Not allowed here."""
    restart_policy_rules: list[ContainerRestartRule] = []
    security_context: SecurityContext | None = None
    """Security settings of the container."""
    startup_probe: Probe | None = None
    """Not allowed here."""
    stdin: bool = False
    """Whether standard input is kept open for `attach`."""
    stdin_once: bool = False
    """Whether standard input is closed after the first client."""
    termination_message_path: str = ""
    """The file whose content becomes the termination message."""
    termination_message_policy: str = ""
    """File (default), or FallbackToLogsOnError: the end of the log if the file is empty."""
    tty: bool = False
    """Whether the container gets a terminal."""
    volume_devices: Annotated[list[VolumeDevice], ListMap("devicePath")] = []
    """Raw block devices."""
    volume_mounts: Annotated[list[VolumeMount], ListMap("mountPath")] = []
    """Volumes in the container's file system."""
    working_dir: str = ""
    """The working directory; the image's by default."""


class EphemeralContainer(EphemeralContainerCommon, kw_only=True):
    """A container that is added to a running pod for debugging. It is never restarted."""

    target_container_name: str = ""
    """The container whose process namespace is joined."""
