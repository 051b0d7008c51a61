"""A `Runtime` that uses CRI v1.

The status of an exited container never changes, and a ready sandbox keeps its addresses. Both are cached, so that
reading a pod's state takes two list calls and one status call per running container.
"""

import asyncio
from collections.abc import AsyncGenerator
from typing import Any

from pybernetes.kubelet.cri import decode, encode
from pybernetes.kubelet.cri.channel import CALL_TIMEOUT, Channel
from pybernetes.kubelet.cri.events import exits
from pybernetes.kubelet.criapi import cri_pb2 as pb
from pybernetes.kubelet.names import POD_UID
from pybernetes.kubelet.runtime import (
    CommandTimedOut,
    ContainerInfo,
    ContainerSpec,
    ExecResult,
    ImageInfo,
    ImagePullFailed,
    NoSuch,
    PodRef,
    PodState,
    RegistryAuth,
    RuntimeFailure,
    RuntimeRefused,
    RuntimeStatus,
    RuntimeUnavailable,
    RuntimeVersion,
    Sandbox,
    SandboxSpec,
    Usage,
)

_SANDBOX_TIMEOUT = 240.0
_PULL_TIMEOUT = 1800.0


class CriRuntime:
    """The runtime that listens on `socket`."""

    def __init__(self, socket: str) -> None:
        self._channel = Channel(socket)
        self._ended: dict[str, ContainerInfo] = {}
        self._addresses: dict[str, tuple[str, ...]] = {}
        self._owners: dict[str, str] = {}

    async def _call(self, method: str, request: Any, answer: type[Any], timeout: float | None = CALL_TIMEOUT) -> Any:
        return await self._channel.call(f"/runtime.v1.RuntimeService/{method}", request, answer, timeout)

    async def _image_call(self, method: str, request: Any, answer: type[Any], timeout: float = CALL_TIMEOUT) -> Any:
        return await self._channel.call(f"/runtime.v1.ImageService/{method}", request, answer, timeout)

    async def close(self) -> None:
        """Close the connection."""
        await self._channel.close()

    async def version(self) -> RuntimeVersion:
        """Name and version of the runtime."""
        answer = await self._call("Version", pb.VersionRequest(version="0.1.0"), pb.VersionResponse)
        return RuntimeVersion(answer.runtime_name, answer.runtime_version)

    async def status(self) -> RuntimeStatus:
        """Whether the runtime can run pods."""
        return decode.status(await self._call("Status", pb.StatusRequest(), pb.StatusResponse, 10.0))

    async def list_pods(self) -> dict[str, tuple[PodRef, bool]]:
        """uid -> (pod, whether any part of it may still run)."""
        sandboxes = await self._call("ListPodSandbox", pb.ListPodSandboxRequest(), pb.ListPodSandboxResponse)
        containers = await self._call("ListContainers", pb.ListContainersRequest(), pb.ListContainersResponse)
        found: dict[str, tuple[PodRef, bool]] = {}
        living = [(s.labels, s.state == pb.SANDBOX_READY, s.id) for s in sandboxes.items]
        living += [(c.labels, c.state == pb.CONTAINER_RUNNING, c.id) for c in containers.containers]
        for labels, alive, item in living:
            ref = decode.owner(labels)
            if ref is not None:
                self._owners[item] = ref.uid
                found[ref.uid] = (ref, alive or found.get(ref.uid, (ref, False))[1])
        return found

    async def pod(self, uid: str) -> PodState:
        """Sandboxes and containers of one pod, newest first."""
        labels = {POD_UID: uid}
        sandboxes, containers = await asyncio.gather(
            self._call(
                "ListPodSandbox",
                pb.ListPodSandboxRequest(filter=pb.PodSandboxFilter(label_selector=labels)),
                pb.ListPodSandboxResponse,
            ),
            self._call(
                "ListContainers",
                pb.ListContainersRequest(filter=pb.ContainerFilter(label_selector=labels)),
                pb.ListContainersResponse,
            ),
        )
        boxes = [await self._sandbox(message) for message in sandboxes.items]
        infos = [await self._container(message) for message in containers.containers]
        return PodState(
            tuple(sorted(boxes, key=lambda s: -s.created_at)),
            tuple(sorted((i for i in infos if i is not None), key=lambda c: -c.created_at)),
        )

    async def _sandbox(self, message: pb.PodSandbox) -> Sandbox:
        self._owners[message.id] = message.metadata.uid
        if message.state != pb.SANDBOX_READY:
            return decode.sandbox(message)
        known = self._addresses.get(message.id)
        if known is None:
            request = pb.PodSandboxStatusRequest(pod_sandbox_id=message.id)
            try:
                answer = await self._call("PodSandboxStatus", request, pb.PodSandboxStatusResponse)
            except NoSuch:
                return decode.sandbox(message)
            known = self._addresses[message.id] = decode.addresses(answer.status)
        return decode.sandbox(message, known)

    async def _container(self, message: pb.Container) -> ContainerInfo | None:
        known = self._ended.get(message.id)
        if known is not None:
            return known
        self._owners[message.id] = message.labels.get(POD_UID, "")
        request = pb.ContainerStatusRequest(container_id=message.id)
        try:
            answer = await self._call("ContainerStatus", request, pb.ContainerStatusResponse)
        except NoSuch:
            return None
        info = decode.container(message, answer.status)
        if info.state == "exited":
            self._ended[info.id] = info
        return info

    async def run_sandbox(self, spec: SandboxSpec) -> str:
        """Create and start a sandbox; returns its id."""
        request = pb.RunPodSandboxRequest(config=encode.sandbox(spec), runtime_handler=spec.runtime_handler)
        answer = await self._call("RunPodSandbox", request, pb.RunPodSandboxResponse, _SANDBOX_TIMEOUT)
        self._owners[answer.pod_sandbox_id] = spec.uid
        return str(answer.pod_sandbox_id)

    async def stop_sandbox(self, sandbox_id: str) -> None:
        """Stop a sandbox."""
        await self._forgiving("StopPodSandbox", pb.StopPodSandboxRequest(pod_sandbox_id=sandbox_id))
        self._addresses.pop(sandbox_id, None)

    async def remove_sandbox(self, sandbox_id: str) -> None:
        """Remove a sandbox."""
        await self._forgiving("RemovePodSandbox", pb.RemovePodSandboxRequest(pod_sandbox_id=sandbox_id))
        self._addresses.pop(sandbox_id, None)
        self._owners.pop(sandbox_id, None)
        for info in [c for c in self._ended.values() if c.sandbox_id == sandbox_id]:
            del self._ended[info.id]
            self._owners.pop(info.id, None)

    async def _forgiving(self, method: str, request: Any, timeout: float | None = CALL_TIMEOUT) -> None:
        try:
            await self._call(method, request, pb.Empty, timeout)
        except NoSuch:
            return

    async def create_container(self, sandbox_id: str, spec: ContainerSpec, sandbox: SandboxSpec) -> str:
        """Create a container; returns its id."""
        request = pb.CreateContainerRequest(
            pod_sandbox_id=sandbox_id, config=encode.container(spec), sandbox_config=encode.sandbox(sandbox)
        )
        answer = await self._call("CreateContainer", request, pb.CreateContainerResponse)
        self._owners[answer.container_id] = sandbox.uid
        return str(answer.container_id)

    async def start_container(self, container_id: str) -> None:
        """Start a container."""
        await self._call("StartContainer", pb.StartContainerRequest(container_id=container_id), pb.Empty)

    async def stop_container(self, container_id: str, timeout: int) -> None:
        """Send TERM, and KILL after `timeout` seconds."""
        request = pb.StopContainerRequest(container_id=container_id, timeout=timeout)
        await self._forgiving("StopContainer", request, timeout + CALL_TIMEOUT)

    async def remove_container(self, container_id: str) -> None:
        """Remove a container."""
        await self._forgiving("RemoveContainer", pb.RemoveContainerRequest(container_id=container_id))
        self._ended.pop(container_id, None)
        self._owners.pop(container_id, None)

    async def reopen_log(self, container_id: str) -> None:
        """Make the runtime reopen the log file."""
        request = pb.ReopenContainerLogRequest(container_id=container_id)
        await self._call("ReopenContainerLog", request, pb.Empty)

    async def usage(self) -> list[Usage]:
        """Resource usage of all running containers."""
        answer = await self._call("ListContainerStats", pb.ListContainerStatsRequest(), pb.ListContainerStatsResponse)
        return [found for message in answer.stats if (found := decode.usage(message)) is not None]

    async def image(self, name: str) -> ImageInfo | None:
        """The image with this name, if it is on the node."""
        request = pb.ImageStatusRequest(image=pb.ImageSpec(image=name))
        try:
            answer = await self._image_call("ImageStatus", request, pb.ImageStatusResponse)
        except NoSuch:
            return None
        return decode.image(answer.image) if answer.image.id else None

    async def pull(self, name: str, auth: RegistryAuth | None = None) -> str:
        """Pull an image."""
        request = pb.PullImageRequest(image=pb.ImageSpec(image=name))
        if auth is not None:
            request.auth.CopyFrom(
                pb.AuthConfig(
                    username=auth.username,
                    password=auth.password,
                    auth=auth.auth,
                    server_address=auth.server_address,
                    identity_token=auth.identity_token,
                )
            )
        try:
            answer = await self._image_call("PullImage", request, pb.PullImageResponse, _PULL_TIMEOUT)
        except RuntimeUnavailable:
            raise
        except RuntimeFailure as error:
            raise ImagePullFailed(str(error)) from error
        return str(answer.image_ref)

    async def list_images(self) -> list[ImageInfo]:
        """All images."""
        answer = await self._image_call("ListImages", pb.ListImagesRequest(), pb.ListImagesResponse)
        return [decode.image(message) for message in answer.images]

    async def remove_image(self, image_id: str) -> None:
        """Remove an image with all its names."""
        request = pb.RemoveImageRequest(image=pb.ImageSpec(image=image_id))
        try:
            await self._image_call("RemoveImage", request, pb.Empty)
        except NoSuch:
            return

    async def image_filesystem(self) -> str:
        """A path on the image filesystem."""
        answer = await self._image_call("ImageFsInfo", pb.ImageFsInfoRequest(), pb.ImageFsInfoResponse)
        return next((fs.fs_id.mountpoint for fs in answer.image_filesystems if fs.fs_id.mountpoint), "")

    async def exec_sync(self, container_id: str, command: tuple[str, ...], timeout: float) -> ExecResult:
        """Run a command until it exits."""
        seconds = max(1, int(timeout)) if timeout else 0
        request = pb.ExecSyncRequest(container_id=container_id, cmd=command, timeout=seconds)
        # The runtime enforces the timeout; the margin is for a runtime that does not respond.
        deadline = seconds + 30.0 if seconds else None
        try:
            answer = await self._call("ExecSync", request, pb.ExecSyncResponse, deadline)
        except RuntimeRefused as error:
            if "timeout" in str(error) or "timed out" in str(error):
                raise CommandTimedOut(f"command {' '.join(command)!r} timed out") from error
            raise
        return ExecResult(answer.exit_code, answer.stdout, answer.stderr)

    async def exec_url(
        self, container_id: str, command: tuple[str, ...], *, stdin: bool, stdout: bool, stderr: bool, tty: bool
    ) -> str:
        """The URL for streaming a command."""
        request = pb.ExecRequest(
            container_id=container_id, cmd=command, tty=tty, stdin=stdin, stdout=stdout, stderr=stderr
        )
        return str((await self._call("Exec", request, pb.UrlResponse)).url)

    async def attach_url(self, container_id: str, *, stdin: bool, stdout: bool, stderr: bool, tty: bool) -> str:
        """The URL for streaming a container's process."""
        request = pb.AttachRequest(container_id=container_id, tty=tty, stdin=stdin, stdout=stdout, stderr=stderr)
        return str((await self._call("Attach", request, pb.UrlResponse)).url)

    async def port_forward_url(self, sandbox_id: str, ports: tuple[int, ...]) -> str:
        """The URL for streaming to ports."""
        request = pb.PortForwardRequest(pod_sandbox_id=sandbox_id, port=ports)
        return str((await self._call("PortForward", request, pb.UrlResponse)).url)

    async def has_ended(self, container_id: str) -> bool:
        """Whether the CRI status shows that a container has exited. It follows containerd's event shortly after."""
        try:
            request = pb.ContainerStatusRequest(container_id=container_id)
            answer = await self._call("ContainerStatus", request, pb.ContainerStatusResponse, 10.0)
        except NoSuch:
            return True
        return bool(answer.status.state != pb.CONTAINER_RUNNING)

    def owner(self, item: str) -> str | None:
        """The uid of the pod that a sandbox or container belongs to, if known."""
        return self._owners.get(item)

    def events(self) -> AsyncGenerator[str, None]:
        """uids of pods with a container that has exited; "" after each (re)connection and once a minute."""
        return exits(self._channel, self)
