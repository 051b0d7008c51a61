"""References from one object to another."""

from typing import Annotated, ClassVar

from pybernetes.api.facts import Atomic, Default
from pybernetes.api.meta import UID, Struct, always


class ObjectReference(Struct, kw_only=True):
    """Refers to any object, or to a part of it."""

    type_facts: ClassVar = (Atomic(),)
    api_version: str = ""
    field_path: str = ""
    kind: str = ""
    name: str = ""
    namespace: str = ""
    resource_version: str = ""
    uid: UID = ""


class LocalObjectReference(Struct, kw_only=True):
    """Refers to an object of a known kind in the same namespace."""

    type_facts: ClassVar = (Atomic(),)
    name: Annotated[str, Default("")] = ""


class SecretReference(Struct, kw_only=True):
    """Refers to a Secret in any namespace."""

    type_facts: ClassVar = (Atomic(),)
    name: str = ""
    namespace: str = ""


class TypedLocalObjectReference(Struct, kw_only=True):
    """Refers to an object of any kind in the same namespace."""

    type_facts: ClassVar = (Atomic(),)
    kind: str = always(str)
    name: str = always(str)
    api_group: str = ""


class TypedObjectReference(Struct, kw_only=True):
    """Refers to an object of any kind in any namespace."""

    kind: str = always(str)
    name: str = always(str)
    api_group: str = ""
    namespace: str = ""
