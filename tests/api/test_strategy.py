"""What who may set, and how the scale subresource reads and writes."""

from typing import Any

import pytest

from pybernetes.api import fields
from pybernetes.api.apps.deployment import Deployment
from pybernetes.api.core.namespace import Namespace, NamespaceStatus
from pybernetes.api.core.pod import KIND as POD
from pybernetes.api.core.pod import Pod, PodSpec, PodStatus
from pybernetes.api.core.pod_defaults import image_pull_policy
from pybernetes.api.field import Errors, FieldError, Path
from pybernetes.api.kinds import KINDS, kind_of
from pybernetes.api.meta import LabelSelector, ObjectMeta, OwnerReference

WITH_STATUS = [kind for kind in KINDS if "status" in kind.subresources]
each = pytest.mark.parametrize("kind", WITH_STATUS, ids=lambda k: k.name)


@each
def test_status_is_not_written_through_the_object(kind: Any) -> None:
    new, old = kind.struct(), kind.struct()
    old.status = marked = type(old.status)()
    kind.prepare_update(new, old)
    assert new.status is marked


@each
def test_the_spec_is_not_written_through_status(kind: Any) -> None:
    new, old = kind.struct(), kind.struct()
    kind.prepare_status(new, old)
    assert new.spec is old.spec


def test_a_client_does_not_say_where_its_new_pod_is() -> None:
    pod = Pod(status=PodStatus(phase="Running", pod_ip="1.2.3.4"))
    POD.prepare_create(pod)
    assert pod.status == PodStatus(phase="Pending", qos_class="BestEffort")


def test_the_kubelet_decides_neither_class_nor_owners() -> None:
    old = Pod(status=PodStatus(qos_class="Burstable"))
    new = Pod(
        metadata=ObjectMeta(owner_references=[OwnerReference(name="a")]), status=PodStatus(qos_class="Guaranteed")
    )
    POD.prepare_status(new, old)
    assert new.status.qos_class == "Burstable" and new.metadata.owner_references == []


def test_phase_of_a_namespace_follows_its_deletion() -> None:
    kind, errors = kind_of(Namespace), Errors()
    kind.validate_status(Namespace(status=NamespaceStatus(phase="Terminating")), Namespace(), errors)
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
    assert {k.name for k in KINDS if k.scale} == {k.name for k in KINDS if "scale" in k.subresources}


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
