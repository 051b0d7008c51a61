"""The last stage: an object or a list in the negotiated form.

Plain JSON costs nothing: the response is the stored bytes. Long lists are sent in chunks, so that one client takes up
neither the memory nor the event loop.
"""

import asyncio
from collections.abc import AsyncGenerator, Callable, Iterable, Sequence
from datetime import datetime
from typing import Any

import msgspec
import yaml

from pybernetes.api.kind import Kind
from pybernetes.api.meta import ListMeta, Object, Struct, always
from pybernetes.apiserver import codec, errors, tables
from pybernetes.apiserver.media import JSON, PARTIAL, PARTIAL_LIST, TABLE, YAML, Form
from pybernetes.apiserver.types import StreamResponse
from pybernetes.client.errors import ApiError
from pybernetes.client.transport import Response
from pybernetes.store.types import KeyValue

_JSON_HEADERS = {"content-type": JSON, "cache-control": "no-cache, private"}
_YAML_HEADERS = {"content-type": YAML, "cache-control": "no-cache, private"}

#: Items per chunk of a long list: about a megabyte, less than a millisecond of work.
CHUNK = 400


class PartialObjectMetadata(Object, kw_only=True):
    """Only the metadata of an object."""


class _Items(Struct, kw_only=True):
    api_version: str = always(str)
    kind: str = always(str)
    metadata: ListMeta = msgspec.field(default_factory=ListMeta)


def response(status: int, body: bytes, form: Form) -> Response:
    """A response from JSON, converted to YAML if the client wants that."""
    if form.media_type == YAML:
        return Response(status, _YAML_HEADERS, to_yaml(body))
    return Response(status, _JSON_HEADERS, body)


def refusal(error: ApiError) -> Response:
    """The response for an error."""
    headers = dict(_JSON_HEADERS)
    details = error.status.details
    if details is not None and details.retry_after_seconds:
        headers["retry-after"] = str(details.retry_after_seconds)
    return Response(error.status.code or 500, headers, codec.encode_status(error.status))


def to_yaml(body: bytes) -> bytes:
    """JSON as YAML in kube-apiserver's style: block form, keys sorted."""
    dumper = getattr(yaml, "CSafeDumper", yaml.SafeDumper)
    text: bytes = yaml.dump(
        msgspec.json.decode(body), Dumper=dumper, default_flow_style=False, allow_unicode=True, encoding="utf-8"
    )
    return text


def obj(body: bytes, kind: Kind[Any], form: Form, *, now: datetime, status: int = 200, include: str = "") -> Response:
    """One object. `include` is the Table's includeObject."""
    if not form.transform:
        return response(status, body, form)
    if form.transform == PARTIAL:
        return response(status, tables.partial(body, form.version), form)
    if form.transform == TABLE:
        meta = ListMeta(resource_version=tables.revision_of(body))
        table = tables.table(kind, [body], meta, now=now, include=include, version=form.version)
        return response(status, table, form)
    raise errors.not_acceptable((JSON, YAML))


async def collection(
    items: Sequence[KeyValue], kind: Kind[Any], form: Form, meta: ListMeta, *, now: datetime, include: str = ""
) -> Response | StreamResponse:
    """A list of objects in the served version."""
    if form.transform == PARTIAL:
        raise errors.not_acceptable((JSON, YAML))
    if form.media_type == YAML:
        return response(200, b"".join([part async for part in _parts(items, kind, form, meta, now, include)]), form)
    parts = _parts(items, kind, form, meta, now, include)
    if len(items) > CHUNK:
        return StreamResponse(200, _JSON_HEADERS, parts)
    return Response(200, _JSON_HEADERS, b"".join([part async for part in parts]))


async def _parts(
    items: Sequence[KeyValue], kind: Kind[Any], form: Form, meta: ListMeta, now: datetime, include: str
) -> AsyncGenerator[bytes, None]:
    head, chunk = _head(kind, form, meta), _chunk(kind, form, now, include)
    size = CHUNK if not form.transform else CHUNK // 4
    yield head
    for start in range(0, len(items), size):
        if start:
            await asyncio.sleep(0)
        joined = b",".join(chunk(items[start : start + size]))
        yield b"," + joined if start else joined
    yield b"]}\n"


def _head(kind: Kind[Any], form: Form, meta: ListMeta) -> bytes:
    """The beginning of a list, up to its items."""
    if form.transform == TABLE:
        return tables.head(kind, meta, form.version)
    envelope = _Items(api_version=kind.api_version, kind=kind.list_kind, metadata=meta)
    if form.transform == PARTIAL_LIST:
        envelope.api_version, envelope.kind = f"meta.k8s.io/{form.version}", PARTIAL_LIST
    return codec.encode(envelope)[:-1] + b',"items":['


def _chunk(kind: Kind[Any], form: Form, now: datetime, include: str) -> Callable[[Sequence[KeyValue]], Iterable[bytes]]:
    """The function that turns objects into the items of a list."""
    if form.transform == TABLE:
        row = tables.row_maker(kind, now=now, include=include, version=form.version)
        return lambda part: [row(kv.value) for kv in part]
    if form.transform == PARTIAL_LIST:
        return lambda part: [tables.partial(kv.value, form.version) for kv in part]
    return lambda part: [kv.value for kv in part]
