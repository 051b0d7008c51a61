"""extension: an administrator's commands do what a backend would. Nothing of ours is put into the kernel.

| option | run | told |
|---|---|---|
| PreStartupCommand | once, before there is a lease; what it prints is announced to peers | |
| PostStartupCommand | once there is a lease | NETWORK, SUBNET, PUBLIC_IP (IPv6: the same with IPV6_ in front) |
| SubnetAddCommand | for each peer that comes or changes | SUBNET, PUBLIC_IP; stdin: what the peer announces |
| SubnetRemoveCommand | for each peer that goes | the same |
| ShutdownCommand | when the daemon ends, or another backend takes over | |

A command is a text for `sh -c`, as in the original, or a list of arguments. What it is told is in its environment and
on its standard input.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pybernetes.flannel.config import ConfigError, FamilyConfig
from pybernetes.flannel.kernel.desired import Desired, HookPeer
from pybernetes.flannel.leases.backend_data import TEXT
from pybernetes.flannel.leases.lease import Lease, Underlay

FACT = "extension"
"""The fact that holds the output of the PreStartupCommand."""


@dataclass(frozen=True, slots=True)
class Commands:
    """Argument lists; an empty one is a command that was not given."""

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
    raise ConfigError(f"Backend.{name} must be a text for sh -c or a list of texts, found {str(value)[:60]!r}")


class Extension:
    """Commands."""

    def __init__(self, options: Mapping[str, Any]) -> None:
        self.commands = Commands.read(options)

    def announce(self, version: int, facts: Mapping[str, str]) -> dict[str, Any]:
        """What the PreStartupCommand printed."""
        return {TEXT: facts[FACT]} if FACT in facts else {}

    def overhead(self, version: int) -> int:
        """Unknown to us: as in the original, the interface's MTU is the pods'."""
        return 0

    def local(self, family: FamilyConfig, own: Lease, underlay: Underlay) -> Desired:
        """The PostStartupCommand's business."""
        return Desired()

    def peer(self, family: FamilyConfig, own: Lease, peer: Lease, underlay: Underlay) -> Desired:
        """One peer for the commands."""
        theirs = peer.family(family.version)
        if theirs is None:
            return Desired()
        data = str(theirs.data.get(TEXT, ""))
        return Desired(hooks=(HookPeer(str(theirs.subnet), str(theirs.public_ip), data, peer.reason),))
