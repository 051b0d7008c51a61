"""Secret: small confidential data such as passwords, tokens and keys."""

import base64
import json
from datetime import datetime
from typing import Annotated

from pybernetes.api import names, rules
from pybernetes.api.core.keys import MAX_DATA, validate_immutable_data
from pybernetes.api.duration import age
from pybernetes.api.facts import GoType, Immutable
from pybernetes.api.field import Errors, Path
from pybernetes.api.kind import Cell, Column, Kind
from pybernetes.api.meta import Bytes, Object
from pybernetes.api.schema import StructSchema
from pybernetes.api.tables import AGE, NAME


class Secret(Object, kw_only=True):
    """Holds confidential data for pods and for the cluster."""

    data: dict[str, Bytes] = {}
    """The secret data, in base64."""
    immutable: bool | None = None
    """Whether the data is immutable. It cannot be unset."""
    string_data: dict[str, str] = {}
    """Secret data as text; write-only: the server moves it into `data`."""
    type: Annotated[str, Immutable(), GoType("v1.SecretType")] = ""
    """The type, which determines the required keys; Opaque by default."""


OPAQUE = "Opaque"
SERVICE_ACCOUNT_TOKEN = "kubernetes.io/service-account-token"
SERVICE_ACCOUNT_NAME = "kubernetes.io/service-account.name"
_REQUIRED_KEYS = {
    "kubernetes.io/dockercfg": (".dockercfg",),
    "kubernetes.io/dockerconfigjson": (".dockerconfigjson",),
    "kubernetes.io/ssh-auth": ("ssh-privatekey",),
    "kubernetes.io/tls": ("tls.crt", "tls.key"),
}


def default(obj: Secret) -> None:
    """The type is Opaque by default. `stringData` is moved into `data`, whose entries it overrides."""
    obj.type = obj.type or OPAQUE
    for key, text in obj.string_data.items():
        obj.data[key] = base64.b64encode(text.encode()).decode()
    obj.string_data = {}


def validate(obj: Secret, errors: Errors) -> None:
    """Keys are valid file names, values have at most 1 MiB in total, and the keys that the type requires exist."""
    size = 0
    for key, value in obj.data.items():
        path = Path("data") @ key
        rules.follows(key, names.config_key, path, errors)
        size += len(base64.b64decode(value))
    if size > MAX_DATA:
        errors.too_long(Path("data"), MAX_DATA)
    for key in _REQUIRED_KEYS.get(obj.type, ()):
        if key not in obj.data:
            errors.required(Path("data") @ key)
        elif key.startswith(".docker"):
            _json(obj.data[key], Path("data") @ key, errors)
    if obj.type == SERVICE_ACCOUNT_TOKEN and not obj.metadata.annotations.get(SERVICE_ACCOUNT_NAME):
        errors.required(Path("metadata") / "annotations" @ SERVICE_ACCOUNT_NAME)
    if obj.type == "kubernetes.io/basic-auth" and not obj.data.keys() & {"username", "password"}:
        errors.required(Path("data") @ "username")
        errors.required(Path("data") @ "password")


def _json(value: str, path: Path, errors: Errors) -> None:
    try:
        json.loads(base64.b64decode(value))
    except (ValueError, RecursionError) as error:
        errors.invalid(path, "<secret contents redacted>", str(error))


def validate_update(new: Secret, old: Secret, errors: Errors) -> None:
    """The type is immutable; once immutable, always immutable."""
    rules.immutable_fields(new, old, errors)
    validate_immutable_data(new.immutable, old.immutable, {"data": new.data != old.data}, errors)


COLUMNS = (
    NAME,
    Column("Type", description="What the secret is for."),
    Column("Data", description="How many keys it has."),
    AGE,
)


def row(obj: Secret, now: datetime) -> list[Cell]:
    return [obj.metadata.name, obj.type, len(obj.data), age(obj.metadata.creation_timestamp, now)]


KIND = Kind(
    group="",
    version="v1",
    name="Secret",
    plural="secrets",
    singular="secret",
    schema=StructSchema(Secret, default=default, validate=validate),
    validate_update=validate_update,
    columns=COLUMNS,
    row=row,
    selectable={"type": lambda obj: obj.type},
)
