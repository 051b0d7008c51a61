"""Priority: sets a pod's priority from its class. The two system classes always exist."""

from pybernetes.api.core.pod import Pod
from pybernetes.apiserver import errors
from pybernetes.apiserver.admission.plugin import Base, wants
from pybernetes.apiserver.admission.request import AdmissionRequest

SYSTEM_CLASSES = {"system-node-critical": 2_000_001_000, "system-cluster-critical": 2_000_000_000}
DEFAULT_PRIORITY = 0
DEFAULT_PREEMPTION = "PreemptLowerPriority"


class Priority(Base):
    """Changes new pods."""

    name = "Priority"
    interest = wants("CREATE", resources=["pods"])

    async def admit(self, request: AdmissionRequest) -> None:
        """Raises Forbidden for an unknown class, or for a number that differs from that of the class."""
        pod: Pod = request.obj
        spec = pod.spec
        computed = SYSTEM_CLASSES.get(spec.priority_class_name, DEFAULT_PRIORITY)
        if spec.priority_class_name and spec.priority_class_name not in SYSTEM_CLASSES:
            why = f"no PriorityClass with name {spec.priority_class_name} was found"
            raise errors.forbidden_kind(request.kind, request.name, why)
        if spec.priority is not None and spec.priority != computed:
            why = (
                f"the integer value of priority ({spec.priority}) must not be provided in pod spec; "
                f"priority admission controller computed {computed} from the given PriorityClass name"
            )
            raise errors.forbidden_kind(request.kind, request.name, why)
        preemption = spec.preemption_policy
        if preemption and preemption != DEFAULT_PREEMPTION:
            why = (
                f"the string value of PreemptionPolicy ({preemption}) must not be provided in pod spec; "
                f"priority admission controller computed {DEFAULT_PREEMPTION} from the given PriorityClass name"
            )
            raise errors.forbidden_kind(request.kind, request.name, why)
        spec.priority, spec.preemption_policy = computed, DEFAULT_PREEMPTION
