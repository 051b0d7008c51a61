"""managedFields: who last set which field, tracked on every write as kube-apiserver does."""

from typing import Any

import msgspec

from pybernetes.api.kind import Kind
from pybernetes.api.meta import ManagedFieldsEntry, Object, Time
from pybernetes.apiserver import errors
from pybernetes.apiserver.patch import managed
from pybernetes.apiserver.patch.errors import PatchError

_decode = msgspec.json.Decoder(list[ManagedFieldsEntry]).decode


def track(new: Object, old: Object | None, *, kind: Kind[Any], manager: str, now: Time, subresource: str) -> None:
    """Record in `new.metadata.managed_fields` what this write by `manager` changed, in place. Raises BadRequest.

    Not for server-side apply, which has done so itself.
    """
    schema = kind.schema
    try:
        entries = managed.track_update(
            schema.plain(old) if old is not None else None,
            schema.plain(new),
            shape=schema.shape,
            api_version=kind.api_version,
            manager=manager,
            now=now,
            subresource=subresource,
        )
    except PatchError as error:
        raise errors.bad_patch(error.message, error.code) from error
    new.metadata.managed_fields = _decode(msgspec.json.encode(entries))
