"""The environment variables of a container. Reads ConfigMaps and Secrets; everything else is pure.

Later sources override earlier ones: first Services, then envFrom in order, then env in order. A value in env may
refer to variables that precede it.
"""

import re
from collections.abc import Iterable, Iterator, Mapping

from pybernetes.api.core.config_map import ConfigMap
from pybernetes.api.core.container import Container, EnvVar, EphemeralContainer
from pybernetes.api.core.pod import Pod
from pybernetes.api.core.secret import Secret
from pybernetes.api.core.service import Service
from pybernetes.client.errors import ApiError, NotFound, Unreachable
from pybernetes.kubelet.api_objects import ObjectKey, Objects, config_map_data, secret_data
from pybernetes.kubelet.errors import StartFailed
from pybernetes.kubelet.expand import expand
from pybernetes.kubelet.field_path import BadFieldPath, field_value, resource_value
from pybernetes.kubelet.podspec import all_containers

_CONFIG_ERROR = "CreateContainerConfigError"
_NAME = re.compile(r"^[-._a-zA-Z][-._a-zA-Z0-9]*$")


class Missing(Exception):
    """The object or key does not exist."""


async def environment(
    pod: Pod,
    container: Container | EphemeralContainer,
    objects: Objects,
    services: Iterable[Service],
    allocatable: Mapping[str, str],
) -> dict[str, str]:
    """The container's variables, in order. Raises StartFailed."""
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
    pod: Pod, container: str, variable: EnvVar, objects: Objects, allocatable: Mapping[str, str], known: dict[str, str]
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
    try:
        if kind == "configmap":
            return config_map_data(await objects.get(ConfigMap, namespace, name))
        return secret_data(await objects.get(Secret, namespace, name))
    except NotFound as error:
        raise Missing(f'{kind} "{name}" not found') from error
    except (ApiError, Unreachable) as error:
        raise StartFailed(_CONFIG_ERROR, f"{kind} {namespace}/{name}: {error}") from error


def environment_references(pod: Pod) -> Iterator[ObjectKey]:
    """The ConfigMaps and Secrets that the pod's environment variables come from."""
    namespace = pod.metadata.namespace
    for container in all_containers(pod):
        for env_from in container.env_from:
            if env_from.config_map_ref is not None:
                yield ObjectKey(ConfigMap, namespace, env_from.config_map_ref.name)
            if env_from.secret_ref is not None:
                yield ObjectKey(Secret, namespace, env_from.secret_ref.name)
        for variable in container.env:
            source = variable.value_from
            if source is not None and source.config_map_key_ref is not None:
                yield ObjectKey(ConfigMap, namespace, source.config_map_key_ref.name)
            if source is not None and source.secret_key_ref is not None:
                yield ObjectKey(Secret, namespace, source.secret_key_ref.name)


def service_variables(pod: Pod, services: Iterable[Service]) -> dict[str, str]:
    """WEB_SERVICE_HOST etc. for each Service of the pod's namespace, and always for default/kubernetes."""
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
