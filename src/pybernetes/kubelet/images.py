"""Pulls images: pull policy, credentials, and a back-off per image that cannot be pulled."""

import asyncio
import base64
import binascii
import json
from collections.abc import Iterator

from pybernetes.api.core.pod import Pod
from pybernetes.api.core.secret import Secret
from pybernetes.client.errors import ApiError, Unreachable
from pybernetes.kubelet.api_objects import ObjectKey, Objects, secret_data
from pybernetes.kubelet.crash_loop import Backoff
from pybernetes.kubelet.errors import StartFailed
from pybernetes.kubelet.podspec import AnyContainer, container_reference
from pybernetes.kubelet.runtime import ImagePullFailed, Images, RegistryAuth, RuntimeFailure
from pybernetes.kubelet.types import Clock, Recorder


class ImagePuller:
    """Provides the images of containers."""

    def __init__(self, images: Images, *, objects: Objects, recorder: Recorder, clock: Clock, max_pulls: int) -> None:
        self._images = images
        self._objects = objects
        self._recorder = recorder
        self._clock = clock
        self._slots = asyncio.Semaphore(max_pulls)
        self._backoffs: dict[tuple[str, str], Backoff] = {}

    async def ensure(self, pod: Pod, container: AnyContainer) -> str:
        """Make the container's image available; returns the reference to run it by. Raises StartFailed."""
        name, policy = container.image, container.image_pull_policy or "IfNotPresent"
        target = container_reference(pod, container.name)
        present = await self._images.image(name)
        if present is not None and policy != "Always":
            self._recorder.event(target, "Normal", "Pulled", f'Container image "{name}" already present on machine')
            return present.id
        if policy == "Never":
            message = f'Container image "{name}" is not present with pull policy of Never'
            self._recorder.event(target, "Warning", "ErrImageNeverPull", message)
            raise StartFailed("ErrImageNeverPull", message)
        key = (pod.metadata.uid, name)
        self._check_back_off(pod, container, key)
        return await self._pull(pod, container, key)

    def _check_back_off(self, pod: Pod, container: AnyContainer, key: tuple[str, str]) -> None:
        backoff = self._backoffs.get(key)
        left = backoff.since + backoff.delay - self._clock() if backoff is not None else 0.0
        if left > 0:
            target = container_reference(pod, container.name)
            message = f'Back-off pulling image "{container.image}"'
            self._recorder.event(target, "Normal", "BackOff", message)
            self._recorder.event(target, "Warning", "Failed", "Error: ImagePullBackOff")
            raise StartFailed("ImagePullBackOff", message, left)

    async def _pull(self, pod: Pod, container: AnyContainer, key: tuple[str, str]) -> str:
        name, target = container.image, container_reference(pod, container.name)
        record = self._recorder.event
        asked = self._clock()
        async with self._slots:
            record(target, "Normal", "Pulling", f'Pulling image "{name}"')
            began = self._clock()
            try:
                reference = await self._fetch(pod, name)
            except ImagePullFailed as error:
                now = self._clock()
                self._backoffs[key] = backoff = self._backoffs.get(key, Backoff()).next(now, now)
                record(target, "Warning", "Failed", f'Failed to pull image "{name}": {error}')
                record(target, "Warning", "Failed", "Error: ErrImagePull")
                # Retry soon, so that the reason changes to ImagePullBackOff as clients expect.
                raise StartFailed("ErrImagePull", str(error), min(backoff.delay, 2.0)) from error
        self._backoffs.pop(key, None)
        took, total = self._clock() - began, self._clock() - asked
        image = await self._images.image(reference)
        size = f" Image size: {image.size} bytes." if image is not None else ""
        message = f'Successfully pulled image "{name}" in {_short(took)} ({_short(total)} including waiting).{size}'
        record(target, "Normal", "Pulled", message)
        return reference

    async def _fetch(self, pod: Pod, name: str) -> str:
        failure: ImagePullFailed | None = None
        for auth in [*await self._credentials(pod, name), None]:
            try:
                return await self._images.pull(name, auth)
            except ImagePullFailed as error:
                failure = error
            except RuntimeFailure as error:
                failure = ImagePullFailed(str(error))
        assert failure is not None
        raise failure

    async def _credentials(self, pod: Pod, name: str) -> list[RegistryAuth]:
        found: list[RegistryAuth] = []
        for reference in pod.spec.image_pull_secrets:
            try:
                data = secret_data(await self._objects.get(Secret, pod.metadata.namespace, reference.name))
            except (ApiError, Unreachable) as error:
                message = f"Unable to retrieve some image pull secrets ({reference.name}); {error}"
                self._recorder.event(pod, "Warning", "FailedToRetrieveImagePullSecret", message)
                continue
            text = data.get(".dockerconfigjson") or data.get(".dockercfg") or b""
            found += [auth for registry, auth in docker_auths(text) if _matches(registry, name)]
        return found

    def forget(self, uid: str) -> None:
        """Drop the back-offs of a pod that has been removed."""
        for key in [k for k in self._backoffs if k[0] == uid]:
            del self._backoffs[key]


def image_references(pod: Pod) -> Iterator[ObjectKey]:
    """The pod's imagePullSecrets."""
    for pull_secret in pod.spec.image_pull_secrets:
        yield ObjectKey(Secret, pod.metadata.namespace, pull_secret.name)


def docker_auths(text: bytes) -> Iterator[tuple[str, RegistryAuth]]:
    """(registry, credentials) in a Docker configuration of either format; none if it is invalid. Pure."""
    try:
        config = json.loads(text)
    except ValueError:
        return
    auths = config.get("auths", config) if isinstance(config, dict) else {}
    for registry, entry in auths.items() if isinstance(auths, dict) else ():
        if not isinstance(entry, dict):
            continue
        user, password = str(entry.get("username", "")), str(entry.get("password", ""))
        if not user and entry.get("auth"):
            try:
                user, _, password = base64.b64decode(entry["auth"]).decode().partition(":")
            except (binascii.Error, UnicodeDecodeError, TypeError):
                continue
        token = str(entry.get("identitytoken", ""))
        if user or token:
            yield registry, RegistryAuth(username=user, password=password, identity_token=token)


def _matches(registry: str, image: str) -> bool:
    host = registry.removeprefix("https://").removeprefix("http://").split("/")[0]
    first = image.split("/")[0]
    named = first if "/" in image and ("." in first or ":" in first or first == "localhost") else "docker.io"
    return host == named or (named == "docker.io" and host == "index.docker.io")


def _short(seconds: float) -> str:
    return f"{seconds * 1000:.0f}ms" if seconds < 1 else f"{seconds:.3f}s"
