"""The parts of roles and bindings: rules, references to roles, subjects."""

from typing import Annotated, ClassVar

from pybernetes.api.facts import Atomic, Optional, Required
from pybernetes.api.meta import Struct, always, named


class PolicyRule(Struct, kw_only=True):
    """Verbs that are allowed on resources, or on paths that are not resources."""

    verbs: Annotated[list[str], Required()] = []
    """The verbs that are allowed; `*` is all."""
    api_groups: list[str] = []
    """The API groups of the resources; "" is the core group."""
    non_resource_urls: list[str] = named("nonResourceURLs", list)
    """URL paths that are not resources; a trailing `*` matches any suffix."""
    resource_names: list[str] = []
    """The names of the objects; all when empty."""
    resources: list[str] = []
    """The resources, or subresources such as `pods/log`."""


class RoleRef(Struct, kw_only=True):
    """Refers to the role that a binding grants."""

    type_facts: ClassVar = (Atomic(),)
    kind: str = always(str)
    """Role or ClusterRole."""
    name: str = always(str)
    """The role's name."""
    api_group: Annotated[str, Optional()] = always(str)
    """The API group of the role."""


class Subject(Struct, kw_only=True):
    """A user, group or service account that a role is granted to."""

    type_facts: ClassVar = (Atomic(),)
    kind: str = always(str)
    """User, Group or ServiceAccount."""
    name: str = always(str)
    """The name of the subject."""
    api_group: str = ""
    """The API group of the subject; "" for service accounts."""
    namespace: str = ""
    """The namespace of a service account."""
