"""Why a pod found no node, in the words of kube-scheduler: tools and people match on them."""

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
    """What the plugins answered, added up over the nodes."""

    nodes: int
    reasons: Counter[str]
    plugins: tuple[str, ...]
    """The plugins that refused nodes: one of them must change its answer before another attempt makes sense."""
    resolvable_rows: tuple[int, ...] = field(repr=False)
    """Rows where removing pods could help."""
    rejection: str = ""
    """The reason of a PreFilter plugin that rejected the pod itself."""

    def preemption_text(self, *, reasons: Counter[str] | None = None, tried: int = 0) -> str:
        """The result of preemption: `reasons` are those of the `tried` nodes where removing pods was not enough."""
        counts = Counter(reasons or ())
        counts[NO_VICTIMS] += len(self.resolvable_rows) - tried
        counts[NOT_HELPFUL] += self.nodes - len(self.resolvable_rows)
        return f"preemption: {histogram(self.nodes, +counts)}"

    def message(self, preemption: str = "") -> str:
        """The text of the event and of the condition."""
        if not self.nodes:
            return NO_NODES
        if self.rejection:
            text = f"0/{self.nodes} nodes are available: {self.rejection}."
        else:
            text = histogram(self.nodes, self.reasons)
        return f"{text} {preemption}" if preemption else text
