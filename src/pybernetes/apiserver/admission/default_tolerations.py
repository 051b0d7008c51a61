"""DefaultTolerationSeconds: a pod outlives the loss of its node by five minutes, unless it says otherwise."""

from pybernetes.api.core.affinity import Toleration
from pybernetes.api.core.pod import Pod
from pybernetes.apiserver.admission.plugin import Base, wants
from pybernetes.apiserver.admission.request import AdmissionRequest

SECONDS = 300
KEYS = ("node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable")


class DefaultTolerationSeconds(Base):
    """Changes pods."""

    name = "DefaultTolerationSeconds"
    interest = wants("CREATE", "UPDATE", resources=["pods"])

    async def admit(self, request: AdmissionRequest) -> None:
        """Adds the two tolerations where none covers their taint."""
        pod: Pod = request.obj
        missing = [key for key in KEYS if not any(_covers(t, key) for t in pod.spec.tolerations)]
        if missing:
            pod.spec.tolerations = [
                *pod.spec.tolerations,
                *(
                    Toleration(key=key, operator="Exists", effect="NoExecute", toleration_seconds=SECONDS)
                    for key in missing
                ),
            ]


def _covers(toleration: Toleration, key: str) -> bool:
    return toleration.key in ("", key) and toleration.effect in ("", "NoExecute")
