"""Labels, annotations and file names by which the kubelet recognizes its containers. They are kubelet's."""

POD_NAME = "io.kubernetes.pod.name"
POD_NAMESPACE = "io.kubernetes.pod.namespace"
POD_UID = "io.kubernetes.pod.uid"
CONTAINER_NAME = "io.kubernetes.container.name"

CONTAINER_HASH = "io.kubernetes.container.hash"
CONTAINER_RESTART_COUNT = "io.kubernetes.container.restartCount"
CONTAINER_TERMINATION_MESSAGE_PATH = "io.kubernetes.container.terminationMessagePath"
CONTAINER_TERMINATION_MESSAGE_POLICY = "io.kubernetes.container.terminationMessagePolicy"
CONTAINER_PRE_STOP = "io.kubernetes.container.preStopHandler"
POD_DELETION_GRACE = "io.kubernetes.pod.deletionGracePeriod"
POD_TERMINATION_GRACE = "io.kubernetes.pod.terminationGracePeriod"

CONFIG_SOURCE = "kubernetes.io/config.source"
CONFIG_HASH = "kubernetes.io/config.hash"
CONFIG_SEEN = "kubernetes.io/config.seen"

DEFAULT_TERMINATION_MESSAGE_PATH = "/dev/termination-log"


def log_directory(root: str, namespace: str, name: str, uid: str) -> str:
    """`/var/log/pods/default_web_<uid>`"""
    return f"{root}/{namespace}_{name}_{uid}"


def log_path(container: str, restart_count: int) -> str:
    """A container's log relative to its pod's log directory: `web/0.log`"""
    return f"{container}/{restart_count}.log"
