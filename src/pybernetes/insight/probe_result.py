"""Results of probes between two nodes, and where a lost packet was last seen. Pure."""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Stage:
    """A link that a request, or its reply, passes."""

    node: str
    link: str
    direction: str
    """`in` or `out`"""
    answer: bool = False

    def __str__(self) -> str:
        return f"{self.node} {self.link} {self.direction}{' (answer)' if self.answer else ''}"


@dataclass(frozen=True, slots=True)
class Trail:
    """The links on the path, in order, and those on which the packet was seen."""

    stages: tuple[Stage, ...]
    seen: frozenset[Stage] = frozenset()

    @property
    def last(self) -> Stage | None:
        """The last stage where it was seen."""
        return next((stage for stage in reversed(self.stages) if stage in self.seen), None)

    @property
    def missing(self) -> Stage | None:
        """The stage where it should have been seen next; None if it was seen at the last one."""
        last = self.last
        index = self.stages.index(last) + 1 if last else 0
        return self.stages[index] if index < len(self.stages) else None


@dataclass(frozen=True, slots=True, kw_only=True)
class PairProbe:
    """From one node to another, in one IP family. Times are in seconds; None: no reply."""

    src: str
    dst: str
    version: int = 4
    path: str = ""
    """`tunnel` or `direct`; empty if there is no route"""
    device: str = ""
    underlay: float | None = None
    """Round trip between the nodes' public addresses."""
    pods: float | None = None
    """Round trip between their addresses in the pod network."""
    tried: bool = True
    """False: one of the nodes has no address in the pod network yet, because it has no pods."""
    size: int = 0
    """The full packet size that was probed, in bytes of the inner IP packet."""
    full: bool = True
    path_mtu: int = 0
    """The largest size that passes, if the full size does not."""
    payload: tuple[str, ...] = ()
    """Faults of UDP and TCP; empty if all data arrived unchanged."""
    trail: Trail | None = field(default=None, compare=False)
    """Of a request without a reply: the small one, or else the full-size one."""
