"""What can be set about the scheduler; the defaults are kube-scheduler's."""

from dataclasses import dataclass

from pybernetes.scheduler.configuration import DEFAULT_PROFILE, Configuration, ProfileConfig


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """Checked once, when it is made."""

    profiles: tuple[ProfileConfig, ...] = (DEFAULT_PROFILE,)
    """Only pods with the spec.schedulerName of a profile are scheduled."""
    initial_backoff: float = 1.0
    """Seconds before a pod is scheduled again after its first failure; doubles with each further one."""
    max_backoff: float = 10.0
    """The longest back-off, in seconds."""
    unschedulable_timeout: float = 300.0
    """Seconds after which an unschedulable pod is scheduled again although no event that could help has happened."""
    flush_interval: float = 30.0
    """How often the unschedulable pods are searched for such pods, in seconds."""
    parallel_bindings: int = 64
    """How many bindings (and status patches) may be under way at once."""
    slice_seconds: float = 0.005
    """The longest that scheduling holds the event loop before other tasks get a turn."""
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
        if not self.profiles:
            raise ValueError("profiles must have at least one profile")


def from_configuration(found: Configuration) -> Config:
    """The part of a KubeSchedulerConfiguration that concerns scheduling."""
    return Config(
        profiles=found.profiles,
        initial_backoff=found.pod_initial_backoff_seconds,
        max_backoff=found.pod_max_backoff_seconds,
    )
