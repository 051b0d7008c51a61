"""TODOC apps/daemon_set.py"""

from typing import Annotated

from pybernetes.api.core.pod import PodTemplateSpec
from pybernetes.api.facts import ListMap
from pybernetes.api.kind import Kind
from pybernetes.api.meta import IntOrString, LabelSelector, Object, Struct, Time, always


class RollingUpdateDaemonSet(Struct, kw_only=True):
    """TODOC RollingUpdateDaemonSet"""

    max_surge: IntOrString | None = None
    max_unavailable: IntOrString | None = None


class DaemonSetUpdateStrategy(Struct, kw_only=True):
    """TODOC DaemonSetUpdateStrategy"""

    rolling_update: RollingUpdateDaemonSet | None = None
    type: str = ""


class DaemonSetSpec(Struct, kw_only=True):
    """TODOC DaemonSetSpec"""

    selector: LabelSelector = always(LabelSelector)
    template: PodTemplateSpec = always(PodTemplateSpec)
    min_ready_seconds: int | None = None
    revision_history_limit: int | None = None
    update_strategy: DaemonSetUpdateStrategy = always(DaemonSetUpdateStrategy)


class DaemonSetCondition(Struct, kw_only=True):
    """TODOC DaemonSetCondition"""

    last_transition_time: Time = ""
    message: str = ""
    reason: str = ""
    status: str = ""
    type: str = ""


class DaemonSetStatus(Struct, kw_only=True):
    """TODOC DaemonSetStatus"""

    current_number_scheduled: int = always(int)
    desired_number_scheduled: int = always(int)
    number_misscheduled: int = always(int)
    number_ready: int = always(int)
    collision_count: int | None = None
    conditions: Annotated[list[DaemonSetCondition], ListMap("type")] = []
    number_available: int = 0
    number_unavailable: int = 0
    observed_generation: int = 0
    updated_number_scheduled: int = 0


class DaemonSet(Object, kw_only=True):
    """TODOC DaemonSet"""

    spec: DaemonSetSpec = always(DaemonSetSpec)
    status: DaemonSetStatus = always(DaemonSetStatus)


KIND = Kind(
    group="apps",
    version="v1",
    name="DaemonSet",
    plural="daemonsets",
    singular="daemonset",
    struct=DaemonSet,
    short_names=("ds",),
    categories=("all",),
    has_generation=True,
    subresources=("status",),
)
