"""The forms of meta.k8s.io: Table, which kubectl prints, and PartialObjectMetadata, which has metadata only."""

from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Any

import msgspec

from pybernetes.api import duration
from pybernetes.api.kind import Cell, Kind
from pybernetes.api.meta import ListMeta
from pybernetes.apiserver import codec


class _OnlyMeta(msgspec.Struct):
    metadata: msgspec.Raw


class _Revision(msgspec.Struct, rename="camel"):
    resource_version: str = ""


class _WithRevision(msgspec.Struct):
    metadata: _Revision


_decode_meta = msgspec.json.Decoder(_OnlyMeta).decode
_decode_revision = msgspec.json.Decoder(_WithRevision).decode


def revision_of(body: bytes) -> str:
    """metadata.resourceVersion of an encoded object."""
    return _decode_revision(body).metadata.resource_version


def partial(body: bytes, version: str = "v1") -> bytes:
    """An encoded object as PartialObjectMetadata; its metadata is copied as it stands."""
    meta = bytes(_decode_meta(body).metadata)
    return b'{"kind":"PartialObjectMetadata","apiVersion":"meta.k8s.io/%s","metadata":%s}' % (version.encode(), meta)


class _ColumnDefinition(msgspec.Struct):
    name: str
    type: str
    format: str
    description: str
    priority: int


def _columns(kind: Kind[Any]) -> bytes:
    return msgspec.json.encode(
        [_ColumnDefinition(c.name, c.type, c.format, c.description, c.priority) for c in kind.columns]
    )


def head(kind: Kind[Any] | None, meta: ListMeta, version: str = "v1") -> bytes:
    """The beginning of a Table, up to its rows. `kind=None` omits the column definitions: a watch sends them once."""
    return b'{"kind":"Table","apiVersion":"meta.k8s.io/%s","metadata":%s,"columnDefinitions":%s,"rows":[' % (
        version.encode(),
        codec.encode(meta),
        _columns(kind) if kind else b"[]",
    )


def _default_row(obj: Any, now: datetime) -> list[Cell]:
    meta = obj.metadata
    return [meta.name, duration.age(meta.creation_timestamp, now)]


def row_maker(kind: Kind[Any], *, now: datetime, include: str = "", version: str = "v1") -> Callable[[bytes], bytes]:
    """The function that turns an encoded object into an encoded row. `include`: Metadata, Object or None."""
    cells = kind.row or _default_row
    load = kind.schema.load
    encode = codec.encode

    def row(body: bytes) -> bytes:
        made = encode(cells(load(body), now))
        if include == "None":
            return b'{"cells":%s}' % made
        shown = body if include == "Object" else partial(body, version)
        return b'{"cells":%s,"object":%s}' % (made, shown)

    return row


def table(
    kind: Kind[Any],
    bodies: Iterable[bytes],
    meta: ListMeta,
    *,
    now: datetime,
    include: str = "",
    version: str = "v1",
    columns: bool = True,
) -> bytes:
    """A Table."""
    row = row_maker(kind, now=now, include=include, version=version)
    return head(kind if columns else None, meta, version) + b",".join(map(row, bodies)) + b"]}"
