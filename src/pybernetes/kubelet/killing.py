"""Terminates containers: preStop hook, TERM, KILL, all within the grace period; sidecars last."""

import asyncio

from pybernetes.api.core.pod import Pod
from pybernetes.kubelet.errors import HookFailed
from pybernetes.kubelet.podspec import AnyContainer, container_reference, find_container, is_sidecar
from pybernetes.kubelet.runtime import ContainerInfo, PodState
from pybernetes.kubelet.services import Services

_MINIMUM_AFTER_HOOK = 2
"""Seconds between TERM and KILL if the hook has used up the grace period."""


async def kill_container(
    services: Services, pod: Pod, info: ContainerInfo, state: PodState, grace: int, message: str
) -> None:
    """Terminate one container within `grace` seconds."""
    services.recorder.event(container_reference(pod, info.name), "Normal", "Killing", message)
    container = find_container(pod, info.name)
    left = grace
    if grace > 0 and container is not None and _has_pre_stop(container):
        before = services.clock()
        ip = state.sandbox.ips[0] if state.sandbox and state.sandbox.ips else services.config.node_ip
        try:
            await services.hooks.pre_stop(pod, container, info.id, ip, grace)
        except HookFailed as error:
            services.recorder.event(
                container_reference(pod, info.name), "Warning", "FailedPreStopHook", f"PreStopHook failed: {error}"
            )
        left = max(int(grace - (services.clock() - before)), _MINIMUM_AFTER_HOOK)
    await services.runtime.stop_container(info.id, left)


async def kill_pod(services: Services, pod: Pod, state: PodState, grace: int) -> None:
    """Terminate all containers: the regular ones together, then the sidecars one by one in reverse order."""
    start = services.clock()
    sidecars = [c.name for c in pod.spec.init_containers if is_sidecar(c)]
    first = [info for info in state.running if info.name not in sidecars]
    try:
        async with asyncio.TaskGroup() as group:
            for info in first:
                kill = kill_container(services, pod, info, state, grace, f"Stopping container {info.name}")
                group.create_task(kill, name=f"kill {pod.metadata.name}/{info.name}")
    except ExceptionGroup as failures:
        # The caller retries the whole pod, whichever containers failed.
        raise failures.exceptions[0] from failures
    for name in reversed(sidecars):
        for info in (c for c in state.running if c.name == name):
            left = max(int(grace - (services.clock() - start)), min(grace, _MINIMUM_AFTER_HOOK))
            await kill_container(services, pod, info, state, left, f"Stopping container {name}")


def _has_pre_stop(container: AnyContainer) -> bool:
    return container.lifecycle is not None and container.lifecycle.pre_stop is not None
