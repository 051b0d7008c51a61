"""Namespace: the scope of names, permissions, quotas and policies."""

from datetime import datetime
from typing import Annotated

from msgspec.structs import replace

from pybernetes.api import names, rules
from pybernetes.api.duration import age
from pybernetes.api.facts import GoType, ListMap
from pybernetes.api.field import Errors, Path
from pybernetes.api.kind import Cell, Column, Kind
from pybernetes.api.meta import Object, Struct, Time, always
from pybernetes.api.meta_validation import NOT_STANDARD, is_standard_finalizer
from pybernetes.api.schema import StructSchema
from pybernetes.api.subresource import Subresource, keep_metadata, status
from pybernetes.api.tables import AGE, NAME


class NamespaceSpec(Struct, kw_only=True):
    """The finalizers of a namespace."""

    finalizers: list[Annotated[str, GoType("v1.FinalizerName")]] = []
    """Components that must finish their work before the namespace is removed."""


class NamespaceCondition(Struct, kw_only=True):
    """A condition that describes what delays the deletion of a namespace."""

    status: str = always(str)
    type: str = always(str)
    last_transition_time: Time = ""
    message: str = ""
    reason: str = ""


class NamespaceStatus(Struct, kw_only=True):
    """Whether the namespace is being deleted, and the progress of the deletion."""

    conditions: Annotated[list[NamespaceCondition], ListMap("type")] = []
    phase: str = ""
    """Active or Terminating."""


class Namespace(Object, kw_only=True):
    """A scope for names. Deleting it deletes all objects in it."""

    spec: NamespaceSpec = always(NamespaceSpec)
    """The finalizers."""
    status: NamespaceStatus = always(NamespaceStatus)
    """Whether it is being deleted."""


ACTIVE, TERMINATING = "Active", "Terminating"
FINALIZER = "kubernetes"
NAME_LABEL = "kubernetes.io/metadata.name"


def default(obj: Namespace) -> None:
    """Set the label with the name, by which selectors select one namespace. A generated name is not known yet."""
    if obj.metadata.name:
        obj.metadata.labels = {**obj.metadata.labels, NAME_LABEL: obj.metadata.name}


def prepare_create(obj: Namespace) -> None:
    """The namespace is Active and has the finalizer that keeps it until it is empty."""
    obj.status = NamespaceStatus(phase=ACTIVE)
    if FINALIZER not in obj.spec.finalizers:
        obj.spec.finalizers = [*obj.spec.finalizers, FINALIZER]


def prepare_update(new: Namespace, old: Namespace) -> None:
    """Finalizers change only through /finalize."""
    new.spec.finalizers = old.spec.finalizers


def prepare_delete(obj: Namespace) -> None:
    """The phase Terminating prevents new objects in it."""
    obj.status.phase = TERMINATING


def is_finished(obj: Namespace) -> bool:
    """The namespace controller removes the last finalizer once the namespace is empty."""
    return not obj.spec.finalizers


def keep_all_but_finalizers(new: Namespace, old: Namespace) -> None:
    """/finalize writes spec.finalizers and nothing else."""
    new.spec = replace(old.spec, finalizers=new.spec.finalizers)
    new.status = old.status
    keep_metadata(new, old)


def validate(obj: Namespace, errors: Errors) -> None:
    """Finalizers are qualified names."""
    path = Path("spec") / "finalizers"
    for finalizer in obj.spec.finalizers:
        rules.follows(finalizer, names.qualified_name, path, errors)
        if not is_standard_finalizer(finalizer):
            errors.invalid(path, finalizer, NOT_STANDARD)


def validate_update(new: Namespace, old: Namespace, errors: Errors) -> None:
    """The label with the name keeps its value."""
    if new.metadata.labels.get(NAME_LABEL) != new.metadata.name:
        errors.invalid(
            Path("metadata") / "labels" @ NAME_LABEL,
            new.metadata.labels.get(NAME_LABEL, ""),
            f"must be {new.metadata.name}",
        )


def validate_status(new: Namespace, old: Namespace, errors: Errors) -> None:
    """The phase is Active unless the namespace is being deleted."""
    path = Path("status") / "phase"
    if not new.metadata.deletion_timestamp and new.status.phase != ACTIVE:
        errors.invalid(path, new.status.phase, f"may only be '{ACTIVE}' if `deletionTimestamp` is empty")
    elif new.metadata.deletion_timestamp and new.status.phase != TERMINATING:
        errors.invalid(path, new.status.phase, f"may only be '{TERMINATING}' if `deletionTimestamp` is not empty")


def _no_rules(new: Namespace, old: Namespace, errors: Errors) -> None:
    """Only the finalizers are checked: a namespace that is invalid otherwise can still be removed."""


COLUMNS = (NAME, Column("Status", description="Active or Terminating."), AGE)


def row(obj: Namespace, now: datetime) -> list[Cell]:
    return [obj.metadata.name, obj.status.phase, age(obj.metadata.creation_timestamp, now)]


FINALIZE: Subresource[Namespace] = Subresource(
    name="finalize", verbs=("update",), prepare=keep_all_but_finalizers, validate=_no_rules
)


KIND = Kind(
    group="",
    version="v1",
    name="Namespace",
    plural="namespaces",
    singular="namespace",
    schema=StructSchema(Namespace, default=default, validate=validate),
    namespaced=False,
    short_names=("ns",),
    subresources=(status(validate=validate_status), FINALIZE),
    name_rule="dns-label",
    verbs=("create", "delete", "get", "list", "patch", "update", "watch"),
    prepare_create=prepare_create,
    prepare_update=prepare_update,
    prepare_delete=prepare_delete,
    is_finished=is_finished,
    validate_update=validate_update,
    columns=COLUMNS,
    row=row,
    selectable={"status.phase": lambda obj: obj.status.phase},
)
