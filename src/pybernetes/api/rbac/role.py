"""Role: permissions within one namespace."""

from pybernetes.api.field import Errors
from pybernetes.api.kind import Kind
from pybernetes.api.meta import Object
from pybernetes.api.rbac.rule import PolicyRule
from pybernetes.api.rbac.validation import validate_rules
from pybernetes.api.schema import StructSchema
from pybernetes.api.tables import CREATED_AT, NAME


class Role(Object, kw_only=True):
    """A set of permissions within its namespace."""

    rules: list[PolicyRule] = []
    """The permissions."""


def validate(obj: Role, errors: Errors) -> None:
    """Rules for resources only: URL paths are not namespaced."""
    validate_rules(obj.rules, namespaced=True, errors=errors)


KIND = Kind(
    group="rbac.authorization.k8s.io",
    version="v1",
    name="Role",
    plural="roles",
    singular="role",
    schema=StructSchema(Role, validate=validate),
    name_rule="path-segment",
    create_on_update=True,
    columns=(NAME, CREATED_AT),
    row=lambda obj, now: [obj.metadata.name, obj.metadata.creation_timestamp],
)
