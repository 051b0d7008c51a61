"""A container's environment: services, ConfigMaps, Secrets, fields, plain values. Pure, apart from reading objects.

Later sources override earlier ones: services first, then envFrom in order, then env in order, where a value may
refer to what stands before it.
"""

import base64
import binascii
import re
from collections.abc import Iterable
from typing import Protocol

from pybernetes.api.core.container import Container, EnvVar, EphemeralContainer
from pybernetes.api.core.pod import Pod
from pybernetes.api.core.service import Service
from pybernetes.kubelet.errors import StartFailed
from pybernetes.kubelet.expand import expand
from pybernetes.kubelet.field_path import BadFieldPath, field_value, resource_value

_CONFIG_ERROR = "CreateContainerConfigError"
_NAME = re.compile(r"^[-._a-zA-Z][-._a-zA-Z0-9]*$")


class Objects(Protocol):
    """Reads ConfigMaps and Secrets; raises NotFound or another ApiError."""

    async def config_map(self, namespace: str, name: str) -> dict[str, bytes]:
        """A ConfigMap's data, binary data included."""

    async def secret(self, namespace: str, name: str) -> dict[str, bytes]:
        """A Secret's data, decoded."""


class Missing(Exception):
    """The object or key does not exist; the text says so."""


async def environment(
    pod: Pod,
    container: Container | EphemeralContainer,
    objects: Objects,
    services: Iterable[Service],
    allocatable: dict[str, str],
) -> dict[str, str]:
    """The variables in the order in which they were set. Raises StartFailed."""
    result = service_variables(pod, services)
    for source in container.env_from:
        ref = source.config_map_ref or source.secret_ref
        if ref is None:
            continue
        kind = "configmap" if source.config_map_ref is not None else "secret"
        try:
            data = await _read(objects, kind, pod.metadata.namespace, ref.name)
        except Missing as error:
            if ref.optional:
                continue
            raise StartFailed(_CONFIG_ERROR, str(error)) from error
        for key in sorted(data):
            if _NAME.match(source.prefix + key):
                result[source.prefix + key] = data[key].decode(errors="replace")
    for variable in container.env:
        value = await _value(pod, container.name, variable, objects, allocatable, result)
        if value is not None:
            result[variable.name] = value
    return result


async def _value(
    pod: Pod, container: str, variable: EnvVar, objects: Objects, allocatable: dict[str, str], known: dict[str, str]
) -> str | None:
    source = variable.value_from
    if source is None:
        return expand(variable.value, known)
    try:
        if source.field_ref is not None:
            return field_value(pod, source.field_ref.field_path)
        if source.resource_field_ref is not None:
            return resource_value(pod, source.resource_field_ref, container, allocatable)
    except BadFieldPath as error:
        raise StartFailed(_CONFIG_ERROR, str(error)) from error
    ref = source.config_map_key_ref or source.secret_key_ref
    if ref is None:
        return ""
    kind = "configmap" if source.config_map_key_ref is not None else "secret"
    namespace = pod.metadata.namespace
    try:
        data = await _read(objects, kind, namespace, ref.name)
        if ref.key not in data:
            title = "ConfigMap" if kind == "configmap" else "Secret"
            raise Missing(f"couldn't find key {ref.key} in {title} {namespace}/{ref.name}")
    except Missing as error:
        if ref.optional:
            return None
        raise StartFailed(_CONFIG_ERROR, str(error)) from error
    return data[ref.key].decode(errors="replace")


async def _read(objects: Objects, kind: str, namespace: str, name: str) -> dict[str, bytes]:
    from pybernetes.client.errors import ApiError, NotFound, Unreachable

    try:
        if kind == "configmap":
            return await objects.config_map(namespace, name)
        return await objects.secret(namespace, name)
    except NotFound as error:
        raise Missing(f'{kind} "{name}" not found') from error
    except (ApiError, Unreachable) as error:
        raise StartFailed(_CONFIG_ERROR, f"{kind} {namespace}/{name}: {error}") from error


def decode_secret(data: dict[str, str]) -> dict[str, bytes]:
    """The values of a Secret; one that is not base64 counts as empty, the server refuses such ones anyway."""
    decoded = {}
    for key, text in data.items():
        try:
            decoded[key] = base64.b64decode(text, validate=False)
        except binascii.Error:
            decoded[key] = b""
    return decoded


def service_variables(pod: Pod, services: Iterable[Service]) -> dict[str, str]:
    """WEB_SERVICE_HOST and the rest, for each Service of the pod's namespace; of default/kubernetes always."""
    links = pod.spec.enable_service_links is not False
    result: dict[str, str] = {}
    for service in services:
        meta = service.metadata
        master = meta.namespace == "default" and meta.name == "kubernetes"
        if not (master or (links and meta.namespace == pod.metadata.namespace)):
            continue
        if service.spec.cluster_ip and service.spec.cluster_ip != "None" and service.spec.ports:
            result.update(_variables(service))
    return result


def _variables(service: Service) -> dict[str, str]:
    prefix = service.metadata.name.upper().replace("-", "_")
    ip, ports = service.spec.cluster_ip, service.spec.ports
    host = f"[{ip}]" if ":" in ip else ip
    result = {f"{prefix}_SERVICE_HOST": ip, f"{prefix}_SERVICE_PORT": str(ports[0].port)}
    for port in ports:
        if port.name:
            result[f"{prefix}_SERVICE_PORT_{port.name.upper().replace('-', '_')}"] = str(port.port)
    first = (ports[0].protocol or "TCP").lower()
    result[f"{prefix}_PORT"] = f"{first}://{host}:{ports[0].port}"
    for port in ports:
        protocol = (port.protocol or "TCP").lower()
        base = f"{prefix}_PORT_{port.port}_{protocol.upper()}"
        result[base] = f"{protocol}://{host}:{port.port}"
        result[f"{base}_PROTO"] = protocol
        result[f"{base}_PORT"] = str(port.port)
        result[f"{base}_ADDR"] = ip
    return result
