"""PATCH: from the present object and a patch to the new object, in each of the four forms."""

from typing import Any, Protocol

import msgspec

from pybernetes.api.kind import Kind
from pybernetes.apiserver import codec, errors
from pybernetes.apiserver.call import Call
from pybernetes.apiserver.options import WriteOptions
from pybernetes.apiserver.patch import json_patch, merge, strategic
from pybernetes.apiserver.patch.errors import PatchError
from pybernetes.apiserver.resource import Resource

JSON_PATCH = "application/json-patch+json"
MERGE_PATCH = "application/merge-patch+json"
STRATEGIC_PATCH = "application/strategic-merge-patch+json"
APPLY_PATCH = "application/apply-patch+yaml"
TYPES = (JSON_PATCH, MERGE_PATCH, STRATEGIC_PATCH, APPLY_PATCH)

#: The original refuses longer JSON Patches.
MAX_OPERATIONS = 10_000


class Maker(Protocol):
    """Makes the new object; `creates` says whether it can also make a first one."""

    creates: bool

    def make(self, old: Any, body: bytes) -> Any:
        """The present object and its bytes -> the new object. Raises ApiError."""

    def first(self) -> Any:
        """An object that does not exist yet."""


def patch_maker(
    call: Call, asked: WriteOptions, now: str, subresource: str, *, resource: Resource | None = None
) -> Maker:
    """What applies the request's body; `resource` is what it is applied to, where that is not the call's own.

    Raises 415 for a form that is not known, BadRequest for a bad body.
    """
    kind = (resource or call.resource).kind
    form = codec.media_type(call.content_type)
    if form not in TYPES:
        raise errors.unsupported_media_type(TYPES)
    return _Patch(kind, form, codec.plain(call.request.body))


class _Patch:
    """JSON Patch, merge patch and strategic merge patch."""

    creates = False

    def __init__(self, kind: Kind[Any], form: str, patch: Any) -> None:
        self._kind = kind
        self._form = form
        self._patch = patch
        if form == JSON_PATCH and isinstance(patch, list) and len(patch) > MAX_OPERATIONS:
            raise errors.too_large(MAX_OPERATIONS)
        if form != JSON_PATCH and not isinstance(patch, dict):
            raise errors.bad_request(f"error decoding patch: json: cannot unmarshal into a map: {form}")

    def make(self, old: Any, body: bytes) -> Any:
        """Apply the patch to the JSON of the present object."""
        try:
            return codec.object_from_plain(self._apply(msgspec.json.decode(body)), self._kind)
        except PatchError as error:
            raise errors.bad_patch(error.message, error.code) from error

    def _apply(self, doc: Any) -> Any:
        if self._form == JSON_PATCH:
            return json_patch.apply(doc, self._patch)
        if self._form == MERGE_PATCH:
            return merge.apply(doc, self._patch)
        return strategic.apply(doc, self._patch, self._kind.struct)

    def first(self) -> Any:
        """A patch changes what is there, and makes nothing."""
        raise errors.not_found(self._kind, "")
