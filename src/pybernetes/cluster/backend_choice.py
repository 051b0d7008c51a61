"""Parse and check the backend options that a user gives, before anything is written or created.

The known options come from the backends themselves: an option is known if the backend reads it, and is spelt as in the
backend's documentation. So a new backend needs no change here, except for its requirements on the machine.
"""

import json
import re
import shutil
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from pybernetes.cluster.commands import succeeds
from pybernetes.cluster.errors import ConfigError
from pybernetes.flannel import config as network_config
from pybernetes.flannel.backends import BACKENDS

#: Options of Go flannel that our backend ignores.
_PASSED_OVER = {"vxlan": ("macprefix",)}
#: Names that are more than one capital letter.
_SPELT = {"gbp": "GBP", "macprefix": "MacPrefix"}
_SECRETS = frozenset({"psk"})
_HIDDEN = "(not shown)"


class _Recorded(dict[str, Any]):
    """Options that record which of them a backend reads."""

    def __init__(self, options: Mapping[str, Any]) -> None:
        super().__init__(options)
        self.names: dict[str, None] = {}

    def get(self, key: str, default: Any = None) -> Any:
        self.names[key] = None
        return super().get(key, default)

    def __contains__(self, key: object) -> bool:
        self.names[str(key)] = None
        return super().__contains__(key)


def parse_options(settings: Iterable[str], flag: str = "--option") -> dict[str, Any]:
    """Parse `VNI=2`, `RouteReflectors=["a"]`, `PSK=@FILE`: numbers, true/false and lists as JSON, the rest as text.

    Raises ConfigError.
    """
    parsed: dict[str, Any] = {}
    for setting in settings:
        key, equals, text = setting.partition("=")
        if not key or not equals:
            shown = key if key.lower() in _SECRETS else setting
            raise ConfigError(f"{flag} {shown!r} is not KEY=VALUE; write one such as DirectRouting=true")
        if key.lower() in (known.lower() for known in parsed):
            raise ConfigError(f"{flag} {key} is given twice")
        if text.startswith("@"):
            text = _content(flag, key, Path(text[1:]))
        try:
            value = json.loads(text)
        except ValueError:
            value = text
        parsed[key] = value if isinstance(value, bool | int | list) and key.lower() not in _SECRETS else text
    return parsed


def _content(flag: str, key: str, path: Path) -> str:
    try:
        return path.read_text().strip()
    except (OSError, ValueError) as error:
        raise ConfigError(f"{flag} {key}=@{path}: cannot read the file: {error}") from error


def document(backend: str, options: Mapping[str, Any]) -> dict[str, Any]:
    """The `Backend` of a network config. Raises ConfigError for an unknown type or option."""
    kind = backend.lower()
    if kind not in BACKENDS:
        raise ConfigError(f"Backend.Type must be one of {', '.join(sorted(BACKENDS))}; found {backend!r:.60}")
    recorded = _Recorded({key.lower(): value for key, value in options.items()})
    try:
        BACKENDS[kind].make(recorded)
    except network_config.ConfigError as error:
        raise ConfigError(str(error)) from error
    known = {name: _spelt(kind, name) for name in (*recorded.names, *_PASSED_OVER.get(kind, ()))}
    for key in options:
        if key.lower() not in known:
            there = f"it has {', '.join(known.values())}" if known else "it has none"
            raise ConfigError(f"backend {kind} has no option {key!r}; {there}")
    return {"Type": kind, **{known[key.lower()]: value for key, value in options.items()}}


def _spelt(kind: str, name: str) -> str:
    """The option's name as the backend's documentation spells it."""
    text = BACKENDS[kind].documentation
    found = re.findall(rf"\b{re.escape(name)}\b", text, re.IGNORECASE)
    return next((word for word in found if word != name), _SPELT.get(name, name.capitalize()))


def shown(options: Mapping[str, Any]) -> dict[str, Any]:
    """The options without secrets, for output."""
    return {key: _HIDDEN if key.lower() in _SECRETS else value for key, value in options.items()}


def is_secret(options: Mapping[str, Any]) -> bool:
    """Whether a file with these options must be readable by its owner only."""
    return any(key.lower() in _SECRETS for key in options)


def _makes(*link: str) -> Callable[[], bool]:
    """Whether the kernel can create such a link; tried in a namespace that ends with the command."""
    return lambda: succeeds(["unshare", "--net", "ip", "link", "add", "pybtest0", "type", *link])


#: What a backend needs on the machine: (check, what is missing, the command that installs it).
_NEEDS: dict[str, tuple[Callable[[], bool], str, str]] = {
    "vxlan": (_makes("vxlan", "id", "1", "dstport", "8472"), "the kernel lacks vxlan", "modprobe vxlan"),
    "ipip": (_makes("ipip", "local", "127.0.0.1"), "the kernel lacks ipip", "modprobe ipip"),
    "wireguard": (_makes("wireguard"), "the kernel lacks wireguard", "modprobe wireguard"),
    "ipsec": (
        _makes("xfrm", "dev", "lo", "if_id", "1"),
        "the kernel lacks xfrm_interface",
        "modprobe -a xfrm_interface esp4",
    ),
    "udp": (Path("/dev/net/tun").exists, "there is no /dev/net/tun", "modprobe tun"),
    "bgp": (lambda: shutil.which("bird") is not None, "BIRD 2 is not installed", "apt-get install bird2"),
}


def require(
    kind: str, named: str = "backend", needs: Mapping[str, tuple[Callable[[], bool], str, str]] = _NEEDS
) -> None:
    """Raise ConfigError if nodes on this machine cannot use the backend. `named` introduces it in the message."""
    there, missing, fix = needs.get(kind, (lambda: True, "", ""))
    if not there():
        raise ConfigError(
            f"{named} {kind} cannot be used here: {missing}; fix it with: {fix}, or choose another, such as vxlan"
        )


def checked(kind: str, settings: Iterable[str]) -> dict[str, Any]:
    """For `up`: the options of a backend that works here, with their documented spelling. Raises ConfigError."""
    found = document(kind, parse_options(settings, "--backend-option"))
    require(kind, "--backend")
    return {key: value for key, value in found.items() if key != "Type"}
