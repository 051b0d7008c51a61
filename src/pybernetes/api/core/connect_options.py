"""The options of requests that connect to a pod, a service or a node, for admission of exec, attach and proxy.

They have no metadata and are never stored: clients send them as query parameters.
"""

from pybernetes.api.meta import Struct


class PodExecOptions(Struct, kw_only=True):
    """Options of pods/exec."""

    kind: str = "PodExecOptions"
    api_version: str = "v1"
    stdin: bool = False
    stdout: bool = False
    stderr: bool = False
    tty: bool = False
    container: str = ""
    command: list[str] = []


class PodAttachOptions(Struct, kw_only=True):
    """Options of pods/attach."""

    kind: str = "PodAttachOptions"
    api_version: str = "v1"
    stdin: bool = False
    stdout: bool = False
    stderr: bool = False
    tty: bool = False
    container: str = ""


class PodPortForwardOptions(Struct, kw_only=True):
    """Options of pods/portforward."""

    kind: str = "PodPortForwardOptions"
    api_version: str = "v1"
    ports: list[int] = []


class ProxyOptions(Struct, kw_only=True):
    """Options of pods/proxy, services/proxy and nodes/proxy, whose `kind` differs."""

    kind: str
    api_version: str = "v1"
    path: str = ""
