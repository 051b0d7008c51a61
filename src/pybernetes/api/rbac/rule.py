"""TODOC rbac/rule.py"""

from pybernetes.api.meta import Struct, always


class PolicyRule(Struct, kw_only=True):
    """TODOC PolicyRule"""

    verbs: list[str] = []
    api_groups: list[str] = []
    non_resource_urls: list[str] = []
    resource_names: list[str] = []
    resources: list[str] = []


class RoleRef(Struct, kw_only=True):
    """TODOC RoleRef"""

    kind: str = always(str)
    name: str = always(str)
    api_group: str = ""


class Subject(Struct, kw_only=True):
    """TODOC Subject"""

    kind: str = always(str)
    name: str = always(str)
    api_group: str = ""
    namespace: str = ""
