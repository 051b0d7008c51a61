"""ConfigMap: configuration that pods read as files or environment variables."""

from datetime import datetime

from pybernetes.api import names, rules
from pybernetes.api.core.keys import MAX_DATA, validate_immutable_data
from pybernetes.api.duration import age
from pybernetes.api.field import Errors, Path
from pybernetes.api.kind import Cell, Column, Kind
from pybernetes.api.meta import Bytes, Object
from pybernetes.api.schema import StructSchema
from pybernetes.api.tables import AGE, NAME


class ConfigMap(Object, kw_only=True):
    """Holds configuration data for pods."""

    binary_data: dict[str, Bytes] = {}
    """Binary data, in base64."""
    data: dict[str, str] = {}
    """Text data."""
    immutable: bool | None = None
    """Whether the data is immutable. It cannot be unset."""


def validate(obj: ConfigMap, errors: Errors) -> None:
    """Keys are valid file names, no key occurs in both maps, and the total size is at most 1 MiB."""
    size = 0
    for name, pairs, other in (("data", obj.data, obj.binary_data), ("binaryData", obj.binary_data, obj.data)):
        for key, value in pairs.items():
            rules.follows(key, names.config_key, Path(name) @ key, errors)
            if key in other:
                twin = "binaryData" if name == "data" else "data"
                errors.invalid(Path(name) @ key, key, f"duplicate of key present in {twin}")
            size += len(value.encode())
    if size > MAX_DATA:
        errors.too_long(Path(""), MAX_DATA)


def validate_update(new: ConfigMap, old: ConfigMap, errors: Errors) -> None:
    """An immutable object stays immutable."""
    changed = {"data": new.data != old.data, "binaryData": new.binary_data != old.binary_data}
    validate_immutable_data(new.immutable, old.immutable, changed, errors)


COLUMNS = (NAME, Column("Data", description="How many keys it has."), AGE)


def row(obj: ConfigMap, now: datetime) -> list[Cell]:
    count = len(obj.data) + len(obj.binary_data)
    return [obj.metadata.name, count, age(obj.metadata.creation_timestamp, now)]


KIND = Kind(
    group="",
    version="v1",
    name="ConfigMap",
    plural="configmaps",
    singular="configmap",
    schema=StructSchema(ConfigMap, validate=validate),
    short_names=("cm",),
    validate_update=validate_update,
    columns=COLUMNS,
    row=row,
)
