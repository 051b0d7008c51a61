"""TODOC apps/replica_set.py"""

from typing import Annotated

from pybernetes.api.core.pod import PodTemplateSpec
from pybernetes.api.facts import ListMap
from pybernetes.api.kind import Kind
from pybernetes.api.meta import LabelSelector, Object, Struct, Time, always


class ReplicaSetSpec(Struct, kw_only=True):
    """TODOC ReplicaSetSpec"""

    selector: LabelSelector = always(LabelSelector)
    min_ready_seconds: int | None = None
    replicas: int | None = None
    template: PodTemplateSpec = always(PodTemplateSpec)


class ReplicaSetCondition(Struct, kw_only=True):
    """TODOC ReplicaSetCondition"""

    last_transition_time: Time = ""
    message: str = ""
    reason: str = ""
    status: str = ""
    type: str = ""


class ReplicaSetStatus(Struct, kw_only=True):
    """TODOC ReplicaSetStatus"""

    replicas: int = always(int)
    available_replicas: int = 0
    conditions: Annotated[list[ReplicaSetCondition], ListMap("type")] = []
    fully_labeled_replicas: int = 0
    observed_generation: int = 0
    ready_replicas: int = 0
    terminating_replicas: int | None = None


class ReplicaSet(Object, kw_only=True):
    """TODOC ReplicaSet"""

    spec: ReplicaSetSpec = always(ReplicaSetSpec)
    status: ReplicaSetStatus = always(ReplicaSetStatus)


KIND = Kind(
    group="apps",
    version="v1",
    name="ReplicaSet",
    plural="replicasets",
    singular="replicaset",
    struct=ReplicaSet,
    short_names=("rs",),
    categories=("all",),
    has_generation=True,
    subresources=("status", "scale"),
)
