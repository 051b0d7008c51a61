"""What probes between two nodes found. Plain values, and the one question: where is a packet last seen?"""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Stage:
    """A place that a request, or its answer, passes."""

    node: str
    link: str
    direction: str
    """`in` or `out`"""
    answer: bool = False

    def __str__(self) -> str:
        return f"{self.node} {self.link} {self.direction}{' (answer)' if self.answer else ''}"


@dataclass(frozen=True, slots=True)
class Trail:
    """The places on the way, in order, and those where the packet was seen."""

    stages: tuple[Stage, ...]
    seen: frozenset[Stage] = frozenset()

    @property
    def last(self) -> Stage | None:
        """The last place where it was seen."""
        return next((stage for stage in reversed(self.stages) if stage in self.seen), None)

    @property
    def missing(self) -> Stage | None:
        """The place where it should have been seen next; None if it came all the way."""
        last = self.last
        index = self.stages.index(last) + 1 if last else 0
        return self.stages[index] if index < len(self.stages) else None


@dataclass(frozen=True, slots=True, kw_only=True)
class PairProbe:
    """From one node to another, in one family. Times in seconds; None: no answer."""

    src: str
    dst: str
    version: int = 4
    path: str = ""
    """`tunnel` or `direct`; empty if there is no way at all"""
    device: str = ""
    underlay: float | None = None
    """Between the nodes' own addresses."""
    pods: float | None = None
    """Between their addresses in the pod network."""
    tried: bool = True
    """False: a node has no address in the pod network yet, since no pod is there."""
    size: int = 0
    """The full size that was tried, in bytes of the inner IP packet."""
    full: bool = True
    path_mtu: int = 0
    """The largest size that passes, where the full one does not."""
    payload: tuple[str, ...] = ()
    """What happened to UDP and TCP; nothing if all arrived as sent."""
    trail: Trail | None = field(default=None, compare=False)
    """Of a request that got no answer: the small one, or else the full-size one."""
