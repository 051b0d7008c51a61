"""The tables of field numbers, read once, when the first protobuf body arrives.

A line names a message and numbers its fields: `Name: field=4 other=5 ~LocalObjectReference=1`. The types of the fields
are those of the struct with the same name. The members of a field that starts with `~`, a message, belong to the
message around it in JSON.
"""

from collections.abc import Mapping
from functools import cache

from pybernetes.apiserver.protobuf import core_a, core_b, groups

Numbers = Mapping[int, str]
"""field number -> JSON name, or `~` and the name of an inlined message"""


@cache
def messages() -> Mapping[str, Numbers]:
    """Every message by `group.Name`."""
    found: dict[str, dict[int, str]] = {}
    for text in (core_a.TEXT, core_b.TEXT, groups.TEXT):
        group, message = "", dict[int, str]()
        for line in text.splitlines():
            if line.startswith("["):
                group = line.strip("[]")
                continue
            name, colon, fields = line.partition(":")
            if not line.startswith(" ") and colon:
                message = found.setdefault(f"{group}.{name}", {})
            else:
                fields = line
            for field in fields.split():
                json_name, _, number = field.partition("=")
                message[int(number)] = json_name
    return found
