"""TODOC rbac/role_binding.py"""

from pybernetes.api.kind import Kind
from pybernetes.api.meta import Object, always
from pybernetes.api.rbac.rule import RoleRef, Subject


class RoleBinding(Object, kw_only=True):
    """TODOC RoleBinding"""

    role_ref: RoleRef = always(RoleRef)
    subjects: list[Subject] = []


KIND = Kind(
    group="rbac.authorization.k8s.io",
    version="v1",
    name="RoleBinding",
    plural="rolebindings",
    singular="rolebinding",
    struct=RoleBinding,
    name_rule="path-segment",
    create_on_update=True,
)
