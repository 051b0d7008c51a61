"""The health of a pod's containers, as found by probes."""

from collections.abc import Mapping, Set
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Health:
    """Started, ready and unhealthy containers, by container id."""

    started: Set[str] = frozenset()
    ready: Set[str] = frozenset()
    unhealthy: Mapping[str, str] = field(default_factory=dict)
    """Container id -> "liveness" or "startup": the failed probe because of which it must be restarted."""
