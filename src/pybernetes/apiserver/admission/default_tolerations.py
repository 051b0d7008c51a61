"""DefaultTolerationSeconds: pods tolerate a lost node for five minutes by default."""

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
        """Adds each of the two tolerations unless another one covers its taint."""
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
