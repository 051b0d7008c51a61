"""The options of create, update and patch as objects: what an AdmissionReview shows of them.

Clients send them as query parameters. `meta.DeleteOptions`, which has a body, stands in `api/meta.py`.
"""

from pybernetes.api.meta import Struct

_API_VERSION = "meta.k8s.io/v1"


class VerbOptions(Struct, kw_only=True):
    """What the three have in common."""

    kind: str = ""
    api_version: str = ""
    dry_run: list[str] = []
    field_manager: str = ""
    field_validation: str = ""


class CreateOptions(VerbOptions, kw_only=True):
    """Options of a POST."""

    kind: str = "CreateOptions"
    api_version: str = _API_VERSION


class UpdateOptions(VerbOptions, kw_only=True):
    """Options of a PUT."""

    kind: str = "UpdateOptions"
    api_version: str = _API_VERSION


class PatchOptions(VerbOptions, kw_only=True):
    """Options of a PATCH."""

    kind: str = "PatchOptions"
    api_version: str = _API_VERSION
    force: bool | None = None


BY_KIND: dict[str, type[VerbOptions]] = {
    struct.__name__: struct for struct in (CreateOptions, UpdateOptions, PatchOptions)
}
