"""TODOC core/selectors.py"""

from pybernetes.api.meta import Quantity, Struct, always


class ObjectFieldSelector(Struct, kw_only=True):
    """TODOC ObjectFieldSelector"""

    field_path: str = always(str)
    api_version: str = ""


class ResourceFieldSelector(Struct, kw_only=True):
    """TODOC ResourceFieldSelector"""

    resource: str = always(str)
    container_name: str = ""
    divisor: Quantity | None = None


class ConfigMapKeySelector(Struct, kw_only=True):
    """TODOC ConfigMapKeySelector"""

    key: str = always(str)
    name: str = ""
    optional: bool | None = None


class SecretKeySelector(Struct, kw_only=True):
    """TODOC SecretKeySelector"""

    key: str = always(str)
    name: str = ""
    optional: bool | None = None


class FileKeySelector(Struct, kw_only=True):
    """TODOC FileKeySelector"""

    key: str = always(str)
    path: str = always(str)
    volume_name: str = always(str)
    optional: bool | None = None


class KeyToPath(Struct, kw_only=True):
    """TODOC KeyToPath"""

    key: str = always(str)
    path: str = always(str)
    mode: int | None = None
    user: int | None = None
