"""ReplicationController: the predecessor of ReplicaSet, with an equality-based selector; the loop is the same."""

from collections.abc import Mapping

from pybernetes.api.core.replication_controller import ReplicationController, ReplicationControllerCondition
from pybernetes.api.meta import Time
from pybernetes.controllers.config import ReplicationControllerConfig
from pybernetes.controllers.pod_owner import Attempt
from pybernetes.controllers.replicaset import ReplicaController, failure_conditions
from pybernetes.controllers.selectors import contains


class ReplicationControllerController(ReplicaController[ReplicationController]):
    """core/v1 ReplicationController."""

    name = "replicationcontroller-controller"
    component = "replication-controller"
    owner_type = ReplicationController
    settings = ReplicationControllerConfig

    def selects(self, owner: ReplicationController, labels: Mapping[str, str]) -> bool:
        """By the map of labels; an empty one selects nothing."""
        return bool(owner.spec.selector) and contains(labels, owner.spec.selector)

    def conditions(
        self, owner: ReplicationController, attempt: Attempt, now: Time
    ) -> list[ReplicationControllerCondition]:
        """With ReplicaFailure if the attempt failed."""
        return failure_conditions(owner.status.conditions, ReplicationControllerCondition, attempt, now)
