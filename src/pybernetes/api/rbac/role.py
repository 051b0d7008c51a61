"""TODOC rbac/role.py"""

from pybernetes.api.kind import Kind
from pybernetes.api.meta import Object
from pybernetes.api.rbac.rule import PolicyRule


class Role(Object, kw_only=True):
    """TODOC Role"""

    rules: list[PolicyRule] = []


KIND = Kind(
    group="rbac.authorization.k8s.io",
    version="v1",
    name="Role",
    plural="roles",
    singular="role",
    struct=Role,
    name_rule="path-segment",
    create_on_update=True,
)
