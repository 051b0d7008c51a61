"""Results of `trace`: a path is a list of hops, and each hop names the object behind it."""

from dataclasses import dataclass
from enum import Enum
from typing import Any


class State(Enum):
    """What happens to the packet at a hop."""

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
class PacketPath:
    """From a pod to one endpoint, or to where the packet is lost."""

    title: str
    hops: tuple[Hop, ...]

    @property
    def lost(self) -> Hop | None:
        """The hop where the packet is lost."""
        return next((hop for hop in self.hops if hop.state is State.LOST), None)


@dataclass(frozen=True, slots=True)
class Trace:
    """All paths of a packet: one per endpoint of a Service."""

    source: str
    target: str
    paths: tuple[PacketPath, ...]

    @property
    def arrives(self) -> bool:
        """Whether the packet arrives on every path."""
        return all(path.lost is None for path in self.paths)

    def document(self) -> dict[str, Any]:
        """The content of -o json."""
        return {
            "source": self.source,
            "target": self.target,
            "arrives": self.arrives,
            "paths": [
                {
                    "title": path.title,
                    "hops": [
                        {"where": hop.where, "what": hop.what, "why": hop.why, "state": hop.state.value.lower()}
                        for hop in path.hops
                    ],
                }
                for path in self.paths
            ],
        }

    def lines(self) -> list[str]:
        """The content of -o text."""
        lines = [f"{self.source} -> {self.target}"]
        for path in self.paths:
            lines += ["", path.title]
            width = max(len(hop.where) for hop in path.hops)
            for number, hop in enumerate(path.hops, 1):
                mark = {State.OK: " ", State.DOUBT: "?", State.LOST: "X"}[hop.state]
                lines.append(f"{number:3} {mark} {hop.where.ljust(width)}  {hop.what}")
                if hop.why:
                    lines.append(f"{'':6}{''.ljust(width)}  {'LOST: ' if hop.state is State.LOST else ''}{hop.why}")
        return lines
