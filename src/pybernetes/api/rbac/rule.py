"""What roles and bindings are made of: rules, references to roles, subjects."""

from pybernetes.api.meta import Struct, always


class PolicyRule(Struct, kw_only=True):
    """Verbs that are allowed on resources, or on paths that are not resources."""

    verbs: list[str] = []
    api_groups: list[str] = []
    non_resource_urls: list[str] = []
    resource_names: list[str] = []
    resources: list[str] = []


class RoleRef(Struct, kw_only=True):
    """Points to the role that a binding grants."""

    kind: str = always(str)
    name: str = always(str)
    api_group: str = ""


class Subject(Struct, kw_only=True):
    """Somebody a role is granted to: a user, a group or a service account."""

    kind: str = always(str)
    name: str = always(str)
    api_group: str = ""
    namespace: str = ""
