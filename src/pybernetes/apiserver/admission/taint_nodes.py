"""TaintNodesByCondition: a new node gets no pods until the node lifecycle controller has seen that it is ready."""

from pybernetes.api.core.node import Node, Taint
from pybernetes.apiserver.admission.plugin import Base, wants
from pybernetes.apiserver.admission.request import AdmissionRequest

NOT_READY = "node.kubernetes.io/not-ready"


class TaintNodesByCondition(Base):
    """Changes new nodes."""

    name = "TaintNodesByCondition"
    interest = wants("CREATE", resources=["nodes"])

    async def admit(self, request: AdmissionRequest) -> None:
        """Adds the taint not-ready."""
        node: Node = request.obj
        if all((t.key, t.effect) != (NOT_READY, "NoSchedule") for t in node.spec.taints):
            node.spec.taints = [*node.spec.taints, Taint(key=NOT_READY, effect="NoSchedule")]
