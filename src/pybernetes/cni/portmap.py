"""portmap: a port of the node leads to a port of the pod (`hostPort`). Always last in a chain of plugins.

Most pods have no host port, and the runtime calls all the same: then nothing is loaded and nothing is run, and the
result goes on as it came. The rest is in `host_ports`.
"""

from __future__ import annotations

from pybernetes.cni import spec

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pybernetes.cni.result import Result


def add(call: spec.Call) -> Result:
    """Map the ports, forget old UDP flows to them, pass the result on."""
    result = spec.required_result(call, "portmap")
    if call.runtime.sections("portMappings"):
        from pybernetes.cni import host_ports

        host_ports.add(call, result)
    return result


def delete(call: spec.Call) -> None:
    """Remove the attachment's rules of either backend: it may have been made under another configuration."""
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
    """Ready when the settings make sense and the tool that carries them out is there."""
    from pybernetes.cni import host_ports

    host_ports.status(call)
