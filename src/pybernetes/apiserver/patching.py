"""PATCH in its four forms: makes the new object from the present one and the patch."""

from typing import Any, Protocol

import msgspec

from pybernetes.api.kind import Kind
from pybernetes.api.meta import Object, StatusCause
from pybernetes.apiserver import codec, errors
from pybernetes.apiserver.context import ResourceRequest
from pybernetes.apiserver.options import WriteOptions
from pybernetes.apiserver.patch import json_patch, merge, strategic
from pybernetes.apiserver.patch.apply import server_side_apply
from pybernetes.apiserver.patch.errors import ApplyConflict, PatchError

JSON_PATCH = "application/json-patch+json"
MERGE_PATCH = "application/merge-patch+json"
STRATEGIC_PATCH = "application/strategic-merge-patch+json"
APPLY_PATCH = "application/apply-patch+yaml"
TYPES = (JSON_PATCH, MERGE_PATCH, STRATEGIC_PATCH, APPLY_PATCH)

#: kube-apiserver refuses longer JSON patches.
MAX_OPERATIONS = 10_000


class Maker(Protocol):
    """Makes the new object. `creates`: whether it can also create an object."""

    creates: bool

    def make(self, old: Object, body: bytes) -> Object:
        """The present object and its bytes -> the new object. Raises ApiError."""

    def first(self) -> Object:
        """The object to create. Raises NotFound if the patch can't create one."""


def patch_maker(
    request: ResourceRequest, requested: WriteOptions, now: str, subresource: str, *, kind: Kind[Any] | None = None
) -> Maker:
    """Reads the patch in the request's body. `kind` is the kind of the body if it is not the resource's.

    Raises 415 for a form that the kind does not take, BadRequest for a bad body.
    """
    kind = kind or request.resource.kind
    form = codec.media_type(request.content_type)
    types = TYPES if kind.schema.strategic_merge else tuple(each for each in TYPES if each != STRATEGIC_PATCH)
    if form not in types:
        raise errors.unsupported_media_type(types)
    if form == APPLY_PATCH:
        return _Apply(request, kind, requested, now, subresource)
    return _Patch(kind, form, codec.plain(request.http.body))


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

    def make(self, old: Object, body: bytes) -> Object:
        """Apply the patch to the JSON of the present object."""
        try:
            made: Object = codec.object_from_plain(self._apply(msgspec.json.decode(body)), self._kind)
            return made
        except PatchError as error:
            raise errors.bad_patch(error.message, error.code) from error

    def _apply(self, doc: Any) -> Any:
        if self._form == JSON_PATCH:
            return json_patch.apply(doc, self._patch)
        if self._form == MERGE_PATCH:
            return merge.apply(doc, self._patch)
        return strategic.apply(doc, self._patch, self._kind.schema.shape)

    def first(self) -> Object:
        """Only an existing object can be patched."""
        raise errors.not_found(self._kind, "")


class _Apply:
    """Server-side apply."""

    creates = True

    def __init__(
        self, request: ResourceRequest, kind: Kind[Any], requested: WriteOptions, now: str, subresource: str
    ) -> None:
        self._kind = kind
        self._name = request.info.name
        self._asked = requested
        self._now = now
        self._subresource = subresource
        self._applied = codec.plain(codec.yaml_to_json(request.http.body))
        self._check()

    def _check(self) -> None:
        """Check that apiVersion, kind and name of the configuration are those of the request. Raises BadRequest."""
        applied, kind = self._applied, self._kind
        if not isinstance(applied, dict):
            raise errors.bad_request("error decoding YAML: an apply patch must be an object")
        version, name = applied.get("apiVersion"), applied.get("kind")
        if version != kind.api_version or name != kind.name:
            raise errors.bad_request(
                f"invalid object type: {version}, Kind={name}, expected {kind.api_version}, Kind={kind.name}"
            )
        meta = applied.get("metadata")
        if isinstance(meta, dict) and meta.get("name") not in (None, "", self._name):
            raise errors.bad_request(
                f"the name of the object ({meta['name']}) does not match the name on the URL ({self._name})"
            )

    def make(self, old: Object, body: bytes) -> Object:
        """Merge the configuration into the present object. Raises Conflict if other managers own changed fields."""
        return self._merged(msgspec.json.decode(body))

    def first(self) -> Object:
        """The configuration itself is the object."""
        made = self._merged(None)
        made.metadata.name = made.metadata.name or self._name
        return made

    def _merged(self, live: Any) -> Object:
        try:
            merged = server_side_apply(
                live,
                self._applied,
                shape=self._kind.schema.shape,
                api_version=self._kind.api_version,
                manager=self._asked.field_manager,
                force=self._asked.force,
                now=self._now,
                subresource=self._subresource,
            )
        except PatchError as error:
            raise errors.bad_patch(error.message, error.code) from error
        except ApplyConflict as error:
            causes = [
                StatusCause(reason="FieldManagerConflict", message=f"conflict with {manager}", field=path)
                for manager, path in error.conflicts
            ]
            raise errors.apply_conflict(str(error), causes) from error
        made: Object = codec.object_from_plain(merged, self._kind)
        return made
