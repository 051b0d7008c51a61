"""Namespace: the scope of names, and of much else: permissions, quotas, policies."""

from datetime import datetime
from typing import Annotated

from pybernetes.api import names
from pybernetes.api.duration import age
from pybernetes.api.facts import ListMap
from pybernetes.api.field import Errors, Path
from pybernetes.api.kind import Cell, Column, Kind
from pybernetes.api.meta import Object, Struct, Time, always
from pybernetes.api.tables import AGE, NAME


class NamespaceSpec(Struct, kw_only=True):
    """Who has to finish before the namespace may go."""

    finalizers: list[str] = []
    """Who has to finish before the namespace goes."""


class NamespaceCondition(Struct, kw_only=True):
    """What holds up the deletion of a namespace."""

    status: str = always(str)
    type: str = always(str)
    last_transition_time: Time = ""
    message: str = ""
    reason: str = ""


class NamespaceStatus(Struct, kw_only=True):
    """Whether the namespace is being deleted, and how far that is."""

    conditions: Annotated[list[NamespaceCondition], ListMap("type")] = []
    phase: str = ""
    """Active or Terminating."""


class Namespace(Object, kw_only=True):
    """A scope for names. Deleting it deletes everything in it."""

    spec: NamespaceSpec = always(NamespaceSpec)
    """Who has to finish before it goes."""
    status: NamespaceStatus = always(NamespaceStatus)
    """Whether it is being deleted."""


ACTIVE, TERMINATING = "Active", "Terminating"
FINALIZER = "kubernetes"
NAME_LABEL = "kubernetes.io/metadata.name"


def default(obj: Namespace) -> None:
    """A label with the name lets selectors pick one namespace. A generated name is not known yet, and comes later."""
    if obj.metadata.name:
        obj.metadata.labels = {**obj.metadata.labels, NAME_LABEL: obj.metadata.name}


def prepare_create(obj: Namespace) -> None:
    """Active, and not to be removed before everything in it is."""
    obj.status = NamespaceStatus(phase=ACTIVE)
    if FINALIZER not in obj.spec.finalizers:
        obj.spec.finalizers = [*obj.spec.finalizers, FINALIZER]


def prepare_update(new: Namespace, old: Namespace) -> None:
    """Finalizers change by the `finalize` subresource, the status by its own."""
    new.spec.finalizers = old.spec.finalizers
    new.status = old.status


def prepare_status(new: Namespace, old: Namespace) -> None:
    """The spec stays."""
    new.spec = old.spec


def validate(obj: Namespace, errors: Errors) -> None:
    """Finalizers have names that tell whose they are."""
    for index, finalizer in enumerate(obj.spec.finalizers):
        path = Path("spec") / "finalizers"
        complaints = names.qualified_name(finalizer)
        for complaint in complaints:
            errors.invalid(path, finalizer, complaint)
        if not complaints and "/" not in finalizer and finalizer not in (FINALIZER, "orphan", "foregroundDeletion"):
            text = "name is neither a standard finalizer name nor is it fully qualified"
            errors.invalid(path @ index, finalizer, text)


def validate_update(new: Namespace, old: Namespace, errors: Errors) -> None:
    """The label with the name stays true."""
    if new.metadata.labels.get(NAME_LABEL) != new.metadata.name:
        errors.invalid(
            Path("metadata") / "labels" @ NAME_LABEL,
            new.metadata.labels.get(NAME_LABEL, ""),
            f"must be {new.metadata.name}",
        )


def validate_status(new: Namespace, old: Namespace, errors: Errors) -> None:
    """Active exactly as long as nobody has asked for deletion."""
    path = Path("status") / "phase"
    if not new.metadata.deletion_timestamp and new.status.phase != ACTIVE:
        errors.invalid(path, new.status.phase, f"may only be '{ACTIVE}' if `deletionTimestamp` is empty")
    elif new.metadata.deletion_timestamp and new.status.phase != TERMINATING:
        errors.invalid(path, new.status.phase, f"may only be '{TERMINATING}' if `deletionTimestamp` is not empty")


COLUMNS = (NAME, Column("Status", description="Active or Terminating."), AGE)


def row(obj: Namespace, now: datetime) -> list[Cell]:
    """The cells of `COLUMNS`."""
    return [obj.metadata.name, obj.status.phase, age(obj.metadata.creation_timestamp, now)]


KIND = Kind(
    group="",
    version="v1",
    name="Namespace",
    plural="namespaces",
    singular="namespace",
    struct=Namespace,
    namespaced=False,
    short_names=("ns",),
    subresources=("status", "finalize"),
    name_rule="dns-label",
    verbs=("create", "delete", "get", "list", "patch", "update", "watch"),
    default=default,
    prepare_create=prepare_create,
    prepare_update=prepare_update,
    prepare_status=prepare_status,
    validate=validate,
    validate_update=validate_update,
    validate_status=validate_status,
    columns=COLUMNS,
    row=row,
    selectable={"status.phase": lambda obj: obj.status.phase},
)
