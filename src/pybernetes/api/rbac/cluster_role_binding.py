"""TODOC rbac/cluster_role_binding.py"""

from pybernetes.api.kind import Kind
from pybernetes.api.meta import Object, always
from pybernetes.api.rbac.rule import RoleRef, Subject


class ClusterRoleBinding(Object, kw_only=True):
    """TODOC ClusterRoleBinding"""

    role_ref: RoleRef = always(RoleRef)
    subjects: list[Subject] = []


KIND = Kind(
    group="rbac.authorization.k8s.io",
    version="v1",
    name="ClusterRoleBinding",
    plural="clusterrolebindings",
    singular="clusterrolebinding",
    struct=ClusterRoleBinding,
    namespaced=False,
    name_rule="path-segment",
    create_on_update=True,
)
