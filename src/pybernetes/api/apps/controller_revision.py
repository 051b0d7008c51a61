"""TODOC apps/controller_revision.py"""

import msgspec

from pybernetes.api.kind import Kind
from pybernetes.api.meta import Object


class ControllerRevision(Object, kw_only=True):
    """TODOC ControllerRevision"""

    data: msgspec.Raw = msgspec.Raw(b"")
    revision: int | None = None


KIND = Kind(
    group="apps",
    version="v1",
    name="ControllerRevision",
    plural="controllerrevisions",
    singular="controllerrevision",
    struct=ControllerRevision,
)
