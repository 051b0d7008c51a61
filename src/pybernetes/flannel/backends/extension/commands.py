"""The commands of the extension backend, and the peers for which they run, as values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pybernetes.flannel.config import ConfigError

NAME = "extension"
"""The backend's type."""
FACT = "extension"
"""The fact that holds the output of the PreStartupCommand."""


@dataclass(frozen=True, slots=True)
class Commands:
    """Argument lists; an empty one: the command was not given."""

    pre_startup: tuple[str, ...]
    post_startup: tuple[str, ...]
    subnet_add: tuple[str, ...]
    subnet_remove: tuple[str, ...]
    shutdown: tuple[str, ...]

    @classmethod
    def read(cls, options: Mapping[str, Any]) -> Commands:
        """From the backend's options. Raises ConfigError."""
        names = ("PreStartupCommand", "PostStartupCommand", "SubnetAddCommand", "SubnetRemoveCommand",
                 "ShutdownCommand")  # fmt: skip
        return cls(*(_command(options, name) for name in names))


def _command(options: Mapping[str, Any], name: str) -> tuple[str, ...]:
    value = options.get(name.lower(), "")
    if isinstance(value, str):
        return ("sh", "-c", value) if value else ()
    if isinstance(value, list) and value and all(isinstance(word, str) for word in value):
        return tuple(value)
    raise ConfigError(f"Backend.{name} must be a string for sh -c or a list of strings, found {str(value)[:60]!r}")


@dataclass(frozen=True, slots=True)
class HookPeer:
    """A peer for the commands."""

    subnet: str
    ip: str
    data: str
    """What the peer's own PreStartupCommand printed."""
    reason: str = field(default="", compare=False)
