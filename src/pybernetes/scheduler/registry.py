"""All plugins of the scheduler, in order: the only place that knows them by name.

The order and the weights are those of kube-scheduler's default profile. The order matters twice: a node counts for the
first filter that refuses it, so cheap filters and those that removing pods cannot satisfy come first; and every other
extension point calls its plugins in this order.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from pybernetes.scheduler.args import Args
from pybernetes.scheduler.objects import Objects
from pybernetes.scheduler.plugin import Plugin
from pybernetes.scheduler.plugins.default_binder import default_binder
from pybernetes.scheduler.plugins.default_preemption import DefaultPreemptionArgs, default_preemption
from pybernetes.scheduler.plugins.image_locality import image_locality
from pybernetes.scheduler.plugins.inter_pod_affinity import InterPodAffinityArgs, inter_pod_affinity
from pybernetes.scheduler.plugins.node_affinity import NodeAffinityArgs, node_affinity
from pybernetes.scheduler.plugins.node_name import node_name
from pybernetes.scheduler.plugins.node_ports import node_ports
from pybernetes.scheduler.plugins.node_resources_balanced_allocation import (
    NodeResourcesBalancedAllocationArgs,
    node_resources_balanced_allocation,
)
from pybernetes.scheduler.plugins.node_resources_fit import NodeResourcesFitArgs, node_resources_fit
from pybernetes.scheduler.plugins.node_unschedulable import node_unschedulable
from pybernetes.scheduler.plugins.pod_topology_spread import PodTopologySpreadArgs, pod_topology_spread
from pybernetes.scheduler.plugins.priority_sort import priority_sort
from pybernetes.scheduler.plugins.scheduling_gates import scheduling_gates
from pybernetes.scheduler.plugins.taint_toleration import taint_toleration

Factory = Callable[[Any, Objects], Plugin]
"""Makes a plugin from its arguments (an instance of the entry's `args`)."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A plugin that configurations can name."""

    name: str
    make: Factory
    args: type[Args] = Args
    weight: int = 1
    """What its score counts for in the default profile."""
    default: bool = True
    """Whether it is part of the default profile."""


IN_TREE: tuple[Entry, ...] = (
    Entry("SchedulingGates", scheduling_gates),
    Entry("PrioritySort", priority_sort),
    Entry("NodeUnschedulable", node_unschedulable),
    Entry("NodeName", node_name),
    Entry("TaintToleration", taint_toleration, weight=3),
    Entry("NodeAffinity", node_affinity, NodeAffinityArgs, weight=2),
    Entry("NodePorts", node_ports),
    Entry("NodeResourcesFit", node_resources_fit, NodeResourcesFitArgs),
    Entry("PodTopologySpread", pod_topology_spread, PodTopologySpreadArgs, weight=2),
    Entry("InterPodAffinity", inter_pod_affinity, InterPodAffinityArgs, weight=2),
    Entry("DefaultPreemption", default_preemption, DefaultPreemptionArgs),
    Entry("NodeResourcesBalancedAllocation", node_resources_balanced_allocation, NodeResourcesBalancedAllocationArgs),
    Entry("ImageLocality", image_locality),
    Entry("DefaultBinder", default_binder),
)
