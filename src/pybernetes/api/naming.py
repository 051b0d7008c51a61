"""JSON names of fields. The API writes lowerCamelCase; a field with an acronym in its name states its own (`named`)."""

from collections.abc import Mapping
from functools import cache

import msgspec


def camel(name: str) -> str:
    """`node_name` -> `nodeName`, `continue_` -> `continue`."""
    first, *rest = name.rstrip("_").split("_")
    return first + "".join(part[:1].upper() + part[1:] for part in rest)


@cache
def json_names(struct: type[msgspec.Struct]) -> Mapping[str, str]:
    """Attribute -> JSON name, of every field of a struct."""
    return dict(zip(struct.__struct_fields__, struct.__struct_encode_fields__, strict=True))
