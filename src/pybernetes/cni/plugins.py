"""The plugins, by the `type` that a configuration names, and how a call is handed to one of them.

To add a plugin, write a module with the functions of `Plugin` and add one line to PLUGINS.
"""

from __future__ import annotations

import sys

from pybernetes.cni import errors, spec
from pybernetes.cni.errors import CniError
from pybernetes.linux.errors import LinuxError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Protocol

    from pybernetes.cni.result import Result

    class Plugin(Protocol):
        """A module that carries out the commands of the CNI specification.

        Every function raises CniError for what the caller can act on. LinuxError and OSError may pass: they become
        error objects with the codes KERNEL_REFUSED and IO_FAILURE.
        """

        def add(self, call: spec.Call) -> Result:
            """Attach the container. After an error nothing of the attachment may be left."""

        def delete(self, call: spec.Call) -> None:
            """Undo ADD. Succeeds if there is nothing to undo."""

        def check(self, call: spec.Call) -> None:
            """Raise CniError unless the attachment is as `prevResult` says."""

        def status(self, call: spec.Call) -> None:
            """Raise CniError unless ADD could succeed now."""

        def gc(self, call: spec.Call) -> None:
            """Remove what belongs to this network and to none of `call.valid_attachments()`."""


# type -> module. `install` writes a launcher for each; a module is imported when it is called.
PLUGINS = {
    "flannel": "pybernetes.cni.flannel",
    "bridge": "pybernetes.cni.bridge",
    "host-local": "pybernetes.cni.host_local",
    "portmap": "pybernetes.cni.portmap",
    "loopback": "pybernetes.cni.loopback",
    "ptp": "pybernetes.cni.ptp",
    "macvlan": "pybernetes.cni.macvlan",
    "ipvlan": "pybernetes.cni.macvlan",
    "static": "pybernetes.cni.static",
    "tuning": "pybernetes.cni.tuning",
    "bandwidth": "pybernetes.cni.bandwidth",
}


def perform(name: str, call: spec.Call) -> Result | None:
    """Carry out a call with a plugin; every failure is a CniError. ADD returns the result."""
    plugin = load(name)
    try:
        match call.command:
            case "ADD":
                return plugin.add(call)
            case "DEL":
                plugin.delete(call)
            case "CHECK":
                if not call.config.get("prevResult"):
                    raise errors.invalid_config("required prevResult missing")
                plugin.check(call)
            case "STATUS":
                plugin.status(call)
            case "GC":
                plugin.gc(call)
    except CniError:
        raise
    except LinuxError as error:
        raise CniError(errors.KERNEL_REFUSED, f"plugin type={name!r} failed ({call.command}): {error}") from error
    except OSError as error:
        raise CniError(errors.IO_FAILURE, f"plugin type={name!r} failed ({call.command}): {error}") from error
    except Exception as error:
        # The runtime must get an error object whatever happens; the type of the exception points at the fault.
        text = f"{type(error).__name__}: {error}"
        raise CniError(errors.UNEXPECTED, f"plugin type={name!r} failed unexpectedly ({call.command})", text) from error
    return None


def load(name: str) -> Plugin:
    """The module of a plugin; no other one is imported."""
    module = PLUGINS[name]
    __import__(module)
    plugin: Plugin = sys.modules[module]
    return plugin
