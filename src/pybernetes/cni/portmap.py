"""portmap: a port of the node leads to a port of the pod (`hostPort`). Always last in a chain of plugins.

Most pods have no host port, and the runtime calls all the same: then nothing is loaded and nothing is run, and the
result goes on as it came. The rest is in `port_mapping`.
"""

from __future__ import annotations

from pybernetes.cni import spec


def add(call: spec.Call) -> spec.Json:
    """Map the ports, forget old UDP flows to them, pass the result on."""
    result = spec.previous_result(call, needed="portmap")
    if call.runtime.get("portMappings"):
        from pybernetes.cni import port_mapping

        port_mapping.add(call, result)
    return result


def delete(call: spec.Call) -> None:
    """Remove the attachment's rules of either backend: it may have been made under another configuration."""
    if call.runtime.get("portMappings"):
        from pybernetes.cni import port_mapping

        port_mapping.delete(call)


def check(call: spec.Call) -> None:
    if call.runtime.get("portMappings"):
        from pybernetes.cni import port_mapping

        port_mapping.check(call, spec.previous_result(call, needed="CHECK"))


def gc(call: spec.Call) -> None:
    from pybernetes.cni import port_mapping

    port_mapping.gc(call)


def status(call: spec.Call) -> None:
    """Ready when the settings make sense and the tool that carries them out is there."""
    from pybernetes.cni import port_mapping

    port_mapping.status(call)
