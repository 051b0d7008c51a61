"""Creates and starts one container, and records the events."""

from pybernetes.api.core.pod import Pod
from pybernetes.kubelet.errors import HookFailed, StartFailed
from pybernetes.kubelet.plan import Start
from pybernetes.kubelet.podspec import container_reference
from pybernetes.kubelet.runtime import ContainerSpec, PodState, RuntimeFailure, RuntimeUnavailable, Sandbox
from pybernetes.kubelet.services import Services


async def start_container(services: Services, pod: Pod, state: PodState, start: Start) -> None:
    """Pull the image, create and start the container, and run its postStart hook. Raises StartFailed."""
    container = start.container
    image = await services.images.ensure(pod, container)
    sandbox = state.sandbox
    assert sandbox is not None
    try:
        spec = await services.specs.container(pod, container, start.kind, start.attempt, image, state)
    except StartFailed as error:
        services.recorder.event(container_reference(pod, container.name), "Warning", "Failed", f"Error: {error}")
        raise
    container_id = await _create(services, pod, start, sandbox, spec)
    if container.lifecycle is None or container.lifecycle.post_start is None:
        return
    ip = sandbox.ips[0] if sandbox.ips else services.config.node_ip
    try:
        await services.hooks.post_start(pod, container, container_id, ip)
    except HookFailed as error:
        services.recorder.event(
            container_reference(pod, container.name), "Warning", "FailedPostStartHook", f"PostStartHook failed: {error}"
        )
        services.recorder.event(container_reference(pod, container.name), "Normal", "Killing", "FailedPostStartHook")
        await services.runtime.stop_container(container_id, 30)
        raise StartFailed("PostStartHookError", f"PostStartHook failed: {error}") from error


async def _create(services: Services, pod: Pod, start: Start, sandbox: Sandbox, spec: ContainerSpec) -> str:
    name, record = start.container.name, services.recorder.event
    target = container_reference(pod, name)
    sandbox_spec = services.specs.sandbox(pod, sandbox.attempt)
    try:
        container_id = await services.runtime.create_container(sandbox.id, spec, sandbox_spec)
    except RuntimeUnavailable:
        raise
    except RuntimeFailure as error:
        record(target, "Warning", "Failed", f"Error: {error}")
        raise StartFailed("CreateContainerError", str(error)) from error
    record(target, "Normal", "Created", f"Created container: {name}")
    try:
        await services.runtime.start_container(container_id)
    except RuntimeUnavailable:
        raise
    except RuntimeFailure as error:
        record(target, "Warning", "Failed", f"Error: {error}")
        raise StartFailed("RunContainerError", str(error)) from error
    record(target, "Normal", "Started", f"Started container {name}")
    return container_id
