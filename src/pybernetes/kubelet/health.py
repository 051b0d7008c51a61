"""What probes have found about a pod's containers."""

from collections.abc import Mapping, Set
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Health:
    """Findings by container id."""

    started: Set[str] = frozenset()
    ready: Set[str] = frozenset()
    unhealthy: Mapping[str, str] = field(default_factory=dict)
    """id -> "liveness" or "startup": the probe because of which the container must be restarted"""
