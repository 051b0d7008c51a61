"""Whether a node changes the source address of a packet: evaluate the postrouting rules in its kernel. Pure."""

from dataclasses import dataclass

from pybernetes.insight.facts import KernelFacts
from pybernetes.insight.filters import Packet, bases

__all__ = ["Masquerade", "Packet", "masquerade"]


@dataclass(frozen=True, slots=True)
class Masquerade:
    """Whether the source address is changed, and the rule that decides."""

    changed: bool
    rule: str


def masquerade(kernel: KernelFacts, packet: Packet) -> Masquerade:
    """Evaluate the postrouting chains in order of priority; the first that changes the source decides."""
    kept = Masquerade(False, "no rule changes the source address")
    for base in bases(kernel, "postrouting", "nat", packet):
        found = base.decide()
        where = f"{found.chain}, {found.rule}"
        if found.verdict in ("masquerade", "snat"):
            return Masquerade(True, where)
        ours = base.table.endswith(("flannel-ipv4", "flannel-ipv6")) or "-A FLANNEL-" in found.rule
        if ours and found.rule:
            # A line of iptables shows its target itself.
            kept = Masquerade(False, where if "-j RETURN" in where else f"{where}: return")
    return kept
