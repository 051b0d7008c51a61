"""TODOC apps/deployment.py"""

from typing import Annotated

from pybernetes.api.core.pod import PodTemplateSpec
from pybernetes.api.facts import ListMap, RetainKeys
from pybernetes.api.kind import Kind
from pybernetes.api.meta import IntOrString, LabelSelector, Object, Struct, Time, always


class RollingUpdateDeployment(Struct, kw_only=True):
    """TODOC RollingUpdateDeployment"""

    max_surge: IntOrString | None = None
    max_unavailable: IntOrString | None = None


class DeploymentStrategy(Struct, kw_only=True):
    """TODOC DeploymentStrategy"""

    rolling_update: RollingUpdateDeployment | None = None
    type: str = ""


class DeploymentSpec(Struct, kw_only=True):
    """TODOC DeploymentSpec"""

    selector: LabelSelector = always(LabelSelector)
    template: PodTemplateSpec = always(PodTemplateSpec)
    min_ready_seconds: int | None = None
    paused: bool = False
    progress_deadline_seconds: int | None = None
    replicas: int | None = None
    revision_history_limit: int | None = None
    strategy: Annotated[DeploymentStrategy, RetainKeys()] = always(DeploymentStrategy)


class DeploymentCondition(Struct, kw_only=True):
    """TODOC DeploymentCondition"""

    last_transition_time: Time = ""
    last_update_time: Time = ""
    message: str = ""
    reason: str = ""
    status: str = ""
    type: str = ""


class DeploymentStatus(Struct, kw_only=True):
    """TODOC DeploymentStatus"""

    available_replicas: int = 0
    collision_count: int | None = None
    conditions: Annotated[list[DeploymentCondition], ListMap("type")] = []
    observed_generation: int = 0
    ready_replicas: int = 0
    replicas: int = 0
    terminating_replicas: int | None = None
    unavailable_replicas: int = 0
    updated_replicas: int = 0


class Deployment(Object, kw_only=True):
    """TODOC Deployment"""

    spec: DeploymentSpec = always(DeploymentSpec)
    status: DeploymentStatus = always(DeploymentStatus)


KIND = Kind(
    group="apps",
    version="v1",
    name="Deployment",
    plural="deployments",
    singular="deployment",
    struct=Deployment,
    short_names=("deploy",),
    categories=("all",),
    has_generation=True,
    subresources=("status", "scale"),
)
