"""RoleBinding: grants a role in one namespace."""

from typing import Annotated

from pybernetes.api.facts import Required
from pybernetes.api.field import Errors
from pybernetes.api.kind import Kind
from pybernetes.api.meta import Object, always
from pybernetes.api.rbac.rule import RoleRef, Subject
from pybernetes.api.rbac.validation import (
    BINDING_COLUMNS,
    binding_row,
    default_binding,
    validate_binding,
    validate_binding_update,
)
from pybernetes.api.schema import StructSchema


class RoleBinding(Object, kw_only=True):
    """Grants a Role of its namespace, or a ClusterRole, to subjects within its namespace."""

    role_ref: Annotated[RoleRef, Required()] = always(RoleRef)
    """The role that is granted. It can't be changed."""
    subjects: list[Subject] = []
    """The users, groups and service accounts that get the role."""


def validate(obj: RoleBinding, errors: Errors) -> None:
    """The role reference and the subjects."""
    validate_binding(obj.role_ref, obj.subjects, ("Role", "ClusterRole"), errors)


KIND = Kind(
    group="rbac.authorization.k8s.io",
    version="v1",
    name="RoleBinding",
    plural="rolebindings",
    singular="rolebinding",
    schema=StructSchema(RoleBinding, default=default_binding, validate=validate),
    name_rule="path-segment",
    create_on_update=True,
    validate_update=validate_binding_update,
    columns=BINDING_COLUMNS,
    row=binding_row,
)
