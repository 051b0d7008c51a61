"""The files of a configMap, secret, downwardAPI or projected volume. Pure, apart from reading objects and tokens."""

import posixpath
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Protocol

from pybernetes.api.core.pod import Pod
from pybernetes.api.core.selectors import KeyToPath
from pybernetes.api.core.volume import DownwardAPIVolumeFile, ServiceAccountTokenProjection, Volume, VolumeProjection
from pybernetes.client.errors import ApiError, NotFound, Unreachable
from pybernetes.kubelet.environment import Objects
from pybernetes.kubelet.errors import VolumesNotReady
from pybernetes.kubelet.field_path import BadFieldPath, field_value, resource_value

DEFAULT_MODE = 0o644


@dataclass(frozen=True, slots=True)
class File:
    """Content and permissions."""

    content: bytes
    mode: int


Payload = dict[str, File]
"""relative path -> file"""


class Tokens(Protocol):
    """Tokens of a pod's service account."""

    async def token(self, pod: Pod, projection: ServiceAccountTokenProjection) -> str:
        """A token that is good for a while yet; raises ApiError or Unreachable."""


@dataclass(frozen=True, slots=True)
class Sources:
    """Where payloads come from."""

    objects: Objects
    tokens: Tokens
    allocatable: dict[str, str]


async def payload(pod: Pod, volume: Volume, sources: Sources) -> Payload:
    """A volume's files; raises VolumesNotReady."""
    try:
        return await _payload(pod, volume, sources)
    except (ApiError, Unreachable, BadFieldPath) as error:
        raise VolumesNotReady(f'MountVolume.SetUp failed for volume "{volume.name}" : {error}') from error


async def _payload(pod: Pod, volume: Volume, sources: Sources) -> Payload:
    namespace = pod.metadata.namespace
    if volume.config_map is not None:
        config = volume.config_map
        read = sources.objects.config_map
        mode = _mode(config.default_mode)
        return await _object(read, "configmap", namespace, config.name, config.items, mode, bool(config.optional))
    if volume.secret is not None:
        secret = volume.secret
        read = sources.objects.secret
        mode = _mode(secret.default_mode)
        return await _object(read, "secret", namespace, secret.secret_name, secret.items, mode, bool(secret.optional))
    if volume.downward_api is not None:
        return _downward(pod, volume.downward_api.items, _mode(volume.downward_api.default_mode), sources)
    assert volume.projected is not None
    files: Payload = {}
    for projection in volume.projected.sources:
        files.update(await _projection(pod, projection, _mode(volume.projected.default_mode), sources))
    return files


async def _projection(pod: Pod, source: VolumeProjection, mode: int, sources: Sources) -> Payload:
    namespace, objects = pod.metadata.namespace, sources.objects
    if source.config_map is not None:
        config = source.config_map
        return await _object(
            objects.config_map, "configmap", namespace, config.name, config.items, mode, bool(config.optional)
        )
    if source.secret is not None:
        secret = source.secret
        return await _object(
            objects.secret, "secret", namespace, secret.name, secret.items, mode, bool(secret.optional)
        )
    if source.downward_api is not None:
        return _downward(pod, source.downward_api.items, mode, sources)
    if source.service_account_token is not None:
        token = await sources.tokens.token(pod, source.service_account_token)
        context = pod.spec.security_context
        # Only root and the pod's group may read a token; without a group everybody in the pod's containers may.
        private = 0o600 if context is not None and context.fs_group is not None else mode
        return {_safe(source.service_account_token.path): File(token.encode(), private)}
    return {}


def _mode(default: int | None) -> int:
    return DEFAULT_MODE if default is None else default


async def _object(
    read: Callable[[str, str], Awaitable[dict[str, bytes]]],
    kind: str,
    namespace: str,
    name: str,
    items: list[KeyToPath],
    mode: int,
    optional: bool,
) -> Payload:
    try:
        data = await read(namespace, name)
    except NotFound:
        if optional:
            return {}
        raise
    if not items:
        return {_safe(key): File(content, mode) for key, content in data.items()}
    files: Payload = {}
    for item in items:
        if item.key in data:
            files[_safe(item.path)] = File(data[item.key], mode if item.mode is None else item.mode)
        elif not optional:
            raise BadFieldPath(f"references non-existent {kind} key: {item.key}")
    return files


def _downward(pod: Pod, items: list[DownwardAPIVolumeFile], mode: int, sources: Sources) -> Payload:
    files: Payload = {}
    for item in items:
        text = ""
        if item.field_ref is not None:
            text = field_value(pod, item.field_ref.field_path)
        elif item.resource_field_ref is not None:
            text = resource_value(pod, item.resource_field_ref, "", sources.allocatable)
        files[_safe(item.path)] = File(text.encode(), mode if item.mode is None else item.mode)
    return files


def _safe(path: str) -> str:
    """A path that stays inside its volume; validation has refused others, this is the second lock."""
    clean = posixpath.normpath(path)
    if not path or clean.startswith(("/", "..")) or clean == ".":
        raise BadFieldPath(f"invalid path {path!r}: it must be relative and must not contain '..'")
    return clean
