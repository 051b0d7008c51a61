"""All plugins, in order.

Filters: a node's reason is that of the first filter that refuses it, so the order shows in what users read. Cheap
ones, and those that no change of pods can mend, come first. It is kube-scheduler's, as are the weights of the scores.
"""

from pybernetes.scheduler.filters.inter_pod_affinity import InterPodAffinity
from pybernetes.scheduler.filters.node_affinity import NodeAffinity, PinnedByNodeAffinity
from pybernetes.scheduler.filters.node_name import NodeName
from pybernetes.scheduler.filters.node_ports import NodePorts
from pybernetes.scheduler.filters.node_resources_fit import NodeResourcesFit
from pybernetes.scheduler.filters.node_unschedulable import NodeUnschedulable
from pybernetes.scheduler.filters.pod_topology_spread import PodTopologySpread
from pybernetes.scheduler.filters.taint_toleration import TaintToleration
from pybernetes.scheduler.plugin import Filter, Score
from pybernetes.scheduler.scores.balanced_allocation import BalancedAllocation
from pybernetes.scheduler.scores.image_locality import ImageLocality
from pybernetes.scheduler.scores.inter_pod_affinity import InterPodAffinityScore
from pybernetes.scheduler.scores.least_allocated import LeastAllocated
from pybernetes.scheduler.scores.node_affinity import NodeAffinityScore
from pybernetes.scheduler.scores.pod_topology_spread import PodTopologySpreadScore
from pybernetes.scheduler.scores.taint_toleration import TaintTolerationScore

FILTERS: tuple[Filter, ...] = (
    PinnedByNodeAffinity(),
    NodeUnschedulable(),
    NodeName(),
    TaintToleration(),
    NodeAffinity(),
    NodePorts(),
    NodeResourcesFit(),
    PodTopologySpread(),
    InterPodAffinity(),
)

SCORES: tuple[Score, ...] = (
    TaintTolerationScore(),
    NodeAffinityScore(),
    LeastAllocated(),
    PodTopologySpreadScore(),
    InterPodAffinityScore(),
    BalancedAllocation(),
    ImageLocality(),
)
