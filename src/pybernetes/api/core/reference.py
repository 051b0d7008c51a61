"""References from one object to another."""

from pybernetes.api.meta import Struct, always


class ObjectReference(Struct, kw_only=True):
    """Names any object, or a part of it."""

    api_version: str = ""
    field_path: str = ""
    kind: str = ""
    name: str = ""
    namespace: str = ""
    resource_version: str = ""
    uid: str = ""


class LocalObjectReference(Struct, kw_only=True):
    """Names an object of a known kind in the same namespace."""

    name: str = ""


class SecretReference(Struct, kw_only=True):
    """Names a Secret in any namespace."""

    name: str = ""
    namespace: str = ""


class TypedLocalObjectReference(Struct, kw_only=True):
    """Names an object of any kind in the same namespace."""

    kind: str = always(str)
    name: str = always(str)
    api_group: str = ""


class TypedObjectReference(Struct, kw_only=True):
    """Names an object of any kind in any namespace."""

    kind: str = always(str)
    name: str = always(str)
    api_group: str = ""
    namespace: str = ""
