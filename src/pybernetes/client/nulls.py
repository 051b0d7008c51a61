"""Removes null members from JSON.

Go writes an absent time or list as `null` ("lastProbeTime": null, "endpoints": null), and clients read it as absent,
whatever the field. Structs accept null only for optional fields, so text that does not decode is decoded again without
its null members. Objects of our API server never need that.
"""

import re

import msgspec

_MEMBER = rb'"[A-Za-z0-9_.$/-]+":null'
#: Null members of compact JSON: at the beginning of an object with the comma after them, elsewhere with the comma
#: before. The quote before the name opens a string, for no string can follow the end of another one directly; a quote
#: within a string is escaped. So only members match, never the text of a string.
_NULLS = re.compile(rb"(?<=\{)(?:%b(?:,|(?=\})))+|(?:,%b)+(?=[,}])" % (_MEMBER, _MEMBER))


def without_nulls(data: bytes) -> bytes:
    """The text without null members, where they can be found without parsing: compact JSON, as Go writes it."""
    return _NULLS.sub(b"", data)


def parsed_without_nulls(data: bytes) -> bytes:
    """The same for any JSON, by parsing it. Raises DecodeError."""
    return msgspec.json.encode(_pruned(msgspec.json.decode(data)))


def _pruned(value: object) -> object:
    match value:
        case dict():
            return {key: _pruned(item) for key, item in value.items() if item is not None}
        case list():
            return [_pruned(item) for item in value]
    return value
