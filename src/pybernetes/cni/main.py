"""The entry point of every plugin: read the call, run it, print the result or the error object, exit.

Exits through _exit, because finalizing the interpreter takes a millisecond.
"""

from __future__ import annotations

import posix

from pybernetes.cni import errors, plugins, spec
from pybernetes.cni.errors import CniError
from pybernetes.linux import fastjson

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from pybernetes.linux.fastjson import Json


def main(plugin: str) -> None:
    """Run a plugin as a process: reads the environment and standard input, writes standard output, exits."""
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
            answer: Json = {"cniVersion": spoken, "supportedVersions": list(spec.VERSIONS)}
            return fastjson.dumps(answer), 0
        result = plugins.perform(plugin, call)
    except CniError as error:
        return fastjson.dumps(error.to_json(version)) + "\n", 1
    if result is None:
        return "", 0
    return fastjson.dumps(spec.render(result, version)), 0


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
