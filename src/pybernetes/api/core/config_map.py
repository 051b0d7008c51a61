"""TODOC core/config_map.py"""

from pybernetes.api.kind import Kind
from pybernetes.api.meta import Object


class ConfigMap(Object, kw_only=True):
    """TODOC ConfigMap"""

    binary_data: dict[str, str] = {}
    data: dict[str, str] = {}
    immutable: bool | None = None


KIND = Kind(
    group="",
    version="v1",
    name="ConfigMap",
    plural="configmaps",
    singular="configmap",
    struct=ConfigMap,
    short_names=("cm",),
)
