"""TODOC core/replication_controller.py"""

from typing import Annotated

from pybernetes.api.core.pod import PodTemplateSpec
from pybernetes.api.facts import Atomic, ListMap
from pybernetes.api.kind import Kind
from pybernetes.api.meta import Object, Struct, Time, always


class ReplicationControllerSpec(Struct, kw_only=True):
    """TODOC ReplicationControllerSpec"""

    min_ready_seconds: int | None = None
    replicas: int | None = None
    selector: Annotated[dict[str, str], Atomic()] = {}
    template: PodTemplateSpec | None = None


class ReplicationControllerCondition(Struct, kw_only=True):
    """TODOC ReplicationControllerCondition"""

    status: str = always(str)
    type: str = always(str)
    last_transition_time: Time = ""
    message: str = ""
    reason: str = ""


class ReplicationControllerStatus(Struct, kw_only=True):
    """TODOC ReplicationControllerStatus"""

    replicas: int = always(int)
    available_replicas: int = 0
    conditions: Annotated[list[ReplicationControllerCondition], ListMap("type")] = []
    fully_labeled_replicas: int = 0
    observed_generation: int = 0
    ready_replicas: int = 0


class ReplicationController(Object, kw_only=True):
    """TODOC ReplicationController"""

    spec: ReplicationControllerSpec = always(ReplicationControllerSpec)
    status: ReplicationControllerStatus = always(ReplicationControllerStatus)


KIND = Kind(
    group="",
    version="v1",
    name="ReplicationController",
    plural="replicationcontrollers",
    singular="replicationcontroller",
    struct=ReplicationController,
    short_names=("rc",),
    categories=("all",),
    storage="controllers",
    has_generation=True,
    subresources=("status", "scale"),
)
