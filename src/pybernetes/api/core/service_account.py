"""ServiceAccount: the identity of pods at the API server."""

from datetime import datetime
from typing import Annotated

from pybernetes.api.core.reference import LocalObjectReference, ObjectReference
from pybernetes.api.duration import age
from pybernetes.api.facts import ListMap
from pybernetes.api.kind import Cell, Column, Kind
from pybernetes.api.meta import Object
from pybernetes.api.schema import StructSchema
from pybernetes.api.subresource import CREATE, BodyKind, Subresource
from pybernetes.api.tables import AGE, NAME


class ServiceAccount(Object, kw_only=True):
    """An identity for processes that run in pods."""

    automount_service_account_token: bool | None = None
    """Whether pods get a token mounted."""
    image_pull_secrets: list[LocalObjectReference] = []
    """Secrets for pulling the images of pods."""
    secrets: Annotated[list[ObjectReference], ListMap("name")] = []
    """Secrets that pods with this account may use."""


def keep_secret_names(obj: ServiceAccount, *_: ServiceAccount) -> None:
    """References to secrets have only a name."""
    obj.secrets = [ObjectReference(name=secret.name) for secret in obj.secrets]


COLUMNS = (NAME, Column("Secrets", description="How many secrets are listed in it."), AGE)


def row(obj: ServiceAccount, now: datetime) -> list[Cell]:
    return [obj.metadata.name, len(obj.secrets), age(obj.metadata.creation_timestamp, now)]


TOKEN: Subresource[ServiceAccount] = Subresource(
    name="token", verbs=CREATE, body=BodyKind("authentication.k8s.io", "v1", "TokenRequest")
)


KIND = Kind(
    group="",
    version="v1",
    name="ServiceAccount",
    plural="serviceaccounts",
    singular="serviceaccount",
    schema=StructSchema(ServiceAccount),
    short_names=("sa",),
    returns_deleted=True,
    subresources=(TOKEN,),
    prepare_create=keep_secret_names,
    prepare_update=keep_secret_names,
    columns=COLUMNS,
    row=row,
)
