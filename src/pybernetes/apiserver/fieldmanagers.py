"""managedFields: who last set which field, tracked on every write as the original does."""

from typing import Any

import msgspec

from pybernetes.api.kind import Kind
from pybernetes.api.meta import ManagedFieldsEntry, Time
from pybernetes.api.shape import shape_of
from pybernetes.apiserver import errors
from pybernetes.apiserver.patch import managed
from pybernetes.apiserver.patch.errors import PatchError

_decode = msgspec.json.Decoder(list[ManagedFieldsEntry]).decode


def track(new: Any, old: Any | None, *, kind: Kind[Any], manager: str, now: Time, subresource: str) -> None:
    """Note in `new.metadata.managed_fields` what this write by `manager` changed, in place. Raises BadRequest.

    Not for server-side apply, which has done so itself.
    """
    try:
        entries = managed.track_update(
            msgspec.to_builtins(old, enc_hook=msgspec.json.decode) if old is not None else None,
            msgspec.to_builtins(new, enc_hook=msgspec.json.decode),  # the hook meets raw JSON only
            shape=shape_of(kind.struct),
            api_version=kind.api_version,
            manager=manager,
            now=now,
            subresource=subresource,
        )
    except PatchError as error:
        raise errors.bad_patch(error.message, error.code) from error
    new.metadata.managed_fields = _decode(msgspec.json.encode(entries))
