"""The entry of every plugin: read the call, run it, print the result or the error object, leave.

Leaves through _exit, since tidying up an interpreter that is about to vanish takes a millisecond.
"""

from __future__ import annotations

import posix
import sys

from pybernetes.cni import errors, spec
from pybernetes.cni.errors import CniError
from pybernetes.linux import fastjson
from pybernetes.linux.errors import LinuxError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import ModuleType

# Launcher name -> module. `install` writes one launcher for each.
PLUGINS = {
    "flannel": "flannel",
    "bridge": "bridge",
    "host-local": "host_local",
    "portmap": "portmap",
    "loopback": "loopback",
    "ptp": "ptp",
    "macvlan": "macvlan",
    "ipvlan": "macvlan",
    "static": "static",
    "tuning": "tuning",
    "bandwidth": "bandwidth",
}


def main(plugin: str) -> None:
    """Run as a process: standard input and environment in, standard output and exit code out."""
    environ = {k.decode(): v.decode("utf-8", "surrogateescape") for k, v in posix.environ.items() if k[:4] == b"CNI_"}
    output, code = run(plugin, environ, _read_all(0))
    _write_all(1, output.encode("utf-8", "replace"))
    posix._exit(code)


def run(plugin: str, environ: Mapping[str, str], stdin: bytes) -> tuple[str, int]:
    """(standard output, exit code) of one call."""
    version = spec.NEWEST
    try:
        config = _decode(stdin, environ)
        if isinstance(config, dict) and isinstance(config.get("cniVersion"), str):
            version = config["cniVersion"]
        call = spec.read_call(environ, config)
        version = call.version
        if call.command == "VERSION":
            asked = call.config.get("cniVersion")
            spoken = asked if isinstance(asked, str) else spec.NEWEST
            answer: spec.Json = {"cniVersion": spoken, "supportedVersions": list(spec.VERSIONS)}
            return fastjson.dumps(answer), 0
        result = perform(plugin, call)
    except CniError as error:
        return fastjson.dumps(error.to_json(version)) + "\n", 1
    if result is None:
        return "", 0
    return fastjson.dumps(spec.render(result, version)), 0


def perform(plugin: str, call: spec.Call) -> spec.Json | None:
    """Carry out a call with the plugin's module; every failure is a CniError. ADD returns the result."""
    module = load(plugin)
    try:
        match call.command:
            case "ADD":
                result: spec.Json = module.add(call)
                return result
            case "DEL":
                module.delete(call)
            case "CHECK":
                if not call.config.get("prevResult"):
                    raise errors.invalid_config("required prevResult missing")
                module.check(call)
            case "STATUS" | "GC":
                handler = getattr(module, call.command.lower(), None)
                if handler is not None:
                    handler(call)
    except LinuxError as error:
        raise CniError(errors.KERNEL_REFUSED, f"plugin type={plugin!r} failed ({call.command}): {error}") from error
    except OSError as error:
        raise CniError(errors.IO_FAILURE, f"plugin type={plugin!r} failed ({call.command}): {error}") from error
    except (ValueError, TypeError, KeyError, AttributeError, IndexError) as error:
        # The configuration is free-form JSON: a value of the wrong type surfaces where it is first used.
        text = f"{type(error).__name__}: {error}"
        raise errors.invalid_config(f"plugin type={plugin!r} cannot use its configuration", text) from error
    return None


def load(plugin: str) -> ModuleType:
    """The module of a plugin; only the one that is called gets imported."""
    name = f"pybernetes.cni.{PLUGINS[plugin]}"
    __import__(name)
    return sys.modules[name]


def _decode(stdin: bytes, environ: Mapping[str, str]) -> object:
    if not stdin.strip() and environ.get("CNI_COMMAND") == "VERSION":
        return {}
    try:
        return fastjson.loads(stdin)
    except ValueError as error:
        message = "network configuration on standard input is not JSON"
        raise CniError(errors.DECODING_FAILURE, message, str(error)) from error


def _read_all(fd: int) -> bytes:
    chunks = []
    while chunk := posix.read(fd, 1 << 16):
        chunks.append(chunk)
    return b"".join(chunks)


def _write_all(fd: int, data: bytes) -> None:
    while data:
        data = data[posix.write(fd, data) :]
