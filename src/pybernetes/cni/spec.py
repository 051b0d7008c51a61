"""The input and output of a plugin: the call, and the result in each version of the specification.

Plugins use `Result`, which has everything of the newest version; `render` writes it in the version of the caller.
Source: CNI specification 1.1.0 and its older versions down to 0.3.0.
"""

from __future__ import annotations

from pybernetes.cni import errors, result
from pybernetes.cni.errors import CniError, invalid_config
from pybernetes.cni.settings import Settings

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from pybernetes.cni.result import Result
    from pybernetes.linux.fastjson import Json

VERSIONS = ("0.3.0", "0.3.1", "0.4.0", "1.0.0", "1.1.0")
NEWEST = VERSIONS[-1]

# The required environment of each command. DEL works without CNI_NETNS: the namespace may be gone.
REQUIRED = {
    "ADD": ("CNI_CONTAINERID", "CNI_NETNS", "CNI_IFNAME", "CNI_PATH"),
    "CHECK": ("CNI_CONTAINERID", "CNI_NETNS", "CNI_IFNAME", "CNI_PATH"),
    "DEL": ("CNI_CONTAINERID", "CNI_IFNAME", "CNI_PATH"),
    "GC": ("CNI_PATH",),
    "STATUS": ("CNI_PATH",),
    "VERSION": (),
}
SINCE = {"CHECK": "0.4.0", "GC": "1.1.0", "STATUS": "1.1.0"}

_NAME_CHARS = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-")


class Call:
    """One invocation of a plugin."""

    __slots__ = ("args", "command", "config", "container_id", "ifname", "netns", "path", "version")

    def __init__(
        self,
        command: str,
        config: Json,
        *,
        container_id: str = "",
        netns: str = "",
        ifname: str = "",
        path: str = "",
        args: dict[str, str] | None = None,
    ) -> None:
        self.command = command
        self.config = config
        self.version: str = config.get("cniVersion") or "0.3.0"
        self.container_id = container_id
        self.netns = netns
        self.ifname = ifname
        self.path = path
        self.args = args or {}

    @property
    def network(self) -> str:
        """The name of the network."""
        return self.settings.text("name")

    @property
    def settings(self) -> Settings:
        """The configuration, for typed access."""
        return Settings(self.config)

    @property
    def ipam(self) -> Settings:
        """The `ipam` section."""
        return self.settings.section("ipam")

    @property
    def cni_args(self) -> Settings:
        """`args.cni`: settings of one attachment that an orchestrator adds to the configuration."""
        return self.settings.section("args").section("cni")

    @property
    def runtime(self) -> Settings:
        """What the runtime passes for the capabilities that the plugin declares.

        containerd writes names as in its Go structs (`HostPort`), which Go's decoder also accepts.
        """
        return Settings(self.runtime_json, "runtimeConfig.")

    @property
    def runtime_json(self) -> Json | None:
        """`runtimeConfig` with the first letter of every key below it in lower case."""
        given = self.config.get("runtimeConfig")
        if given is not None and not isinstance(given, dict):
            raise self.settings.wrong("runtimeConfig", "an object")
        return {key: _lower_first(value) for key, value in given.items()} if given else None

    def derive(self, config: Json) -> Call:
        """The same call with another configuration, for a delegate."""
        return Call(
            self.command,
            config,
            container_id=self.container_id,
            netns=self.netns,
            ifname=self.ifname,
            path=self.path,
            args=self.args,
        )

    def valid_attachments(self) -> set[tuple[str, str]]:
        """GC: the (container, interface) pairs that still exist."""
        key = "cni.dev/valid-attachments"
        if not self.settings.has(key):
            key = "cni.dev/attachments"
        if not self.settings.has(key):
            raise invalid_config("GC needs the list cni.dev/valid-attachments; without it, GC would remove everything")
        return {(one.text("containerID"), one.text("ifname")) for one in self.settings.sections(key)}


def _lower_first(value: Any) -> Any:
    """The same value with the first letter of every key in lower case."""
    if isinstance(value, dict):
        return {key[:1].lower() + key[1:]: _lower_first(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_lower_first(inner) for inner in value]
    return value


def read_call(environ: Mapping[str, str], config: object) -> Call:
    """Decode a call from the environment and standard input. Raises CniError."""
    command = environ.get("CNI_COMMAND", "")
    if command not in REQUIRED:
        known = ", ".join(REQUIRED)
        raise CniError(errors.INVALID_ENVIRONMENT, f"unknown CNI_COMMAND: {command!r}", f"expected one of {known}")
    missing = [name for name in REQUIRED[command] if not environ.get(name)]
    if missing:
        text = f"required env variables [{','.join(missing)}] missing"
        raise CniError(errors.INVALID_ENVIRONMENT, text)
    if not isinstance(config, dict):
        raise CniError(errors.DECODING_FAILURE, "network configuration: expected a JSON object on standard input")
    call = Call(
        command,
        config,
        container_id=environ.get("CNI_CONTAINERID", ""),
        netns=environ.get("CNI_NETNS", ""),
        ifname=environ.get("CNI_IFNAME", ""),
        path=environ.get("CNI_PATH", ""),
        args=_read_args(environ.get("CNI_ARGS", "")),
    )
    if command != "VERSION":
        _validate(call)
    return call


def _validate(call: Call) -> None:
    if call.version not in VERSIONS:
        text = f"incompatible CNI versions: config is {call.version!r}, plugin supports {list(VERSIONS)}"
        raise CniError(errors.INCOMPATIBLE_VERSION, text)
    since = SINCE.get(call.command, "")
    if since and _order(call.version) < _order(since):
        text = f"config version {call.version} does not allow {call.command}: it came with {since}"
        raise CniError(errors.INCOMPATIBLE_VERSION, text)
    if not _is_name(call.network):
        raise invalid_config(f"invalid network name {call.network!r}: letters, digits, '_', '.' and '-' only")
    if call.command in ("GC", "STATUS"):
        return
    if not _is_name(call.container_id):
        raise CniError(errors.INVALID_ENVIRONMENT, f"invalid characters in CNI_CONTAINERID {call.container_id!r}")
    name = call.ifname
    if len(name) > 15 or name in (".", "..") or any(c in "/:" or c.isspace() for c in name):
        raise CniError(errors.INVALID_ENVIRONMENT, f"invalid interface name in CNI_IFNAME: {name!r}")


def _is_name(text: str) -> bool:
    return bool(text) and text[0].isalnum() and _NAME_CHARS.issuperset(text)


def _order(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split("."))


def _read_args(text: str) -> dict[str, str]:
    """CNI_ARGS: `K8S_POD_NAMESPACE=default;K8S_POD_NAME=web`."""
    args = {}
    for pair in text.split(";"):
        if pair:
            key, equals, value = pair.partition("=")
            if not equals:
                raise CniError(errors.INVALID_ENVIRONMENT, f"CNI_ARGS: expected KEY=VALUE, got {pair!r}")
            args[key] = value
    return args


# -- results ---------------------------------------------------------------------------------------------
def previous_result(call: Call) -> Result:
    """The result of the plugin before this one in the chain; an empty one if there is none."""
    return result.read(call.config.get("prevResult"), "prevResult")


def required_result(call: Call, what: str) -> Result:
    """The result of the plugin before this one, which must be there for `what`: a plugin or a command."""
    if call.config.get("prevResult") is None:
        raise invalid_config(f"{what} must be called as chained plugin: prevResult is missing")
    return previous_result(call)


def render(made: Result, version: str) -> Json:
    """The result in the given version of the specification."""
    return {"cniVersion": version, **made.to_json(_order(version))}
