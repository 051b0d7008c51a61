"""The struct of a Pod; its parts are in pod_spec.py and pod_status.py."""

from pybernetes.api.core.pod_spec import PodSpec
from pybernetes.api.core.pod_status import PodStatus
from pybernetes.api.meta import Object, always


class Pod(Object, kw_only=True):
    """A group of containers that share an IP address and volumes, and run on one node."""

    spec: PodSpec = always(PodSpec)
    """The desired state."""
    status: PodStatus = always(PodStatus)
    """The observed state."""
