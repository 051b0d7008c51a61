"""Request bodies in protobuf: bodies of Go clients, and invalid ones."""

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pybernetes.apiserver.protobuf.decode import MAGIC, to_json
from pybernetes.apiserver.protobuf.wire import ProtobufError

from .conftest import Api
from .objects import CMS, PODS

PROTOBUF = "application/vnd.kubernetes.protobuf"


def varint(number: int) -> bytes:
    number &= (1 << 64) - 1
    out = b""
    while number > 0x7F:
        out += bytes([number & 0x7F | 0x80])
        number >>= 7
    return out + bytes([number])


def field(number: int, value: int | str | bytes) -> bytes:
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    raw = value.encode() if isinstance(value, str) else value
    return varint(number << 3 | 2) + varint(len(raw)) + raw


def body(version: str, kind: str, raw: bytes) -> bytes:
    return MAGIC + field(1, field(1, version) + field(2, kind)) + field(2, raw)


META = field(1, field(1, "x") + field(11, field(1, "a") + field(2, "b")))
CONTAINER = field(2, field(1, "c") + field(2, "busybox") + field(10, field(1, field(1, "sh"))))
CONFIG_MAP = body("v1", "ConfigMap", META + field(2, field(1, "k") + field(2, "v")))


async def test_a_config_map(api: Api) -> None:
    made = await api.json("POST", CMS, CONFIG_MAP, status=201, content_type=PROTOBUF)
    assert made["data"] == {"k": "v"}
    assert made["metadata"]["labels"] == {"a": "b"}


def test_inlined_messages_numbers_times_and_quantities() -> None:
    port = field(3, 8080) + field(4, "TCP")
    limits = field(1, field(1, "cpu") + field(2, field(1, "500m")))
    probe = field(1, field(2, field(1, "/") + field(2, field(1, 1) + field(3, "http")))) + field(6, -3)
    container = field(1, "c") + field(6, port) + field(8, limits) + field(10, probe)
    volume = field(1, "v") + field(2, field(2, field(1, "Memory")))
    spec = field(1, volume) + field(2, container) + field(4, 30)
    meta = field(1, "p") + field(8, field(1, 1_700_000_000))
    found = msgspec.json.decode(to_json(body("v1", "Pod", field(1, meta) + field(2, spec))))
    assert found["metadata"]["creationTimestamp"] == "2023-11-14T22:13:20Z"
    made = found["spec"]["containers"][0]
    assert made["ports"] == [{"containerPort": 8080, "protocol": "TCP"}]
    assert made["resources"]["limits"] == {"cpu": "500m"}
    assert made["livenessProbe"] == {"httpGet": {"path": "/", "port": "http"}, "failureThreshold": -3}
    assert found["spec"]["volumes"] == [{"name": "v", "emptyDir": {"medium": "Memory"}}]


def test_bytes_become_base64() -> None:
    secret = body("v1", "Secret", field(2, field(1, "k") + field(2, b"\xff\x00")))
    assert msgspec.json.decode(to_json(secret))["data"] == {"k": "/wA="}


@pytest.mark.parametrize(
    "bad",
    [
        b"",
        b"k8s",
        b'{"kind":"ConfigMap"}',
        MAGIC,
        MAGIC + b"\xff" * 20,
        body("v1", "Nonsense", b""),
        body("v9", "ConfigMap", b""),
        body("v1", "ConfigMap", b"\x0a\xff\xff\xff\xff\x0f"),
        body("v1", "ConfigMap", field(1, field(1, b"\xff\xfe"))),
        body("v1", "ConfigMap", varint(1 << 3) + varint(5)),
        CONFIG_MAP[:-3],
        body("v1", "Pod", field(1, field(8, field(1, 1 << 62)))),
    ],
)
async def test_invalid_bodies(api: Api, bad: bytes) -> None:
    if bad:
        with pytest.raises(ProtobufError):
            to_json(bad)
    status = await api.json("POST", CMS, bad, status=400, content_type=PROTOBUF)
    assert status["reason"] == "BadRequest"


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=200))
def test_any_bytes_are_decoded_or_raise(raw: bytes) -> None:
    try:
        to_json(body("v1", "Pod", raw))
    except ProtobufError:
        pass


async def test_delete_options(api: Api) -> None:
    await api.json("POST", CMS, CONFIG_MAP, status=201, content_type=PROTOBUF)
    options = body("v1", "DeleteOptions", field(1, 0) + field(4, "Foreground"))
    held = await api.json("DELETE", f"{CMS}/x", options, status=202, content_type=PROTOBUF)
    assert held["metadata"]["finalizers"] == ["foregroundDeletion"]
    assert PODS
