"""A finding: a fault, the node it is on, its cause and its fix in a sentence each."""

from dataclasses import dataclass
from enum import Enum


class Severity(Enum):
    """FAULT: packets are lost, or may be. WARNING: they are not."""

    FAULT = "FAULT"
    WARNING = "WARNING"


@dataclass(frozen=True, slots=True)
class Finding:
    """One fault."""

    code: str
    """`route-missing`, `port-blocked`, ...: stable, for scripts and tests"""
    node: str
    """The node with the fault; empty for the cluster as a whole."""
    cause: str
    fix: str
    peer: str = ""
    """The other node, if the fault affects only packets to that node."""
    severity: Severity = Severity.FAULT

    @property
    def place(self) -> str:
        """`node-1 -> node-2`"""
        return f"{self.node} -> {self.peer}" if self.peer else self.node or "cluster"

    @property
    def identity(self) -> tuple[str, str, str]:
        """Equal for the same fault at the same place, however its cause is worded."""
        return self.code, self.node, self.peer


def faults(findings: list[Finding]) -> list[Finding]:
    """The findings that make the exit code 1."""
    return [finding for finding in findings if finding.severity is Severity.FAULT]


#: Faults that block all packets of a node. Their consequences are not reported.
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
#: Faults that explain why one node does not reach another.
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
