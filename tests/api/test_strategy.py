"""Which writer may set which fields, and the scale subresource."""

import pytest

from pybernetes.api import fields
from pybernetes.api.apps.deployment import Deployment
from pybernetes.api.core.namespace import Namespace, NamespaceStatus
from pybernetes.api.core.pod import KIND as POD
from pybernetes.api.core.pod import Pod, PodSpec, PodStatus
from pybernetes.api.core.pod_defaults import image_pull_policy
from pybernetes.api.field import Errors, FieldError, Path
from pybernetes.api.kinds import KINDS, kind_of
from pybernetes.api.meta import LabelSelector


def test_a_new_pod_is_pending() -> None:
    pod = Pod()
    POD.prepare_create(pod)
    assert pod.status == PodStatus(phase="Pending", qos_class="BestEffort")


def test_a_status_without_the_qos_class_keeps_it() -> None:
    old = Pod(status=PodStatus(qos_class="Burstable"))
    new = Pod(status=PodStatus())
    status = POD.subresource("status")
    assert status is not None
    status.prepare(new, old)
    assert new.status.qos_class == "Burstable"


def test_phase_of_a_namespace_follows_its_deletion() -> None:
    kind, errors = kind_of(Namespace), Errors()
    status = kind.subresource("status")
    assert status is not None and status.validate is not None
    status.validate(Namespace(status=NamespaceStatus(phase="Terminating")), Namespace(), errors)
    text = "Invalid value: \"Terminating\": may only be 'Active' if `deletionTimestamp` is empty"
    assert errors.items == [FieldError("status.phase", "FieldValueInvalid", text)]


def test_scale() -> None:
    kind = kind_of(Deployment)
    deployment = Deployment()
    deployment.spec.selector = LabelSelector(match_labels={"app": "x"})
    deployment.status.replicas = 2
    assert kind.scale is not None
    assert kind.scale.get(deployment) == (1, 2, "app=x")
    scaled = kind.scale.set(deployment, 5)
    assert (scaled.spec.replicas, deployment.spec.replicas) == (5, None)
    assert {k.name for k in KINDS if k.scale} == {k.name for k in KINDS if k.subresource("scale")}


@pytest.mark.parametrize(
    ("image", "policy"),
    [
        ("a", "Always"),
        ("a:latest", "Always"),
        ("a:1", "IfNotPresent"),
        ("reg:5000/a", "Always"),
        ("reg:5000/a:1", "IfNotPresent"),
        ("a@sha256:0", "IfNotPresent"),
        ("a:latest@sha256:0", "IfNotPresent"),
    ],
)
def test_pull_policy_by_tag(image: str, policy: str) -> None:
    assert image_pull_policy(image) == policy


@pytest.mark.parametrize(
    ("text", "selected"),
    [("spec.hostNetwork=true", True), ("spec.restartPolicy=Never", False), ("status.podIP=", True)],
)
def test_pods_are_selectable(text: str, selected: bool) -> None:
    pod = Pod(spec=PodSpec(host_network=True))
    assert fields.matcher(POD, fields.parse(text))(pod) is selected


def test_paths() -> None:
    assert str(Path("spec") / "containers" @ 0 / "env" @ "A") == "spec.containers[0].env[A]"
