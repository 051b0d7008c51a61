"""Decodes bytes into structs for the whole client: null means absent, and any other mismatch is a `BadAnswer`."""

from typing import Any, TypeVar

import msgspec

from pybernetes.api.meta import Object, Status, StatusDetails
from pybernetes.client.errors import BadAnswer, error_for
from pybernetes.client.nulls import parsed_without_nulls, without_nulls
from pybernetes.client.transport import Response

T = TypeVar("T")
K = TypeVar("K", bound=Object)


class _Metadata(msgspec.Struct):
    metadata: msgspec.Raw


_METADATA = msgspec.json.Decoder(_Metadata)
_STATUS = msgspec.json.Decoder(Status)


def decode(decoder: "msgspec.json.Decoder[T]", data: bytes | msgspec.Raw) -> T:
    """Decode; null members count as absent. Raises BadAnswer.

    Our API server never writes null, so the text is first decoded as it is.
    """
    try:
        return decoder.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        found = _without_nulls(decoder, bytes(data))
        if found is None:
            raise BadAnswer(f"the answer can't be decoded: {error}: {bytes(data)[:80]!r}") from error
        return found


def _without_nulls(decoder: "msgspec.json.Decoder[T]", data: bytes) -> T | None:
    if b"null" not in data:
        return None
    for strip in (without_nulls, parsed_without_nulls):
        try:
            return decoder.decode(strip(data))
        except (msgspec.DecodeError, UnicodeDecodeError):
            continue
    return None


def decode_metadata(decoder: "msgspec.json.Decoder[K]", data: bytes | msgspec.Raw) -> K:
    """Decode an object's metadata and nothing else, for objects that don't decode as a whole. Raises BadAnswer."""
    metadata: Any = decode(_METADATA, data).metadata
    return decode(decoder, b'{"metadata":%b}' % bytes(metadata))


def decode_status(data: bytes | msgspec.Raw) -> Status:
    """Decode a Status. Raises BadAnswer."""
    return decode(_STATUS, data)


def raise_for_status(response: Response) -> None:
    """Raise the error that a response stands for, if any."""
    if response.status < 400:
        return
    try:
        status = decode_status(response.body)
    except BadAnswer:
        status = Status(message=response.body[:1000].decode(errors="replace"))
    if status.code < 400:
        status.code = response.status
    retry = response.headers.get("retry-after", "")
    if retry.isdigit():
        status.details = status.details or StatusDetails()
        status.details.retry_after_seconds = status.details.retry_after_seconds or int(retry)
    raise error_for(status)
