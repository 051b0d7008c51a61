"""What is wrong: a fault, the node it is on, its cause and its fix in a sentence each."""

from dataclasses import dataclass
from enum import Enum


class Severity(Enum):
    """Whether packets are, or may be, lost."""

    FAULT = "FAULT"
    WARNING = "WARNING"


@dataclass(frozen=True, slots=True)
class Finding:
    """One fault. Equal if it is the same fault at the same place, however it is worded."""

    code: str
    """`route-missing`, `port-blocked`, ...: stable, for scripts and tests."""
    node: str
    """Where the fault is; empty if it is nowhere in particular."""
    cause: str
    fix: str
    peer: str = ""
    """The other node, if only packets to that one are concerned."""
    severity: Severity = Severity.FAULT

    @property
    def place(self) -> str:
        """`node-1 -> node-2`"""
        return f"{self.node} -> {self.peer}" if self.peer else self.node or "cluster"

    @property
    def identity(self) -> tuple[str, str, str]:
        """What tells it from others."""
        return self.code, self.node, self.peer


def faults(findings: list[Finding]) -> list[Finding]:
    """Those that matter for the exit code."""
    return [finding for finding in findings if finding.severity is Severity.FAULT]


#: Faults of a node by which none of its packets get through; what follows from them is not reported again.
SEVERING = frozenset(
    {
        "node-gone",
        "lease-missing",
        "wrong-interface",
        "underlay-down",
        "link-missing",
        "link-down",
        "link-wrong",
        "forwarding-off",
        "address-overlap",
        "lease-refused",
        "agent-stopped",
        "proxy-missing",
        "key-wrong",
        "gateway-missing",
    }
)
#: Faults that explain why one node does not reach one other.
SEVERING_PAIR = frozenset(
    {
        "route-missing",
        "route-wrong",
        "route-shadowed",
        "neighbour-missing",
        "neighbour-wrong",
        "fdb-missing",
        "fdb-wrong",
        "other-segment",
        "session-down",
        "as-wrong",
        "route-not-learned",
        "wireguard-peer-missing",
        "wireguard-peer-wrong",
        "mac-duplicate",
    }
)
