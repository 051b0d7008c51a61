"""TODOC core/affinity.py"""

from pybernetes.api.meta import LabelSelector, Struct, always


class NodeSelectorRequirement(Struct, kw_only=True):
    """TODOC NodeSelectorRequirement"""

    key: str = always(str)
    operator: str = always(str)
    values: list[str] = []


class NodeSelectorTerm(Struct, kw_only=True):
    """TODOC NodeSelectorTerm"""

    match_expressions: list[NodeSelectorRequirement] = []
    match_fields: list[NodeSelectorRequirement] = []


class NodeSelector(Struct, kw_only=True):
    """TODOC NodeSelector"""

    node_selector_terms: list[NodeSelectorTerm] = []


class PreferredSchedulingTerm(Struct, kw_only=True):
    """TODOC PreferredSchedulingTerm"""

    preference: NodeSelectorTerm = always(NodeSelectorTerm)
    weight: int = always(int)


class NodeAffinity(Struct, kw_only=True):
    """TODOC NodeAffinity"""

    preferred_during_scheduling_ignored_during_execution: list[PreferredSchedulingTerm] = []
    required_during_scheduling_ignored_during_execution: NodeSelector | None = None


class PodAffinityTerm(Struct, kw_only=True):
    """TODOC PodAffinityTerm"""

    topology_key: str = always(str)
    label_selector: LabelSelector | None = None
    match_label_keys: list[str] = []
    mismatch_label_keys: list[str] = []
    namespace_selector: LabelSelector | None = None
    namespaces: list[str] = []


class WeightedPodAffinityTerm(Struct, kw_only=True):
    """TODOC WeightedPodAffinityTerm"""

    pod_affinity_term: PodAffinityTerm = always(PodAffinityTerm)
    weight: int = always(int)


class PodAffinity(Struct, kw_only=True):
    """TODOC PodAffinity"""

    preferred_during_scheduling_ignored_during_execution: list[WeightedPodAffinityTerm] = []
    required_during_scheduling_ignored_during_execution: list[PodAffinityTerm] = []


class PodAntiAffinity(Struct, kw_only=True):
    """TODOC PodAntiAffinity"""

    preferred_during_scheduling_ignored_during_execution: list[WeightedPodAffinityTerm] = []
    required_during_scheduling_ignored_during_execution: list[PodAffinityTerm] = []


class Affinity(Struct, kw_only=True):
    """TODOC Affinity"""

    node_affinity: NodeAffinity | None = None
    pod_affinity: PodAffinity | None = None
    pod_anti_affinity: PodAntiAffinity | None = None


class Toleration(Struct, kw_only=True):
    """TODOC Toleration"""

    effect: str = ""
    key: str = ""
    operator: str = ""
    toleration_seconds: int | None = None
    value: str = ""


class TopologySpreadConstraint(Struct, kw_only=True):
    """TODOC TopologySpreadConstraint"""

    max_skew: int = always(int)
    topology_key: str = always(str)
    when_unsatisfiable: str = always(str)
    label_selector: LabelSelector | None = None
    match_label_keys: list[str] = []
    min_domains: int | None = None
    node_affinity_policy: str = ""
    node_taints_policy: str = ""
