"""Fields of pods whose feature is off."""

from pybernetes.api.core.container import Container, VolumeMount
from pybernetes.api.core.pod import EvictionResponder, PodSpec
from pybernetes.api.core.pod_features import drop_alpha_fields
from pybernetes.api.core.probe import HTTPGetAction, Lifecycle, LifecycleHandler, Probe
from pybernetes.api.core.selectors import KeyToPath
from pybernetes.api.core.volume import SecretVolumeSource, Volume


def test_fields_of_features_that_are_off_are_dropped() -> None:
    http = HTTPGetAction(port=80, protocol="HTTP2")
    container = Container(
        name="a",
        liveness_probe=Probe(http_get=http),
        volume_mounts=[VolumeMount(name="v", mount_path="/v", bind_mount_options=["nosuid"])],
    )
    secret = SecretVolumeSource(default_user=1, items=[KeyToPath(key="k", path="k", user=1)])
    spec = PodSpec(
        containers=[container],
        eviction_responders=[EvictionResponder(name="a")],
        volumes=[Volume(name="v", secret=secret)],
    )
    drop_alpha_fields(spec)
    assert http == HTTPGetAction(port=80)
    assert container.volume_mounts == [VolumeMount(name="v", mount_path="/v")]
    assert secret == SecretVolumeSource(items=[KeyToPath(key="k", path="k")])
    assert spec.eviction_responders == []


def test_a_lifecycle_with_nothing_but_a_stop_signal_goes() -> None:
    kept = Lifecycle(stop_signal="SIGTERM", pre_stop=LifecycleHandler())
    spec = PodSpec(
        containers=[Container(lifecycle=Lifecycle(stop_signal="SIGTERM")), Container(lifecycle=kept)],
    )
    drop_alpha_fields(spec)
    assert [container.lifecycle for container in spec.containers] == [None, Lifecycle(pre_stop=LifecycleHandler())]
