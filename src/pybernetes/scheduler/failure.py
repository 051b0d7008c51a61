"""Why a pod found no node, in the original's words: tools and people match on them."""

from collections import Counter
from dataclasses import dataclass, field

NOT_HELPFUL = "Preemption is not helpful for scheduling"
NO_VICTIMS = "No preemption victims found for incoming pod"
NEVER = "preemption: not eligible due to preemptionPolicy=Never."
VICTIMS_LEAVING = "preemption: not eligible due to a terminating pod on the nominated node."
NO_NODES = "no nodes available to schedule pods"


def histogram(nodes: int, reasons: Counter[str]) -> str:
    """`0/3 nodes are available: 1 node(s) were unschedulable, 2 Insufficient cpu.`"""
    text = f"0/{nodes} nodes are available"
    parts = sorted(f"{count} {reason}" for reason, count in reasons.items())
    return f"{text}: {', '.join(parts)}." if parts else f"{text}:"


@dataclass(frozen=True, slots=True)
class FitFailure:
    """What the filters said, added up over the nodes."""

    nodes: int
    reasons: Counter[str]
    plugins: tuple[str, ...]
    """The filters that refused nodes: what has to change before another try makes sense."""
    hopeful: tuple[int, ...] = field(repr=False)
    """Rows where the removal of pods could help."""

    def preemption_text(self, *, reasons: Counter[str] | None = None, tried: int = 0) -> str:
        """What preemption came to: `reasons` are those of the `tried` nodes where removing pods was not enough."""
        counts = Counter(reasons or ())
        counts[NO_VICTIMS] += len(self.hopeful) - tried
        counts[NOT_HELPFUL] += self.nodes - len(self.hopeful)
        return f"preemption: {histogram(self.nodes, +counts)}"

    def message(self, preemption: str = "") -> str:
        """The text of the event and of the condition."""
        if not self.nodes:
            return NO_NODES
        text = histogram(self.nodes, self.reasons)
        return f"{text} {preemption}" if preemption else text
