"""Settings of the controllers, named and defaulted as the flags of kube-controller-manager."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """Validated once, at start; see `__post_init__`."""

    cluster_cidrs: tuple[str, ...] = ()
    """--cluster-cidr: pod ranges, one per family; empty turns node IPAM off."""
    allocate_node_cidrs: bool = True
    """--allocate-node-cidrs"""
    node_cidr_mask_size_ipv4: int = 24
    """--node-cidr-mask-size-ipv4"""
    node_cidr_mask_size_ipv6: int = 64
    """--node-cidr-mask-size-ipv6"""
    node_monitor_period: float = 5.0
    """--node-monitor-period, seconds: how often the health of nodes is looked at."""
    node_monitor_grace_period: float = 50.0
    """--node-monitor-grace-period, seconds without a sign of life until a node counts as unreachable."""
    node_startup_grace_period: float = 60.0
    """--node-startup-grace-period, the same for a node that never reported."""
    node_eviction_rate: float = 0.1
    """--node-eviction-rate, nodes per second that are emptied in a healthy zone."""
    secondary_node_eviction_rate: float = 0.01
    """--secondary-node-eviction-rate, the same in a zone of which many nodes are down."""
    unhealthy_zone_threshold: float = 0.55
    """--unhealthy-zone-threshold, the part of not ready nodes that makes a zone unhealthy."""
    large_cluster_size_threshold: int = 50
    """--large-cluster-size-threshold: smaller unhealthy zones are not emptied at all."""
    terminated_pod_gc_threshold: int = 12500
    """--terminated-pod-gc-threshold: ended pods beyond this many are deleted, oldest first."""
    pod_gc_period: float = 20.0
    """Seconds between two runs of the pod garbage collector."""
    root_ca: str = ""
    """--root-ca-file, its text (PEM): published in each namespace and put into token secrets."""
    burst_replicas: int = 500
    """The most pods that one pass of a ReplicaSet creates or deletes."""

    def __post_init__(self) -> None:
        if not 0 <= self.unhealthy_zone_threshold <= 1:
            raise ValueError(f"unhealthy-zone-threshold must be between 0 and 1, not {self.unhealthy_zone_threshold}")
        if not 0 < self.node_cidr_mask_size_ipv4 <= 32:
            raise ValueError(f"node-cidr-mask-size-ipv4 must be 1 to 32, not {self.node_cidr_mask_size_ipv4}")
        if not 0 < self.node_cidr_mask_size_ipv6 <= 128:
            raise ValueError(f"node-cidr-mask-size-ipv6 must be 1 to 128, not {self.node_cidr_mask_size_ipv6}")
        if len(self.cluster_cidrs) > 2:
            raise ValueError(f"cluster-cidr takes one range per IP family, not {len(self.cluster_cidrs)} ranges")
