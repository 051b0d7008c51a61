"""DefaultBinder: writes the pod's node through the `binding` subresource."""

from pybernetes.api.core.pod import Pod
from pybernetes.scheduler.args import Args
from pybernetes.scheduler.handle import Handle
from pybernetes.scheduler.objects import Objects
from pybernetes.scheduler.plugin import Plugin
from pybernetes.scheduler.writer import bind


def default_binder(args: Args, objects: Objects) -> Plugin:
    """Binds every pod."""
    return Plugin(bind=_bind)


async def _bind(handle: Handle, pod: Pod, node_name: str) -> bool:
    await bind(handle.client, pod, node_name)
    return True
