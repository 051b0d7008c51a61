"""Decoding: type errors, nulls, and invalid input."""

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pybernetes.api.apps.deployment import Deployment
from pybernetes.api.codec import DecodeError, decode
from pybernetes.api.coordination.lease import Lease
from pybernetes.api.core.pod import Pod


@pytest.mark.parametrize(
    ("data", "error"),
    [
        (b"[]", "json: cannot unmarshal array into Go value of type v1.Pod"),
        (
            b'{"spec": {"containers": {}}}',
            "json: cannot unmarshal object into Go struct field PodSpec.spec.containers of type []v1.Container",
        ),
        (
            b'{"spec": {"containers": [{"ports": [{"containerPort": "80"}]}]}}',
            "json: cannot unmarshal string into Go struct field "
            "ContainerPort.spec.containers.ports.containerPort of type int32",
        ),
        (
            b'{"metadata": {"labels": {"a": 1}}}',
            "json: cannot unmarshal number into Go struct field ObjectMeta.metadata.labels of type string",
        ),
        (
            b'{"spec": {"hostNetwork": "yes", "containers": null}}',
            "json: cannot unmarshal string into Go struct field PodSpec.spec.hostNetwork of type bool",
        ),
        (
            b'{"spec": {"terminationGracePeriodSeconds": true}}',
            "json: cannot unmarshal bool into Go struct field PodSpec.spec.terminationGracePeriodSeconds of type int64",
        ),
        (
            b'{"spec": {"containers": [{"resources": {"limits": {"cpu": []}}}]}}',
            "json: cannot unmarshal array into Go struct field "
            "ResourceRequirements.spec.containers.resources.limits of type resource.Quantity",
        ),
        (
            b'{"spec": {"priority": 2147483648}}',
            "json: cannot unmarshal number 2147483648 into Go struct field PodSpec.spec.priority of type int32",
        ),
        (
            b'{"metadata": {"creationTimestamp": "yesterday"}}',
            'parsing time "yesterday" as "2006-01-02T15:04:05Z07:00": cannot parse "yesterday" as "2006"',
        ),
        (b'{"status": {"conditions": [{"lastTransitionTime": "2026-02-31T00:00:00Z"}]}}', "day is out of range"),
        (
            b'{"spec": {"containers": [{"resources": {"limits": {"cpu": "lots"}}}]}}',
            "quantities must match the regular expression",
        ),
        (b"{", "invalid JSON: Input data was truncated"),
        (b'{"metadata": {"name": "\xff"}}', "invalid JSON: "),
        (b'{"metadata": {"name": null, "labels": {"\xff": null}}}', "invalid JSON: "),
    ],
)
def test_errors(data: bytes, error: str) -> None:
    with pytest.raises(DecodeError) as caught:
        decode(data, Pod)
    assert str(caught.value).startswith(error)


def test_templates_name_the_whole_path() -> None:
    data = b'{"spec": {"template": {"spec": {"containers": [{"env": [{"name": "A", "value": 1}]}]}}}}'
    with pytest.raises(DecodeError) as caught:
        decode(data, Deployment)
    assert str(caught.value) == (
        "json: cannot unmarshal number into Go struct field "
        "EnvVar.spec.template.spec.containers.env.value of type string"
    )


def test_nulls_mean_absent() -> None:
    pod = decode(
        b"""{"metadata": {"name": "p", "creationTimestamp": null, "labels": null, "annotations": {"a": null}},
        "spec": {"containers": [{"name": "a", "env": null, "resources": null, "ports": [null]}], "nodeName": null},
        "status": null}""",
        Pod,
    )
    assert pod.metadata.annotations == {"a": ""}
    assert pod.metadata.labels == {} and pod.spec.node_name == ""
    assert pod.spec.containers[0].ports[0].container_port == 0


@pytest.mark.parametrize("start", [b"", b'{"metadata":{"labels":null,"managedFields":[', b'{"metadata":{"a":'])
@pytest.mark.parametrize("step", [b"[", b'{"a":'])
def test_deep_nesting(start: bytes, step: bytes) -> None:
    with pytest.raises(DecodeError):
        decode(start + step * 100000, Pod)


@pytest.mark.parametrize("number", [b"1e400", b"9" * 5000, b"1" + b"0" * 30, b"1.5"])
def test_numbers_out_of_range(number: bytes) -> None:
    with pytest.raises(DecodeError):
        decode(b'{"spec": {"priority": ' + number + b"}}", Pod)


def test_times_become_utc() -> None:
    pod = decode(
        b"""{"metadata": {"creationTimestamp": "2026-01-02T17:04:05.5+02:00"},
        "status": {"containerStatuses": [{"state": {"running": {"startedAt": "2026-01-02T15:04:05Z"}}}]}}""",
        Pod,
    )
    assert pod.metadata.creation_timestamp == "2026-01-02T15:04:05Z"
    running = pod.status.container_statuses[0].state.running
    assert running is not None and running.started_at == "2026-01-02T15:04:05Z"
    lease = decode(b'{"spec": {"renewTime": "2026-01-02T15:04:05.5Z"}}', Lease)
    assert lease.spec.renew_time == "2026-01-02T15:04:05.500000Z"


def test_unknown_fields_are_dropped() -> None:
    assert b"nope" not in msgspec.json.encode(decode(b'{"spec": {"nope": {"deep": []}}, "more": 1}', Pod))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=3),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["metadata", "spec", "containers", "name", "labels", "status", "env", "value", "ports"]),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@settings(max_examples=200)
@given(JSON)
def test_any_json_is_decoded_or_raises_decode_error(value: object) -> None:
    try:
        pod = decode(msgspec.json.encode(value), Pod)
    except DecodeError as error:
        assert str(error).startswith(("json: ", "parsing time ", "quantities must"))
        return
    assert decode(msgspec.json.encode(pod), Pod) == pod


@given(st.binary(max_size=60))
def test_any_bytes_are_decoded_or_raise(data: bytes) -> None:
    try:
        decode(data, Pod)
    except DecodeError:
        pass
