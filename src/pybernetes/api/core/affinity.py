"""Where pods like to be, and what they bear: node affinity, pod affinity, tolerations, topology spread."""

from typing import Annotated, ClassVar

from pybernetes.api.facts import Atomic, Required
from pybernetes.api.meta import Int32, Int64, LabelSelector, Struct, always


class NodeSelectorRequirement(Struct, kw_only=True):
    """A condition on one label or field of a node."""

    key: str = always(str)
    operator: str = always(str)
    values: list[str] = []


class NodeSelectorTerm(Struct, kw_only=True):
    """Conditions that must all hold. An empty term selects no node."""

    type_facts: ClassVar = (Atomic(),)
    match_expressions: list[NodeSelectorRequirement] = []
    match_fields: list[NodeSelectorRequirement] = []


class NodeSelector(Struct, kw_only=True):
    """Terms of which one must hold."""

    type_facts: ClassVar = (Atomic(),)
    node_selector_terms: Annotated[list[NodeSelectorTerm], Required()] = []


class PreferredSchedulingTerm(Struct, kw_only=True):
    """A wish for a kind of node, and how strong it is."""

    preference: Annotated[NodeSelectorTerm, Required()] = always(NodeSelectorTerm)
    weight: Int32 = always(int)


class NodeAffinity(Struct, kw_only=True):
    """Which nodes a pod must or would like to be on."""

    preferred_during_scheduling_ignored_during_execution: list[PreferredSchedulingTerm] = []
    required_during_scheduling_ignored_during_execution: NodeSelector | None = None


class PodAffinityTerm(Struct, kw_only=True):
    """Pods to be near to, or away from, within a topology such as a zone."""

    topology_key: str = always(str)
    label_selector: LabelSelector | None = None
    match_label_keys: list[str] = []
    mismatch_label_keys: list[str] = []
    namespace_selector: LabelSelector | None = None
    namespaces: list[str] = []


class WeightedPodAffinityTerm(Struct, kw_only=True):
    """A wish to be near to, or away from, pods, and how strong it is."""

    pod_affinity_term: Annotated[PodAffinityTerm, Required()] = always(PodAffinityTerm)
    weight: Int32 = always(int)


class PodAffinity(Struct, kw_only=True):
    """Which pods a pod must or would like to be near to."""

    preferred_during_scheduling_ignored_during_execution: list[WeightedPodAffinityTerm] = []
    required_during_scheduling_ignored_during_execution: list[PodAffinityTerm] = []


class PodAntiAffinity(Struct, kw_only=True):
    """Which pods a pod must or would like to be away from."""

    preferred_during_scheduling_ignored_during_execution: list[WeightedPodAffinityTerm] = []
    required_during_scheduling_ignored_during_execution: list[PodAffinityTerm] = []


class Affinity(Struct, kw_only=True):
    """The scheduling constraints of a pod."""

    node_affinity: NodeAffinity | None = None
    """Which nodes."""
    pod_affinity: PodAffinity | None = None
    """Which pods to be near to."""
    pod_anti_affinity: PodAntiAffinity | None = None
    """Which pods to be away from."""


class Toleration(Struct, kw_only=True):
    """A taint that the pod bears."""

    effect: str = ""
    """The effect that is borne; all when empty."""
    key: str = ""
    """The taint's key; with operator Exists an empty one stands for all."""
    operator: str = ""
    """Equal (default) or Exists."""
    toleration_seconds: Int64 | None = None
    """How long a NoExecute taint is borne; for ever by default."""
    value: str = ""
    """The taint's value."""


class TopologySpreadConstraint(Struct, kw_only=True):
    """How evenly matching pods are to be spread over a topology such as zones."""

    max_skew: Int32 = always(int)
    """By how many pods the fullest and the emptiest domain may differ."""
    topology_key: str = always(str)
    """The node label whose values are the domains."""
    when_unsatisfiable: str = always(str)
    """DoNotSchedule or ScheduleAnyway."""
    label_selector: LabelSelector | None = None
    """Which pods are counted."""
    match_label_keys: list[str] = []
    min_domains: Int32 | None = None
    node_affinity_policy: str = ""
    node_taints_policy: str = ""
