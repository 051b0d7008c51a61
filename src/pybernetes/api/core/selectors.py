"""References to keys of ConfigMaps, Secrets and files, and to fields of the pod."""

from typing import Annotated, ClassVar

from pybernetes.api.core.reference import LocalObjectReference
from pybernetes.api.facts import Atomic, Default
from pybernetes.api.meta import Int32, Int64, Quantity, Struct, always


class ObjectFieldSelector(Struct, kw_only=True):
    """A field of the pod."""

    type_facts: ClassVar = (Atomic(),)
    field_path: str = always(str)
    api_version: str = ""


class ResourceFieldSelector(Struct, kw_only=True):
    """A request or limit of a container, divided by a unit."""

    type_facts: ClassVar = (Atomic(),)
    resource: str = always(str)
    container_name: str = ""
    divisor: Quantity | None = None


class ConfigMapKeySelector(LocalObjectReference, kw_only=True):
    """A key of a ConfigMap."""

    type_facts: ClassVar = (Atomic(),)
    key: str = always(str)
    optional: bool | None = None


class SecretKeySelector(LocalObjectReference, kw_only=True):
    """A key of a Secret."""

    type_facts: ClassVar = (Atomic(),)
    key: str = always(str)
    optional: bool | None = None


class FileKeySelector(Struct, kw_only=True):
    """A key of a file with environment variables in a volume."""

    type_facts: ClassVar = (Atomic(),)
    key: str = always(str)
    path: str = always(str)
    volume_name: str = always(str)
    optional: Annotated[bool | None, Default(False)] = None


class KeyToPath(Struct, kw_only=True):
    """Maps a key to a file."""

    key: str = always(str)
    """The key."""
    path: str = always(str)
    """The file, relative to the volume."""
    mode: Int32 | None = None
    """Permissions of this file."""
    user: Int64 | None = None
