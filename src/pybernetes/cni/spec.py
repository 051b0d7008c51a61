"""What goes in and out of a plugin: the call, and the result in each version of the specification.

Inside, a result has the form of the newest version; `render` writes it as the caller's version wants it.
Source: CNI specification 1.1.0 and its older versions down to 0.3.0.
"""

from __future__ import annotations

from pybernetes.cni import errors
from pybernetes.cni.errors import CniError, invalid_config

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    Json = dict[str, Any]

VERSIONS = ("0.3.0", "0.3.1", "0.4.0", "1.0.0", "1.1.0")
NEWEST = VERSIONS[-1]

# What a command needs in its environment; DEL does without CNI_NETNS, the sandbox may be gone.
REQUIRED = {
    "ADD": ("CNI_CONTAINERID", "CNI_NETNS", "CNI_IFNAME", "CNI_PATH"),
    "CHECK": ("CNI_CONTAINERID", "CNI_NETNS", "CNI_IFNAME", "CNI_PATH"),
    "DEL": ("CNI_CONTAINERID", "CNI_IFNAME", "CNI_PATH"),
    "GC": ("CNI_PATH",),
    "STATUS": ("CNI_PATH",),
    "VERSION": (),
}
SINCE = {"CHECK": "0.4.0", "GC": "1.1.0", "STATUS": "1.1.0"}

# Fields that a version does not know are left out of results for it.
_NEW_INTERFACE_FIELDS = ("mtu", "socketPath", "pciID")
_NEW_ROUTE_FIELDS = ("mtu", "advmss", "priority", "table", "scope")

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
        return str(self.config.get("name") or "")

    @property
    def runtime(self) -> Json:
        """What the runtime passes for the capabilities that the plugin declares.

        containerd writes the names inside as its Go structs have them (`HostPort`), which Go's decoder takes as well.
        """
        return {key: _lower_first(value) for key, value in section(self.config, "runtimeConfig").items()}

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
        """GC: the (container, interface) pairs that are to stay."""
        listed = self.config.get("cni.dev/valid-attachments", self.config.get("cni.dev/attachments"))
        if not isinstance(listed, list):
            raise invalid_config("GC needs the list cni.dev/valid-attachments; without it everything would go")
        return {(str(a.get("containerID")), str(a.get("ifname"))) for a in listed if isinstance(a, dict)}


def _lower_first(value: Any) -> Any:
    """The same value with the first letter of every key in lower case."""
    if isinstance(value, dict):
        return {key[:1].lower() + key[1:]: _lower_first(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_lower_first(inner) for inner in value]
    return value


def section(config: Json, key: str) -> Json:
    """An object inside the configuration; empty when absent."""
    value = config.get(key)
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise invalid_config(f"{key}: expected an object, got {type(value).__name__}")
    return value


def read_call(environ: Mapping[str, str], config: object) -> Call:
    """The call that the environment and the decoded standard input describe; CniError when it is not one."""
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
def previous_result(call: Call, *, needed: str = "") -> Json:
    """The result of the plugin before this one, in the inner form. `needed` says what for, if it must be there."""
    previous = call.config.get("prevResult")
    if previous is None and needed:
        raise invalid_config(f"{needed} must be called as chained plugin: prevResult is missing")
    if previous is None:
        return {}
    return read_result(previous, "prevResult")


# What the entries of a result must have.
_IDENTITY = {"interfaces": "name", "ips": "address", "routes": "dst"}


def read_result(result: object, what: str) -> Json:
    """A result that somebody else wrote; DECODING_FAILURE when its form is none. `what` names it."""
    if not isinstance(result, dict):
        raise CniError(errors.DECODING_FAILURE, f"{what}: expected an object")
    for key, name in _IDENTITY.items():
        entries = result.get(key) or []
        if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
            raise CniError(errors.DECODING_FAILURE, f"{what}.{key}: expected a list of objects")
        if not all(isinstance(entry.get(name), str) for entry in entries):
            raise CniError(errors.DECODING_FAILURE, f"{what}.{key}: expected a text {name!r} in each")
    return result


def render(result: Json, version: str) -> Json:
    """The result as the given version of the specification writes it."""
    newest = _order(version) >= (1, 1, 0)
    out: Json = {"cniVersion": version}
    if result.get("interfaces"):
        out["interfaces"] = [_strip(i, () if newest else _NEW_INTERFACE_FIELDS) for i in result["interfaces"]]
    if result.get("ips"):
        out["ips"] = [_render_ip(ip, old=_order(version) < (1, 0, 0)) for ip in result["ips"]]
    if result.get("routes"):
        out["routes"] = [_strip(r, () if newest else _NEW_ROUTE_FIELDS) for r in result["routes"]]
    out["dns"] = result.get("dns") or {}
    return out


def _strip(entry: Json, unknown: tuple[str, ...]) -> Json:
    return {key: value for key, value in entry.items() if key not in unknown and value not in ("", None)}


def _render_ip(ip: Json, old: bool) -> Json:
    out = _strip(ip, ("version",))
    if old:
        out = {"version": "6" if ":" in ip["address"] else "4", **out}
    return out
