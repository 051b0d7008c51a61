"""Containers: the processes of a pod, what they see and what they may use."""

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
    """A ConfigMap whose keys become environment variables."""

    optional: bool | None = None


class SecretEnvSource(LocalObjectReference, kw_only=True):
    """A Secret whose keys become environment variables."""

    optional: bool | None = None


class EnvFromSource(Struct, kw_only=True):
    """Where a whole set of environment variables comes from."""

    config_map_ref: ConfigMapEnvSource | None = None
    """The ConfigMap."""
    prefix: str = ""
    """What is put before each key."""
    secret_ref: SecretEnvSource | None = None
    """The Secret."""


class EnvVarSource(Struct, kw_only=True):
    """Where the value of an environment variable comes from; exactly one field is set."""

    config_map_key_ref: ConfigMapKeySelector | None = None
    """A key of a ConfigMap."""
    field_ref: ObjectFieldSelector | None = None
    """A field of the pod."""
    file_key_ref: FileKeySelector | None = None
    """A key of a file of variables."""
    resource_field_ref: ResourceFieldSelector | None = None
    """A request or limit of a container."""
    secret_key_ref: SecretKeySelector | None = None
    """A key of a Secret."""


class EnvVar(Struct, kw_only=True):
    """An environment variable of a container."""

    name: str = always(str)
    """The variable."""
    value: str = ""
    """The value. $(NAME) stands for a variable that was defined before."""
    value_from: EnvVarSource | None = None
    """Where the value comes from instead."""


class ContainerPort(Struct, kw_only=True):
    """A port that a container listens on. Leaving it out closes nothing."""

    container_port: Int32 = always(int)
    """The port, 1 to 65535."""
    host_ip: str = named("hostIP")
    """The node's address to bind `hostPort` to."""
    host_port: Int32 = 0
    """A port of the node that leads to the container."""
    name: str = ""
    """A name for Services and probes to refer to."""
    protocol: Annotated[str, Default("TCP")] = ""
    """TCP (default), UDP or SCTP."""


class ContainerResizePolicy(Struct, kw_only=True):
    """Whether the container has to be restarted when a resource of it is resized."""

    resource_name: str = always(str)
    restart_policy: str = always(str)


class ContainerRestartRuleOnExitCodes(Struct, kw_only=True):
    """The exit codes that a restart rule is about."""

    operator: Annotated[str, Required()] = ""
    values: Annotated[list[Int32], ListSet()] = []


class ContainerRestartRule(Struct, kw_only=True):
    """What is done when the container ends in a certain way."""

    action: Annotated[str, Required()] = ""
    exit_codes: ContainerRestartRuleOnExitCodes | None = None


class ResourceClaim(Struct, kw_only=True):
    """A claim of the pod that the container uses."""

    name: str = always(str)
    request: str = ""


class ResourceRequirements(Struct, kw_only=True):
    """What a container is sure to get (requests) and will not exceed (limits)."""

    claims: Annotated[list[ResourceClaim], ListMap("name", patch=False)] = []
    """Claims of the pod that the container uses."""
    limits: dict[str, Quantity] = {}
    """The most that the container may use."""
    requests: dict[str, Quantity] = {}
    """The least that the container gets; the limits by default."""


class VolumeDevice(Struct, kw_only=True):
    """A raw block device inside a container."""

    device_path: str = always(str)
    name: str = always(str)


class VolumeMount(Struct, kw_only=True):
    """A volume, or a part of it, inside a container."""

    mount_path: str = always(str)
    """Where the volume appears in the container."""
    name: str = always(str)
    """The volume."""
    bind_mount_options: Annotated[list[str], ListSet()] = []
    mount_propagation: str = ""
    """None (default), HostToContainer or Bidirectional."""
    read_only: bool = False
    """Whether the container may only read."""
    recursive_read_only: str = ""
    """Whether mounts below are read-only, too: Disabled, IfPossible or Enabled."""
    sub_path: str = ""
    """The part of the volume to mount."""
    sub_path_expr: str = ""
    """The part of the volume to mount, with environment variables expanded."""


class Container(Struct, kw_only=True):
    """A process of a pod, in its own file system."""

    name: str = always(str)
    """Unique within the pod; a DNS label."""
    args: list[str] = []
    """Arguments of the command; the image's by default. $(NAME) stands for an environment variable."""
    command: list[str] = []
    """The command, without a shell; the image's by default. $(NAME) stands for an environment variable."""
    env: Annotated[list[EnvVar], ListMap("name")] = []
    """Environment variables."""
    env_from: list[EnvFromSource] = []
    """Sources of whole sets of environment variables; `env` goes before them."""
    image: str = ""
    """The image's reference."""
    image_pull_policy: str = ""
    """Always, IfNotPresent or Never. Always is the default for the tag `latest` and for none."""
    lifecycle: Lifecycle | None = None
    """What is done after the start and before the end."""
    liveness_probe: Probe | None = None
    """The container is restarted when this fails."""
    ports: Annotated[list[ContainerPort], ListMap("containerPort", "protocol")] = []
    """Ports that the container listens on."""
    readiness_probe: Probe | None = None
    """The container gets traffic from Services only while this succeeds."""
    resize_policy: list[ContainerResizePolicy] = []
    """Which resources can be resized without a restart."""
    resources: ResourceRequirements = always(ResourceRequirements)
    """What the container is sure to get, and will not exceed."""
    restart_policy: str = ""
    """Always makes an init container a sidecar, which goes on running beside the others."""
    restart_policy_rules: list[ContainerRestartRule] = []
    security_context: SecurityContext | None = None
    """Privileges of the container."""
    startup_probe: Probe | None = None
    """The other probes wait until this has succeeded once."""
    stdin: bool = False
    """Whether standard input is kept open for `attach`."""
    stdin_once: bool = False
    """Whether standard input is closed after the first client."""
    termination_message_path: str = ""
    """The file whose content becomes the message of a container that ended."""
    termination_message_policy: str = ""
    """File, or FallbackToLogsOnError: the end of the log where the file is empty."""
    tty: bool = False
    """Whether the container gets a terminal."""
    volume_devices: Annotated[list[VolumeDevice], ListMap("devicePath")] = []
    """Raw block devices."""
    volume_mounts: Annotated[list[VolumeMount], ListMap("mountPath")] = []
    """Volumes in the container's file system."""
    working_dir: str = ""
    """The working directory; the image's by default."""


class EphemeralContainerCommon(Struct, kw_only=True):
    """What an ephemeral container has in common with other containers."""

    name: str = always(str)
    """Unique within the pod; a DNS label."""
    args: list[str] = []
    """Arguments of the command; the image's by default. $(NAME) stands for an environment variable."""
    command: list[str] = []
    """The command, without a shell; the image's by default. $(NAME) stands for an environment variable."""
    env: Annotated[list[EnvVar], ListMap("name")] = []
    """Environment variables."""
    env_from: list[EnvFromSource] = []
    """Sources of whole sets of environment variables; `env` goes before them."""
    image: str = ""
    """The image's reference."""
    image_pull_policy: str = ""
    """Always, IfNotPresent or Never. Always is the default for the tag `latest` and for none."""
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
    """Privileges of the container."""
    startup_probe: Probe | None = None
    """Not allowed here."""
    stdin: bool = False
    """Whether standard input is kept open for `attach`."""
    stdin_once: bool = False
    """Whether standard input is closed after the first client."""
    termination_message_path: str = ""
    """The file whose content becomes the message of a container that ended."""
    termination_message_policy: str = ""
    """File, or FallbackToLogsOnError: the end of the log where the file is empty."""
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
    """The container whose processes are to be seen."""
