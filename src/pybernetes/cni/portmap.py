"""portmap: forwards ports of the node to ports of the pod (`hostPort`). The last plugin in a chain.

The runtime calls it for every pod, and most have no host port: then it loads nothing and passes the result on. The
work is in `host_ports`.
"""

from __future__ import annotations

from pybernetes.cni import spec

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pybernetes.cni.result import Result


def add(call: spec.Call) -> Result:
    """Map the ports, delete old UDP flows to them, pass the result on."""
    result = spec.required_result(call, "portmap")
    if call.runtime.sections("portMappings"):
        from pybernetes.cni import host_ports

        host_ports.add(call, result)
    return result


def delete(call: spec.Call) -> None:
    """Remove the attachment's rules of both backends: it may have been added with another configuration."""
    if call.runtime.sections("portMappings"):
        from pybernetes.cni import host_ports

        host_ports.delete(call)


def check(call: spec.Call) -> None:
    if call.runtime.sections("portMappings"):
        from pybernetes.cni import host_ports

        host_ports.check(call, spec.required_result(call, "CHECK"))


def gc(call: spec.Call) -> None:
    from pybernetes.cni import host_ports

    host_ports.gc(call)


def status(call: spec.Call) -> None:
    """Ready when the configuration is valid and the backend's tool is installed."""
    from pybernetes.cni import host_ports

    host_ports.status(call)
