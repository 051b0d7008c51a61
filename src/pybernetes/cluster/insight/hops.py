"""The words of `trace`: a way is a list of hops, and each hop names the object behind it."""

from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from pybernetes.cluster.insight.facts import ClusterFacts, KernelFacts


class State(Enum):
    """What becomes of the packet."""

    OK = "ok"
    DOUBT = "doubt"
    LOST = "LOST"


@dataclass(frozen=True, slots=True)
class Hop:
    """One decision about the packet."""

    where: str
    """A node, or `pod default/web`"""
    what: str
    """What happens, in the kernel's terms."""
    why: str = ""
    """The object of the cluster behind it."""
    state: State = State.OK


@dataclass(frozen=True, slots=True)
class Way:
    """From a pod to one endpoint, or to where it ends."""

    title: str
    hops: tuple[Hop, ...]

    @property
    def lost(self) -> Hop | None:
        """The hop where the packet ends before its time."""
        return next((hop for hop in self.hops if hop.state is State.LOST), None)


@dataclass(frozen=True, slots=True)
class Trace:
    """All ways of one packet: one per endpoint of a Service."""

    source: str
    target: str
    ways: tuple[Way, ...]

    @property
    def arrives(self) -> bool:
        """Whether no way ends early."""
        return all(way.lost is None for way in self.ways)

    def document(self) -> dict[str, Any]:
        """For -o json."""
        return {
            "source": self.source,
            "target": self.target,
            "arrives": self.arrives,
            "ways": [
                {
                    "title": way.title,
                    "hops": [
                        {"where": hop.where, "what": hop.what, "why": hop.why, "state": hop.state.value.lower()}
                        for hop in way.hops
                    ],
                }
                for way in self.ways
            ],
        }

    def lines(self) -> list[str]:
        """For people."""
        lines = [f"{self.source} -> {self.target}"]
        for way in self.ways:
            lines += ["", way.title]
            width = max(len(hop.where) for hop in way.hops)
            for number, hop in enumerate(way.hops, 1):
                mark = {State.OK: " ", State.DOUBT: "?", State.LOST: "X"}[hop.state]
                lines.append(f"{number:3} {mark} {hop.where.ljust(width)}  {hop.what}")
                if hop.why:
                    lines.append(f"{'':6}{''.ljust(width)}  {'LOST: ' if hop.state is State.LOST else ''}{hop.why}")
        return lines


@dataclass(frozen=True, slots=True)
class PodFacts:
    """A pod with an address."""

    name: str
    """`default/web`"""
    ip: str
    node: str
    host_network: bool = False
    phase: str = "Running"
    kernel: KernelFacts | None = None
    """Its own namespace, where that was looked into."""


@dataclass(frozen=True, slots=True)
class ServiceFacts:
    """One port of a Service."""

    name: str
    ip: str
    protocol: str
    port: int
    port_name: str = ""
    endpoints: tuple[tuple[str, int, str], ...] = ()
    """(address, port, where that comes from), as the EndpointSlices say"""
    unready: int = 0
    """How many endpoints are not ready."""


@dataclass(frozen=True, slots=True)
class World:
    """What a trace is worked out from."""

    cluster: ClusterFacts
    pods: dict[str, PodFacts] = field(default_factory=dict)
    """By address; those on the host's network by the name of their node's address are left out."""
    services: tuple[ServiceFacts, ...] = ()

    def name_of(self, ip: str) -> str:
        """Whose address it is, for people."""
        if ip in self.pods:
            return f"pod {self.pods[ip].name}"
        node = next((n.name for n in self.cluster.nodes if ip in n.internal_ips), "")
        return f"node {node}" if node else ip
