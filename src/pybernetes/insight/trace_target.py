"""Resolve the arguments of `trace`: a port, and a pod, a Service or an address. Pure."""

import ipaddress
import re

from pybernetes.api.core.pod import Pod
from pybernetes.api.core.service import Service
from pybernetes.cluster.errors import ConfigError
from pybernetes.insight.trace import Target

_PORT = re.compile(r"(\d{1,5})(?:/(tcp|udp|sctp))?", re.IGNORECASE)


def parse_port(text: str) -> tuple[int, str]:
    """`53/udp` -> (53, udp); the protocol is empty if none is given. Raises ConfigError."""
    found = _PORT.fullmatch(text)
    if found is None or not 0 < int(found[1]) < 65536:
        raise ConfigError(f"--port {text!r} is not a port; write one such as 80 or 53/udp")
    return int(found[1]), (found[2] or "").lower()


def resolve(text: str, port: tuple[int, str], namespace: str, pods: list[Pod], services: list[Service]) -> Target:
    """Resolve TARGET: an address, `pod/NAME`, `service/NAME`, NAME, `NAME.NAMESPACE[.svc...]`. Raises ConfigError.

    A bare name is a Service, or if there is none of that name, a pod.
    """
    number, protocol = port
    try:
        ip = str(ipaddress.ip_address(text))
    except ValueError:
        ip = ""
    if ip:
        owner = next((s for s in services if ip in (s.spec.cluster_ips or [s.spec.cluster_ip])), None)
        return _of_service(owner, port) if owner is not None else Target(ip, ip, protocol or "tcp", number)
    kind, slash, name = text.partition("/")
    if not slash:
        kind, name = "", text
    if kind in ("", "service", "services", "svc"):
        labels = name.split(".")
        wanted = (labels[1] if len(labels) > 1 else namespace, labels[0])
        service = next((s for s in services if (s.metadata.namespace, s.metadata.name) == wanted), None)
        if service is not None:
            return _of_service(service, port)
    if kind in ("", "pod", "pods", "po"):
        pod = next((p for p in pods if (p.metadata.namespace, p.metadata.name) == (namespace, name)), None)
        if pod is not None:
            if not pod.status.pod_ip:
                raise ConfigError(f"pod {namespace}/{name} has no address yet (it is {pod.status.phase or 'new'})")
            return Target(pod.status.pod_ip, f"pod {namespace}/{name}", protocol or "tcp", number)
    raise ConfigError(
        f"{text!r} is not an address, and namespace {namespace!r} has no Service or pod of that name; write an "
        "address, pod/NAME, service/NAME, or NAME.NAMESPACE for a Service in another namespace"
    )


def _of_service(service: Service, port: tuple[int, str]) -> Target:
    name = f"Service {service.metadata.namespace}/{service.metadata.name}"
    ip = service.spec.cluster_ip
    if not ip or ip == "None":
        raise ConfigError(f"{name} has no cluster IP (it is headless or an ExternalName): trace to a pod instead")
    number, protocol = port
    chosen = next(
        (
            p
            for p in service.spec.ports
            if (not number or p.port == number) and (not protocol or (p.protocol or "TCP").lower() == protocol)
        ),
        None,
    )
    if chosen is not None:
        return Target(ip, name, (chosen.protocol or "TCP").lower(), chosen.port)
    return Target(ip, name, protocol or "tcp", number)
