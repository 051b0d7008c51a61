"""What can be set about the scheduler; the defaults are kube-scheduler's."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """Checked once, when it is made."""

    scheduler_name: str = "default-scheduler"
    """Only pods with this spec.schedulerName are scheduled."""
    initial_backoff: float = 1.0
    """Seconds before a pod is tried again after its first failure; doubles with each further one."""
    max_backoff: float = 10.0
    """The longest back-off, in seconds."""
    unschedulable_timeout: float = 300.0
    """Seconds after which an unschedulable pod is tried again although nothing that could help has happened."""
    flush_interval: float = 30.0
    """How often the pool of unschedulable pods is looked through for such pods, in seconds."""
    parallel_bindings: int = 64
    """How many bindings (and status patches) may be under way at once."""
    slice_seconds: float = 0.005
    """The longest that scheduling holds the event loop before others get a turn."""
    hard_pod_affinity_weight: int = 1
    """The score that an existing pod's required affinity for the new pod is worth, 0 to 100."""
    default_spreading: bool = True
    """Spread pods of a Service or ReplicaSet that say nothing about it over nodes (skew 3) and zones (skew 5)."""
    remembered_decisions: int = 10_000
    """For how many pods the reasons of the last decision are kept."""

    def __post_init__(self) -> None:
        for name in ("initial_backoff", "max_backoff", "unschedulable_timeout", "flush_interval", "slice_seconds"):
            if getattr(self, name) <= 0:
                raise ValueError(f"{name} must be more than 0 seconds, got {getattr(self, name)}")
        if self.max_backoff < self.initial_backoff:
            raise ValueError(f"max_backoff ({self.max_backoff}) must not be below initial_backoff")
        if self.parallel_bindings < 1:
            raise ValueError(f"parallel_bindings must be at least 1, got {self.parallel_bindings}")
        if not 0 <= self.hard_pod_affinity_weight <= 100:
            raise ValueError(f"hard_pod_affinity_weight must be 0 to 100, got {self.hard_pod_affinity_weight}")
