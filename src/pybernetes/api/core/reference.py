"""TODOC core/reference.py"""

from pybernetes.api.meta import Struct, always


class ObjectReference(Struct, kw_only=True):
    """TODOC ObjectReference"""

    api_version: str = ""
    field_path: str = ""
    kind: str = ""
    name: str = ""
    namespace: str = ""
    resource_version: str = ""
    uid: str = ""


class LocalObjectReference(Struct, kw_only=True):
    """TODOC LocalObjectReference"""

    name: str = ""


class SecretReference(Struct, kw_only=True):
    """TODOC SecretReference"""

    name: str = ""
    namespace: str = ""


class TypedLocalObjectReference(Struct, kw_only=True):
    """TODOC TypedLocalObjectReference"""

    kind: str = always(str)
    name: str = always(str)
    api_group: str = ""


class TypedObjectReference(Struct, kw_only=True):
    """TODOC TypedObjectReference"""

    kind: str = always(str)
    name: str = always(str)
    api_group: str = ""
    namespace: str = ""
