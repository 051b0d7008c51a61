"""Scheduling constraints of a pod: node affinity, pod affinity, tolerations, topology spread."""

from typing import Annotated, ClassVar

from pybernetes.api.facts import Atomic, Required
from pybernetes.api.meta import Int32, Int64, LabelSelector, Struct, always


class NodeSelectorRequirement(Struct, kw_only=True):
    """A condition on one label or field of a node."""

    key: str = always(str)
    operator: str = always(str)
    values: list[str] = []


class NodeSelectorTerm(Struct, kw_only=True):
    """Requirements that must all hold. An empty term selects no node."""

    type_facts: ClassVar = (Atomic(),)
    match_expressions: list[NodeSelectorRequirement] = []
    match_fields: list[NodeSelectorRequirement] = []


class NodeSelector(Struct, kw_only=True):
    """Selects nodes that match at least one term."""

    type_facts: ClassVar = (Atomic(),)
    node_selector_terms: Annotated[list[NodeSelectorTerm], Required()] = []


class PreferredSchedulingTerm(Struct, kw_only=True):
    """A preference for certain nodes, and its weight."""

    preference: Annotated[NodeSelectorTerm, Required()] = always(NodeSelectorTerm)
    weight: Int32 = always(int)


class NodeAffinity(Struct, kw_only=True):
    """Required and preferred nodes of a pod."""

    preferred_during_scheduling_ignored_during_execution: list[PreferredSchedulingTerm] = []
    required_during_scheduling_ignored_during_execution: NodeSelector | None = None


class PodAffinityTerm(Struct, kw_only=True):
    """Selects pods to be placed with, or apart from, in a topology domain such as a zone."""

    topology_key: str = always(str)
    label_selector: LabelSelector | None = None
    match_label_keys: list[str] = []
    mismatch_label_keys: list[str] = []
    namespace_selector: LabelSelector | None = None
    namespaces: list[str] = []


class WeightedPodAffinityTerm(Struct, kw_only=True):
    """A preference to be placed with, or apart from, certain pods, and its weight."""

    pod_affinity_term: Annotated[PodAffinityTerm, Required()] = always(PodAffinityTerm)
    weight: Int32 = always(int)


class PodAffinity(Struct, kw_only=True):
    """Pods that a pod must or should be placed with."""

    preferred_during_scheduling_ignored_during_execution: list[WeightedPodAffinityTerm] = []
    required_during_scheduling_ignored_during_execution: list[PodAffinityTerm] = []


class PodAntiAffinity(Struct, kw_only=True):
    """Pods that a pod must or should be placed apart from."""

    preferred_during_scheduling_ignored_during_execution: list[WeightedPodAffinityTerm] = []
    required_during_scheduling_ignored_during_execution: list[PodAffinityTerm] = []


class Affinity(Struct, kw_only=True):
    """The scheduling constraints of a pod."""

    node_affinity: NodeAffinity | None = None
    """Required and preferred nodes."""
    pod_affinity: PodAffinity | None = None
    """Pods to be placed with."""
    pod_anti_affinity: PodAntiAffinity | None = None
    """Pods to be placed apart from."""


class Toleration(Struct, kw_only=True):
    """A taint that the pod tolerates."""

    effect: str = ""
    """The tolerated effect; all effects when empty."""
    key: str = ""
    """The taint's key; with operator Exists an empty key matches all keys."""
    operator: str = ""
    """Equal (default) or Exists."""
    toleration_seconds: Int64 | None = None
    """How many seconds a NoExecute taint is tolerated; forever by default."""
    value: str = ""
    """The taint's value."""


class TopologySpreadConstraint(Struct, kw_only=True):
    """How evenly matching pods must be spread over topology domains such as zones."""

    max_skew: Int32 = always(int)
    """The maximum difference between the numbers of pods in any two domains."""
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
