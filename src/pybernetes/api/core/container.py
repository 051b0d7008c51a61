"""Containers: the processes of a pod, what they see and what they may use."""

from typing import Annotated

from pybernetes.api.core.probe import Lifecycle, Probe
from pybernetes.api.core.security import SecurityContext
from pybernetes.api.core.selectors import (
    ConfigMapKeySelector,
    FileKeySelector,
    ObjectFieldSelector,
    ResourceFieldSelector,
    SecretKeySelector,
)
from pybernetes.api.facts import ListMap
from pybernetes.api.meta import Quantity, Struct, always


class ConfigMapEnvSource(Struct, kw_only=True):
    """A ConfigMap whose keys become environment variables."""

    name: str = ""
    optional: bool | None = None


class SecretEnvSource(Struct, kw_only=True):
    """A Secret whose keys become environment variables."""

    name: str = ""
    optional: bool | None = None


class EnvFromSource(Struct, kw_only=True):
    """Where a whole set of environment variables comes from."""

    config_map_ref: ConfigMapEnvSource | None = None
    prefix: str = ""
    secret_ref: SecretEnvSource | None = None


class EnvVarSource(Struct, kw_only=True):
    """Where the value of an environment variable comes from; exactly one field is set."""

    config_map_key_ref: ConfigMapKeySelector | None = None
    field_ref: ObjectFieldSelector | None = None
    file_key_ref: FileKeySelector | None = None
    resource_field_ref: ResourceFieldSelector | None = None
    secret_key_ref: SecretKeySelector | None = None


class EnvVar(Struct, kw_only=True):
    """An environment variable of a container."""

    name: str = always(str)
    value: str = ""
    value_from: EnvVarSource | None = None


class ContainerPort(Struct, kw_only=True):
    """A port that a container listens on. Leaving it out closes nothing."""

    container_port: int = always(int)
    host_ip: str = ""
    host_port: int = 0
    name: str = ""
    protocol: str = ""


class ContainerResizePolicy(Struct, kw_only=True):
    """Whether the container has to be restarted when a resource of it is resized."""

    resource_name: str = always(str)
    restart_policy: str = always(str)


class ContainerRestartRuleOnExitCodes(Struct, kw_only=True):
    """The exit codes that a restart rule is about."""

    operator: str = always(str)
    values: list[int] = []


class ContainerRestartRule(Struct, kw_only=True):
    """What is done when the container ends in a certain way."""

    action: str = always(str)
    exit_codes: ContainerRestartRuleOnExitCodes | None = None


class ResourceClaim(Struct, kw_only=True):
    """A claim of the pod that the container uses."""

    name: str = always(str)
    request: str = ""


class ResourceRequirements(Struct, kw_only=True):
    """What a container is sure to get (requests) and will not exceed (limits)."""

    claims: Annotated[list[ResourceClaim], ListMap("name")] = []
    limits: dict[str, Quantity] = {}
    requests: dict[str, Quantity] = {}


class VolumeDevice(Struct, kw_only=True):
    """A raw block device inside a container."""

    device_path: str = always(str)
    name: str = always(str)


class VolumeMount(Struct, kw_only=True):
    """A volume, or a part of it, inside a container."""

    mount_path: str = always(str)
    name: str = always(str)
    bind_mount_options: list[str] = []
    mount_propagation: str = ""
    read_only: bool = False
    recursive_read_only: str = ""
    sub_path: str = ""
    sub_path_expr: str = ""


class Container(Struct, kw_only=True):
    """A process of a pod, in its own file system."""

    name: str = always(str)
    args: list[str] = []
    command: list[str] = []
    env: Annotated[list[EnvVar], ListMap("name")] = []
    env_from: list[EnvFromSource] = []
    image: str = ""
    image_pull_policy: str = ""
    lifecycle: Lifecycle | None = None
    liveness_probe: Probe | None = None
    ports: Annotated[list[ContainerPort], ListMap("containerPort", "protocol")] = []
    readiness_probe: Probe | None = None
    resize_policy: list[ContainerResizePolicy] = []
    resources: ResourceRequirements = always(ResourceRequirements)
    restart_policy: str = ""
    restart_policy_rules: list[ContainerRestartRule] = []
    security_context: SecurityContext | None = None
    startup_probe: Probe | None = None
    stdin: bool = False
    stdin_once: bool = False
    termination_message_path: str = ""
    termination_message_policy: str = ""
    tty: bool = False
    volume_devices: Annotated[list[VolumeDevice], ListMap("devicePath")] = []
    volume_mounts: Annotated[list[VolumeMount], ListMap("mountPath")] = []
    working_dir: str = ""


class EphemeralContainer(Struct, kw_only=True):
    """A container that is added to a running pod to look for a fault. It is never restarted."""

    name: str = always(str)
    args: list[str] = []
    command: list[str] = []
    env: Annotated[list[EnvVar], ListMap("name")] = []
    env_from: list[EnvFromSource] = []
    image: str = ""
    image_pull_policy: str = ""
    lifecycle: Lifecycle | None = None
    liveness_probe: Probe | None = None
    ports: Annotated[list[ContainerPort], ListMap("containerPort", "protocol")] = []
    readiness_probe: Probe | None = None
    resize_policy: list[ContainerResizePolicy] = []
    resources: ResourceRequirements = always(ResourceRequirements)
    restart_policy: str = ""
    restart_policy_rules: list[ContainerRestartRule] = []
    security_context: SecurityContext | None = None
    startup_probe: Probe | None = None
    stdin: bool = False
    stdin_once: bool = False
    target_container_name: str = ""
    termination_message_path: str = ""
    termination_message_policy: str = ""
    tty: bool = False
    volume_devices: Annotated[list[VolumeDevice], ListMap("devicePath")] = []
    volume_mounts: Annotated[list[VolumeMount], ListMap("mountPath")] = []
    working_dir: str = ""
