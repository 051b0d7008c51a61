"""Environment variables, `$(NAME)`, and the downward API."""

from typing import Any

import msgspec
import pytest

from pybernetes.api.core.secret import Secret
from pybernetes.api.core.selectors import ResourceFieldSelector
from pybernetes.api.core.service import Service
from pybernetes.kubelet.api_objects import ObjectKey
from pybernetes.kubelet.environment import environment, environment_references
from pybernetes.kubelet.errors import StartFailed
from pybernetes.kubelet.expand import expand
from pybernetes.kubelet.field_path import BadFieldPath, field_value, resource_value
from pybernetes.kubelet.images import image_references

from .builders import FakeObjects, pod


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("$(A)", "1"),
        ("x$(A)y$(B)", "x1y2"),
        ("$(NONE)", "$(NONE)"),
        ("$$(A)", "$(A)"),
        ("$$$(A)", "$1"),
        ("$A ${A} $", "$A ${A} $"),
        ("$(A", "$(A"),
        ("", ""),
        ("$$", "$"),
        ("$()", "$()"),
    ],
)
def test_expand(text: str, expected: str) -> None:
    assert expand(text, {"A": "1", "B": "2"}) == expected


async def variables(env: list[dict[str, Any]], sources: list[dict[str, Any]] | None = None) -> dict[str, str]:
    of = pod({"containers": [{"name": "c", "image": "b", "env": env, "envFrom": sources or []}]})
    return await environment(of, of.spec.containers[0], FakeObjects(m={"k": b"v", "0bad": b"x"}), [], {})


async def test_environment_order_and_optional() -> None:
    found = await variables(
        [
            {"name": "A", "value": "1"},
            {"name": "B", "value": "$(A)$(k)"},
            {"name": "C", "valueFrom": {"configMapKeyRef": {"name": "m", "key": "none", "optional": True}}},
        ],
        [{"configMapRef": {"name": "m"}}, {"secretRef": {"name": "none", "optional": True}}],
    )
    assert found == {"k": "v", "A": "1", "B": "1v"}


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ({"configMapKeyRef": {"name": "none", "key": "k"}}, 'configmap "none" not found'),
        ({"secretKeyRef": {"name": "none", "key": "k"}}, 'secret "none" not found'),
        ({"configMapKeyRef": {"name": "m", "key": "z"}}, "couldn't find key z in ConfigMap default/m"),
        ({"fieldRef": {"fieldPath": "spec.bogus"}}, "unsupported fieldPath: spec.bogus"),
        ({"resourceFieldRef": {"resource": "limits.bogus"}}, "unsupported container resource : limits.bogus"),
    ],
)
async def test_missing_values_are_errors(source: dict[str, Any], message: str) -> None:
    with pytest.raises(StartFailed) as caught:
        await variables([{"name": "A", "valueFrom": source}])
    assert str(caught.value) == message
    assert caught.value.reason == "CreateContainerConfigError"


async def test_service_variables() -> None:
    spec = {"clusterIP": "10.0.0.1", "ports": [{"name": "web-ui", "port": 80}, {"port": 53, "protocol": "UDP"}]}
    services = [
        msgspec.convert({"metadata": {"name": "my-db", "namespace": "default"}, "spec": spec}, Service),
        msgspec.convert({"metadata": {"name": "far", "namespace": "other"}, "spec": spec}, Service),
        msgspec.convert(
            {"metadata": {"name": "hl", "namespace": "default"}, "spec": {**spec, "clusterIP": "None"}}, Service
        ),
    ]
    of = pod()
    found = await environment(of, of.spec.containers[0], FakeObjects(), services, {})
    assert found["MY_DB_SERVICE_HOST"] == "10.0.0.1"
    assert found["MY_DB_SERVICE_PORT_WEB_UI"] == "80"
    assert found["MY_DB_PORT_53_UDP"] == "udp://10.0.0.1:53"
    assert not any(name.startswith(("FAR", "HL")) for name in found)
    assert not await environment(pod({"enableServiceLinks": False}), of.spec.containers[0], FakeObjects(), services, {})


def test_field_paths() -> None:
    of = pod(labels={"a": 'x"y', "b": "2"}, annotations={"k": "v"})
    assert field_value(of, "metadata.labels['b']") == "2"
    assert field_value(of, "metadata.labels") == 'a="x\\"y"\nb="2"'
    assert field_value(of, "metadata.annotations['none']") == ""
    with pytest.raises(BadFieldPath):
        field_value(of, "metadata.labels[b]")


@pytest.mark.parametrize(
    ("resource", "divisor", "expected"),
    [
        ("limits.cpu", None, "1"),
        ("limits.cpu", "1m", "250"),
        ("limits.memory", "1Mi", "64"),
        ("requests.cpu", "1m", "250"),
        ("limits.ephemeral-storage", None, "1024"),
    ],
)
def test_resource_fields(resource: str, divisor: str | None, expected: str) -> None:
    limits = {"limits": {"cpu": "250m", "memory": "64Mi"}}
    of = pod({"containers": [{"name": "c", "image": "b", "resources": limits}]})
    selector = ResourceFieldSelector(resource=resource, divisor=divisor)
    assert resource_value(of, selector, "c", {"ephemeral-storage": "1Ki"}) == expected


def test_references_of_environment_and_images() -> None:
    spec = {
        "imagePullSecrets": [{"name": "pull"}],
        "containers": [{"name": "c", "image": "b", "envFrom": [{"secretRef": {"name": "env"}}]}],
    }
    assert list(image_references(pod(spec))) == [ObjectKey(Secret, "default", "pull")]
    assert list(environment_references(pod(spec))) == [ObjectKey(Secret, "default", "env")]
