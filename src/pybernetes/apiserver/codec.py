"""Bytes to structs and back: request bodies, stored values, and the revision spliced into them.

The store keeps an object's JSON without a resourceVersion. It calls `stamp` when the revision of a write is known.
Clients get the stamped bytes; the object is not encoded again.
"""

import re
from typing import Any, TypeVar

import msgspec
import yaml

from pybernetes.api import codec as api_codec
from pybernetes.api.kind import Kind
from pybernetes.api.meta import Object, Status
from pybernetes.apiserver import errors
from pybernetes.apiserver.protobuf import decode as protobuf
from pybernetes.apiserver.protobuf.wire import ProtobufError

K = TypeVar("K", bound=Object)

JSON = "application/json"
YAML = "application/yaml"
PROTOBUF = "application/vnd.kubernetes.protobuf"
#: The number of values that a YAML body may expand to: nested aliases turn a hundred bytes into millions of values.
MAX_EXPANDED = 300_000
_BODY_TYPES = (JSON, YAML, PROTOBUF)

_META = b'"metadata":{'
_REVISION = re.compile(rb'"metadata":\{"resourceVersion":"[^"]*",?')
# A stored object always has a name, so another field follows the revision and the comma is right. Only apiVersion and
# kind precede metadata, so the first occurrence is the object's own metadata.


def stamp(value: bytes, revision: int) -> bytes:
    """The stored bytes with `metadata.resourceVersion` inserted as the first field of metadata."""
    return value.replace(_META, b'"metadata":{"resourceVersion":"%d",' % revision, 1)


def restamp(value: bytes, revision: int) -> bytes:
    """Stamped bytes with another revision: for the DELETED event of an object that no longer matches a selector."""
    return _REVISION.sub(b'"metadata":{"resourceVersion":"%d",' % revision, value, count=1)


def unstamped(value: bytes) -> bytes:
    """Stamped bytes as the store keeps them."""
    return _REVISION.sub(_META, value, count=1)


encode = msgspec.json.Encoder().encode


def encode_status(status: Status) -> bytes:
    """The JSON of a Status. Unlike a list, a Status without a revision has empty metadata."""
    return encode(status).replace(b'"metadata":{"resourceVersion":""}', b'"metadata":{}', 1)


_decoders: dict[type, msgspec.json.Decoder[Any]] = {}


def decode(value: bytes, struct: type[K]) -> K:
    """A stored value as its struct."""
    decoder = _decoders.get(struct)
    if decoder is None:
        decoder = _decoders[struct] = msgspec.json.Decoder(struct)
    result: K = decoder.decode(value)
    return result


def media_type(content_type: str) -> str:
    """`application/json; charset=utf-8` -> `application/json`"""
    return content_type.partition(";")[0].strip().lower()


def json_body(body: bytes, content_type: str) -> bytes:
    """A request body in JSON, YAML or protobuf as JSON. Raises UnsupportedMediaType for other formats."""
    kind = media_type(content_type) or JSON
    if kind == JSON:
        return body
    if kind == YAML:
        return yaml_to_json(body)
    if kind == PROTOBUF:
        try:
            return protobuf.to_json(body)
        except ProtobufError as error:
            raise errors.bad_request(f"error decoding the request body: {error}") from error
    raise errors.unsupported_media_type(_BODY_TYPES)


def yaml_to_json(body: bytes) -> bytes:
    """YAML as JSON. Raises BadRequest when it is not YAML, or has no JSON form."""
    if not body.strip():
        return body
    try:
        value = yaml.load(body, Loader=_Loader)
        if b"&" in body and _size(value, {}) > MAX_EXPANDED:
            raise ValueError("the document is too large with its aliases written out")
        return msgspec.json.encode(value)
    except (yaml.YAMLError, TypeError, ValueError, RecursionError) as error:
        raise errors.bad_request(f"error converting YAML to JSON: yaml: {error}") from error


def _size(value: Any, known: dict[int, int]) -> int:
    """The number of values in a document after expanding aliases. A recursive alias counts as too many."""
    if not isinstance(value, (dict, list)):
        return 1
    if id(value) in known:
        return known[id(value)]
    known[id(value)] = MAX_EXPANDED + 1
    members = value.values() if isinstance(value, dict) else value
    known[id(value)] = total = 1 + sum(_size(member, known) for member in members)
    return total


class _Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]
    """Reads YAML with the types of JSON: a date is a string."""


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
    for first, resolvers in _Loader.yaml_implicit_resolvers.items()
}


def plain(body: bytes) -> Any:
    """JSON as dicts and lists. Raises BadRequest."""
    try:
        return msgspec.json.decode(body)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        raise errors.bad_request(f"error decoding the request body: {error}") from error


class _Head(msgspec.Struct, rename="camel"):
    api_version: str = ""
    kind: str = ""


_decode_head = msgspec.json.Decoder(_Head).decode


def api_version_of(body: bytes) -> str:
    """The apiVersion of a JSON body; "" if it has none or is not JSON."""
    return _head(body).api_version


def _head(body: bytes) -> _Head:
    try:
        return _decode_head(body)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        return _Head()


def object_from(body: bytes, kind: Kind[K]) -> K:
    """A request body as an object of the kind, with apiVersion and kind checked and filled in. Raises BadRequest."""
    if not body.strip():
        raise errors.bad_request("unable to decode the request body: the body is empty")
    try:
        obj = kind.schema.decode(body)
    except api_codec.DecodeError as error:
        raise _undecodable(kind, body, error) from error
    check_names(obj.api_version, obj.kind, kind)
    kind.schema.prune(obj)
    obj.api_version, obj.kind = kind.api_version, kind.name
    return obj


def object_from_plain(value: Any, kind: Kind[K]) -> K:
    """The same from a plain JSON value, such as the result of a patch."""
    return object_from(msgspec.json.encode(value), kind)


def check_names(api_version: str, name: str, kind: Kind[K]) -> None:
    """Check that the body's apiVersion and kind are those of the endpoint. Raises BadRequest."""
    if name and name != kind.name:
        raise errors.bad_request(
            f'{name} in version "{api_version or kind.version}" cannot be handled as a {kind.name}: '
            f"the object provided is unrecognized (must be of type {kind.name})"
        )
    if api_version and api_version != kind.api_version:
        raise errors.bad_request(
            f"the API version in the data ({api_version}) does not match the expected API version ({kind.api_version})"
        )


def _undecodable(kind: Kind[K], body: bytes, error: Exception) -> Exception:
    """The BadRequest that kube-apiserver makes from an error of its JSON decoder."""
    head = _head(body)
    name, version = head.kind or kind.name, (head.api_version or kind.api_version).rpartition("/")[2]
    return errors.bad_request(f'{name} in version "{version}" cannot be handled as a {kind.name}: {error}')


def copy(obj: K) -> K:
    """A private deep copy."""
    return decode(encode(obj), type(obj))
