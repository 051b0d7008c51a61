"""TODOC authorization/rules_review.py"""

from pybernetes.api.kind import Kind
from pybernetes.api.meta import Object, Struct, always


class SelfSubjectRulesReviewSpec(Struct, kw_only=True):
    """TODOC SelfSubjectRulesReviewSpec"""

    namespace: str = ""


class NonResourceRule(Struct, kw_only=True):
    """TODOC NonResourceRule"""

    verbs: list[str] = []
    non_resource_urls: list[str] = []


class ResourceRule(Struct, kw_only=True):
    """TODOC ResourceRule"""

    verbs: list[str] = []
    api_groups: list[str] = []
    resource_names: list[str] = []
    resources: list[str] = []


class SubjectRulesReviewStatus(Struct, kw_only=True):
    """TODOC SubjectRulesReviewStatus"""

    incomplete: bool = always(bool)
    non_resource_rules: list[NonResourceRule] = []
    resource_rules: list[ResourceRule] = []
    evaluation_error: str = ""


class SelfSubjectRulesReview(Object, kw_only=True):
    """TODOC SelfSubjectRulesReview"""

    spec: SelfSubjectRulesReviewSpec = always(SelfSubjectRulesReviewSpec)
    status: SubjectRulesReviewStatus = always(SubjectRulesReviewStatus)


KIND = Kind(
    group="authorization.k8s.io",
    version="v1",
    name="SelfSubjectRulesReview",
    plural="selfsubjectrulesreviews",
    singular="selfsubjectrulesreview",
    struct=SelfSubjectRulesReview,
    namespaced=False,
    stored=False,
    verbs=("create",),
)
