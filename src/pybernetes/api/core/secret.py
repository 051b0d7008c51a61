"""TODOC core/secret.py"""

from pybernetes.api.kind import Kind
from pybernetes.api.meta import Object


class Secret(Object, kw_only=True):
    """TODOC Secret"""

    data: dict[str, str] = {}
    immutable: bool | None = None
    string_data: dict[str, str] = {}
    type: str = ""


KIND = Kind(
    group="",
    version="v1",
    name="Secret",
    plural="secrets",
    singular="secret",
    struct=Secret,
)
