"""ReplicationController: the elder of ReplicaSet, with an equality-based selector; the loop is the same."""

from pybernetes.api.core.replication_controller import ReplicationController, ReplicationControllerCondition
from pybernetes.controllers.replicaset import ReplicaController, failure_conditions
from pybernetes.controllers.selectors import contains
from pybernetes.controllers.times import stamp


class ReplicationControllerController(ReplicaController[ReplicationController]):
    """core/v1 ReplicationController."""

    name = "replicationcontroller-controller"
    component = "replication-controller"
    struct = ReplicationController

    def selects(self, owner: ReplicationController, labels: dict[str, str]) -> bool:
        """By the map of labels; an empty one selects nothing."""
        return bool(owner.spec.selector) and contains(labels, owner.spec.selector)

    def conditions(
        self, owner: ReplicationController, error: Exception | None, creating: bool
    ) -> list[ReplicationControllerCondition]:
        """With ReplicaFailure as the attempt ended."""
        now = stamp(self.context.clock.now())
        return failure_conditions(owner.status.conditions, ReplicationControllerCondition, error, creating, now)
