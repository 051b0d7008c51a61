"""Calls another plugin: in this process if it is in PLUGINS, else as an executable in CNI_PATH."""

from __future__ import annotations

import posix

from pybernetes.cni import errors, result, spec
from pybernetes.cni.errors import CniError
from pybernetes.cni.plugins import PLUGINS, perform
from pybernetes.cni.result import Result
from pybernetes.linux import fastjson, tool
from pybernetes.linux.errors import LinuxError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pybernetes.linux.fastjson import Json

IPAM = ("host-local", "static")
"""The IPAM plugins that run in this process; any other IPAM plugin in CNI_PATH works as well."""


def is_ours(plugin: str) -> bool:
    """Whether a plugin runs in this process."""
    return plugin in PLUGINS


def run(call: spec.Call, plugin: str, config: Json) -> Result:
    """Run `plugin` with `config` for the same attachment and command; the result of ADD, else an empty one."""
    if is_ours(plugin):
        return perform(plugin, call.derive(config)) or Result()
    return _execute(call, plugin, config)


def ipam(call: spec.Call) -> Result:
    """Run the IPAM plugin that the configuration names, for the same command."""
    plugin = call.ipam.text("type")
    if not plugin:
        return Result()
    if is_ours(plugin) and plugin not in IPAM:
        raise errors.invalid_config(f"ipam.type {plugin!r} is no IPAM plugin: expected one of {', '.join(IPAM)}")
    return run(call, plugin, call.config)


def undo_ipam(call: spec.Call) -> None:
    """Release what a failed ADD allocated. Errors are ignored: the one that made ADD fail is reported."""
    undo = call.derive(call.config)
    undo.command = "DEL"
    try:
        ipam(undo)
    except (CniError, LinuxError):
        pass


def _execute(call: spec.Call, plugin: str, config: Json) -> Result:
    if "/" in plugin or "\0" in plugin:
        raise errors.invalid_config(f"invalid plugin type {plugin!r}: a name, not a path")
    path = find(plugin, call.path)
    code, out, err = tool.run_raw(
        [path], stdin=fastjson.dumps(config).encode("utf-8", "replace"), env=environment(call)
    )
    try:
        answer = fastjson.loads(out) if out.strip() else {}
    except ValueError as error:
        text = f"plugin {plugin} printed no JSON"
        raise CniError(errors.DELEGATE_FAILED, text, out.decode(errors="replace")[:400]) from error
    if not isinstance(answer, dict):
        raise CniError(errors.DELEGATE_FAILED, f"plugin {plugin} printed no JSON object")
    if code == 0:
        made = result.read(answer, f"result of plugin {plugin}")
        made.verify()
        return made
    message = answer.get("msg") or err.decode(errors="replace").strip() or f"exited with {code}"
    number = answer.get("code")
    raise CniError(
        number if isinstance(number, int) else errors.DELEGATE_FAILED,
        f"plugin {plugin}: {message}",
        str(answer.get("details") or ""),
    )


def find(plugin: str, search: str) -> str:
    """The executable of a plugin in a CNI_PATH."""
    for directory in search.split(":"):
        path = f"{directory}/{plugin}"
        if directory and posix.access(path, posix.X_OK):
            return path
    raise errors.invalid_config(f"failed to find plugin {plugin!r} in path [{search}]")


def environment(call: spec.Call) -> dict[str, str]:
    """The environment of a delegated call."""
    import os

    env = {
        **os.environ,
        "CNI_COMMAND": call.command,
        "CNI_CONTAINERID": call.container_id,
        "CNI_NETNS": call.netns,
        "CNI_IFNAME": call.ifname,
        "CNI_PATH": call.path,
    }
    if call.args:
        env["CNI_ARGS"] = ";".join(f"{key}={value}" for key, value in call.args.items())
    return env
