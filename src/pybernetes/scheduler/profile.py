"""A scheduler profile: plugins in order per extension point, with their weights. A value, made by `assembly.py`."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from pybernetes.api.core.pod import Pod
from pybernetes.scheduler.events import Interest
from pybernetes.scheduler.handle import NamedFilter
from pybernetes.scheduler.plugin import Bind, Permit, PostFilter, PreBind, Reserve
from pybernetes.scheduler.points import Filter, PreEnqueue, PreFilter, QueueSort, Scope, Score
from pybernetes.scheduler.template import Traits


@dataclass(frozen=True, slots=True)
class WeightedScore:
    """A score, the name of its plugin, and what it counts for."""

    name: str
    score: Score
    weight: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """How pods with a certain spec.schedulerName are scheduled."""

    scheduler_name: str
    queue_sort: QueueSort
    pre_enqueues: tuple[tuple[str, PreEnqueue], ...] = ()
    pre_filters: tuple[tuple[str, PreFilter], ...] = ()
    filters: tuple[NamedFilter, ...] = ()
    """A refused node counts for the first filter in this order that refuses it."""
    post_filters: tuple[tuple[str, PostFilter], ...] = ()
    scores: tuple[WeightedScore, ...] = ()
    reserves: tuple[tuple[str, Reserve], ...] = ()
    permits: tuple[tuple[str, Permit], ...] = ()
    pre_binds: tuple[tuple[str, PreBind], ...] = ()
    binds: tuple[tuple[str, Bind], ...] = ()
    interests: Mapping[str, tuple[Interest, ...]] = field(default_factory=dict)
    """Plugin -> the events that may help a pod that it refused."""
    traits: Mapping[str, Traits] = field(default_factory=dict)
    """Plugin -> what it reads of pods."""
    local_filters: tuple[tuple[int, Filter], ...] = field(init=False)
    """Filters that look at one node at a time, with their indexes in `filters`."""
    cluster_filters: tuple[tuple[int, Filter], ...] = field(init=False)
    local_scores: tuple[tuple[int, Score, int], ...] = field(init=False)
    """(index in `scores`, score, weight)"""
    cluster_scores: tuple[WeightedScore, ...] = field(init=False)

    def __post_init__(self) -> None:
        filters = tuple((index, named.filter) for index, named in enumerate(self.filters))
        scores = tuple((index, weighted.score, weighted.weight) for index, weighted in enumerate(self.scores))
        put = object.__setattr__
        put(self, "local_filters", tuple(p for p in filters if p[1].scope is not Scope.CLUSTER))
        put(self, "cluster_filters", tuple(p for p in filters if p[1].scope is Scope.CLUSTER))
        put(self, "local_scores", tuple(p for p in scores if p[1].scope is not Scope.CLUSTER))
        put(self, "cluster_scores", tuple(s for s in self.scores if s.score.scope is Scope.CLUSTER))

    def gate(self, pod: Pod) -> str:
        """The name of the plugin that keeps a pod out of the queue, "" if none does."""
        return next((name for name, pre_enqueue in self.pre_enqueues if pre_enqueue(pod)), "")
