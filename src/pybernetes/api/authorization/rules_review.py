"""SelfSubjectRulesReview: everything that the requesting user may do in a namespace."""

from typing import Annotated

from pybernetes.api.facts import Required
from pybernetes.api.kind import Kind
from pybernetes.api.meta import Object, Struct, always, named
from pybernetes.api.schema import StructSchema


class SelfSubjectRulesReviewSpec(Struct, kw_only=True):
    """The namespace to review."""

    namespace: str = ""


class NonResourceRule(Struct, kw_only=True):
    """Verbs that are allowed on paths that are not resources."""

    verbs: Annotated[list[str], Required()] = []
    non_resource_urls: list[str] = named("nonResourceURLs", list)


class ResourceRule(Struct, kw_only=True):
    """Verbs that are allowed on resources."""

    verbs: Annotated[list[str], Required()] = []
    api_groups: list[str] = []
    resource_names: list[str] = []
    resources: list[str] = []


class SubjectRulesReviewStatus(Struct, kw_only=True):
    """The rules that apply to the user; the list may be incomplete where an authorizer cannot enumerate."""

    incomplete: bool = always(bool)
    non_resource_rules: Annotated[list[NonResourceRule], Required()] = []
    resource_rules: Annotated[list[ResourceRule], Required()] = []
    evaluation_error: str = ""


class SelfSubjectRulesReview(Object, kw_only=True):
    """Lists what the requesting user may do in a namespace. It is for user interfaces, not for access decisions."""

    spec: Annotated[SelfSubjectRulesReviewSpec, Required()] = always(SelfSubjectRulesReviewSpec)
    status: SubjectRulesReviewStatus = always(SubjectRulesReviewStatus)


KIND = Kind(
    group="authorization.k8s.io",
    version="v1",
    name="SelfSubjectRulesReview",
    plural="selfsubjectrulesreviews",
    singular="selfsubjectrulesreview",
    schema=StructSchema(SelfSubjectRulesReview),
    namespaced=False,
    stored=False,
    verbs=("create",),
)
