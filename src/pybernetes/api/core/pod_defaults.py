"""Defaults of pods: containers, probes, volumes and the fields of the pod itself."""

from pybernetes.api.core.container import Container, EnvVar, EphemeralContainer
from pybernetes.api.core.pod_object import Pod
from pybernetes.api.core.pod_spec import PodSpec
from pybernetes.api.core.probe import HTTPGetAction, LifecycleHandler, Probe
from pybernetes.api.core.resource_validation import is_pod_resource
from pybernetes.api.core.security import PodSecurityContext
from pybernetes.api.core.volume import (
    DownwardAPIVolumeFile,
    EmptyDirVolumeSource,
    ProjectedVolumeSource,
    Volume,
)
from pybernetes.api.quantity import canonicalize

FILE_MODE = 0o644
TOKEN_SECONDS = 3600


def default_pod(pod: Pod) -> None:
    """Defaults that apply to pods but not to templates: service links, host ports, requests from limits."""
    spec = pod.spec
    if spec.enable_service_links is None:
        spec.enable_service_links = True
    default_pod_spec(spec)
    for container in (*spec.containers, *spec.init_containers):
        if spec.host_network:
            for port in container.ports:
                port.host_port = port.host_port or port.container_port
    canonicalize(pod)
    for container in (*spec.containers, *spec.init_containers):
        resources = container.resources
        if resources.limits:
            resources.requests = {**resources.limits, **resources.requests}
    if spec.resources is not None and spec.resources.limits:
        limits = {name: limit for name, limit in spec.resources.limits.items() if is_pod_resource(name)}
        spec.resources.requests = {**limits, **spec.resources.requests}


def default_pod_spec(spec: PodSpec) -> None:
    """Defaults that pods and pod templates share."""
    spec.dns_policy = spec.dns_policy or "ClusterFirst"
    spec.restart_policy = spec.restart_policy or "Always"
    spec.scheduler_name = spec.scheduler_name or "default-scheduler"
    if spec.security_context is None:
        spec.security_context = PodSecurityContext()
    if spec.termination_grace_period_seconds is None:
        spec.termination_grace_period_seconds = 30
    # The deprecated field has the same value as the new one.
    spec.service_account_name = spec.service_account_name or spec.service_account
    spec.service_account = spec.service_account_name
    for container in (*spec.containers, *spec.init_containers):
        _container(container)
    for ephemeral in spec.ephemeral_containers:
        _container(ephemeral)
    for volume in spec.volumes:
        _volume(volume)


def image_pull_policy(image: str) -> str:
    """Always for the tag `latest` and for images without a tag; other tags are assumed not to change."""
    if "@" in image or not image:
        return "IfNotPresent"
    _, colon, tag = image.rpartition("/")[2].partition(":")
    return "IfNotPresent" if colon and tag != "latest" else "Always"


def _is_reference(image: str) -> bool:
    """Whether an image is named as registries need it: only the host, which comes first, has upper case."""
    path = image.rpartition("/")[2] if "/" in image else image
    return bool(path.partition(":")[0]) and path.partition(":")[0] == path.partition(":")[0].lower()


def _container(container: Container | EphemeralContainer) -> None:
    container.image_pull_policy = container.image_pull_policy or image_pull_policy(container.image)
    container.termination_message_path = container.termination_message_path or "/dev/termination-log"
    container.termination_message_policy = container.termination_message_policy or "File"
    for port in container.ports:
        port.protocol = port.protocol or "TCP"
    for variable in container.env:
        _variable(variable)
    for probe in (container.liveness_probe, container.readiness_probe, container.startup_probe):
        if probe is not None:
            _probe(probe)
    if container.lifecycle is not None:
        for handler in (container.lifecycle.post_start, container.lifecycle.pre_stop):
            _handler(handler)


def _variable(variable: EnvVar) -> None:
    source = variable.value_from
    if source is None:
        return
    if source.field_ref is not None:
        source.field_ref.api_version = source.field_ref.api_version or "v1"
    if source.resource_field_ref is not None and source.resource_field_ref.divisor is None:
        source.resource_field_ref.divisor = "0"


def _probe(probe: Probe) -> None:
    probe.timeout_seconds = probe.timeout_seconds or 1
    probe.period_seconds = probe.period_seconds or 10
    probe.success_threshold = probe.success_threshold or 1
    probe.failure_threshold = probe.failure_threshold or 3
    _http_get(probe.http_get)


def _handler(handler: LifecycleHandler | None) -> None:
    if handler is not None:
        _http_get(handler.http_get)


def _http_get(action: HTTPGetAction | None) -> None:
    if action is not None:
        action.path = action.path or "/"
        action.scheme = action.scheme or "HTTP"


def _volume(volume: Volume) -> None:
    for source in (volume.secret, volume.config_map, volume.downward_api, volume.projected):
        if source is not None and source.default_mode is None:
            source.default_mode = FILE_MODE
    if volume.downward_api is not None:
        _downward_items(volume.downward_api.items)
    if volume.projected is not None:
        _projected(volume.projected)
    if volume.image is not None:
        volume.image.pull_policy = volume.image.pull_policy or image_pull_policy(volume.image.reference)
    if volume.ephemeral is not None and volume.ephemeral.volume_claim_template is not None:
        claim = volume.ephemeral.volume_claim_template.spec
        claim.volume_mode = claim.volume_mode or "Filesystem"
    _network_disks(volume)
    if not has_source(volume):
        volume.empty_dir = EmptyDirVolumeSource()


def has_source(volume: Volume) -> bool:
    """Whether the volume has a source."""
    return any(getattr(volume, name) is not None for name in Volume.__struct_fields__ if name != "name")


def _downward_items(items: list[DownwardAPIVolumeFile]) -> None:
    for item in items:
        if item.field_ref is not None:
            item.field_ref.api_version = item.field_ref.api_version or "v1"
        if item.resource_field_ref is not None and item.resource_field_ref.divisor is None:
            item.resource_field_ref.divisor = "0"


def _projected(source: ProjectedVolumeSource) -> None:
    for part in source.sources:
        if part.service_account_token is not None and part.service_account_token.expiration_seconds is None:
            part.service_account_token.expiration_seconds = TOKEN_SECONDS
        if part.downward_api is not None:
            _downward_items(part.downward_api.items)


def _network_disks(volume: Volume) -> None:
    if volume.iscsi is not None:
        volume.iscsi.iscsi_interface = volume.iscsi.iscsi_interface or "default"
    if volume.rbd is not None:
        volume.rbd.pool = volume.rbd.pool or "rbd"
        volume.rbd.user = volume.rbd.user or "admin"
        volume.rbd.keyring = volume.rbd.keyring or "/etc/ceph/keyring"
    if volume.azure_disk is not None:
        volume.azure_disk.caching_mode = volume.azure_disk.caching_mode or "ReadWrite"
        volume.azure_disk.kind = volume.azure_disk.kind or "Shared"
        volume.azure_disk.fs_type = volume.azure_disk.fs_type or "ext4"
    if volume.scale_io is not None:
        volume.scale_io.storage_mode = volume.scale_io.storage_mode or "ThinProvisioned"
        volume.scale_io.fs_type = volume.scale_io.fs_type or "xfs"
