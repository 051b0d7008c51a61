"""Fields of pods that belong to alpha features of Kubernetes. They are off by default: kube-apiserver drops the fields
from what clients send, after admission.
"""

from pybernetes.api.core.container import Container, EphemeralContainer
from pybernetes.api.core.pod_object import Pod
from pybernetes.api.core.pod_spec import PodSpec
from pybernetes.api.core.pod_status import PodStatus
from pybernetes.api.core.probe import Lifecycle, LifecycleHandler, Probe
from pybernetes.api.core.selectors import KeyToPath
from pybernetes.api.core.volume import DownwardAPIVolumeFile, ProjectedVolumeSource, Volume


def drop_alpha_pod_fields(pod: Pod) -> None:
    """In place, from spec and status."""
    drop_alpha_fields(pod.spec)
    _status(pod.status)


def drop_alpha_fields(spec: PodSpec) -> None:
    """In place, from the spec of a pod or of a pod template."""
    spec.eviction_responders = []
    spec.scheduling_group = None
    for volume in spec.volumes:
        _volume(volume)
    for container in (*spec.containers, *spec.init_containers):
        _container(container)
    for ephemeral in spec.ephemeral_containers:
        _container(ephemeral)


def _container(container: Container | EphemeralContainer) -> None:
    for mount in container.volume_mounts:
        mount.bind_mount_options = []
    if container.lifecycle is not None:
        container.lifecycle = _lifecycle(container.lifecycle)
    for probe in (container.liveness_probe, container.readiness_probe, container.startup_probe):
        if probe is not None:
            _probe(probe)


def _lifecycle(lifecycle: Lifecycle) -> Lifecycle | None:
    for handler in (lifecycle.post_start, lifecycle.pre_stop):
        if handler is not None:
            _http(handler)
    if not lifecycle.stop_signal:
        return lifecycle
    lifecycle.stop_signal = ""
    return lifecycle if lifecycle.post_start is not None or lifecycle.pre_stop is not None else None


def _probe(probe: Probe) -> None:
    _http(probe)
    if probe.grpc is not None:
        probe.grpc.mode = ""


def _http(handler: Probe | LifecycleHandler) -> None:
    if handler.http_get is not None:
        handler.http_get.protocol = ""


def _volume(volume: Volume) -> None:
    if volume.empty_dir is not None:
        volume.empty_dir.mode = None
    # Of a volume with several sources, which is invalid, kube-apiserver looks at the first.
    if volume.secret is not None:
        volume.secret.default_user = None
        _no_users(volume.secret.items)
    elif volume.config_map is not None:
        volume.config_map.default_user = None
        _no_users(volume.config_map.items)
    elif volume.downward_api is not None:
        volume.downward_api.default_user = None
        _no_users(volume.downward_api.items)
    elif volume.projected is not None:
        _projected(volume.projected)


def _projected(source: ProjectedVolumeSource) -> None:
    source.default_user = None
    for part in source.sources:
        if part.secret is not None:
            _no_users(part.secret.items)
        elif part.downward_api is not None:
            _no_users(part.downward_api.items)
        elif part.config_map is not None:
            _no_users(part.config_map.items)
        elif part.service_account_token is not None:
            part.service_account_token.user = None
        elif part.cluster_trust_bundle is not None:
            part.cluster_trust_bundle.user = None
        elif part.pod_certificate is not None:
            part.pod_certificate.user = None


def _no_users(items: list[KeyToPath] | list[DownwardAPIVolumeFile]) -> None:
    for item in items:
        item.user = None


def _status(status: PodStatus) -> None:
    status.node_allocatable_resource_claim_statuses = []
    status.volume_health = []
    for statuses in (
        status.container_statuses,
        status.init_container_statuses,
        status.ephemeral_container_statuses,
    ):
        for container in statuses:
            for mount in container.volume_mounts:
                mount.volume_status = None
