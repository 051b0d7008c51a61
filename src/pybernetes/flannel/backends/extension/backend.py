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

from collections.abc import Mapping, Sequence
from typing import Any

from pybernetes.flannel.backends.actor import Actor
from pybernetes.flannel.backends.contract import Backend, BackendType
from pybernetes.flannel.backends.extension.commands import FACT, NAME, Commands, HookPeer
from pybernetes.flannel.config import FamilyConfig
from pybernetes.flannel.kernel.desired import Desired
from pybernetes.flannel.leases.backend_data import TEXT
from pybernetes.flannel.leases.lease import Lease, Underlay
from pybernetes.flannel.options import FlannelOptions


class Extension(Backend):
    """Commands."""

    def __init__(self, options: Mapping[str, Any]) -> None:
        self.commands = Commands.read(options)

    def announce(self, version: int, facts: Mapping[str, str]) -> dict[str, Any]:
        """What the PreStartupCommand printed."""
        return {TEXT: facts[FACT]} if FACT in facts else {}

    def local(self, family: FamilyConfig, own: Lease, underlay: Underlay) -> Desired:
        """The PostStartupCommand's business."""
        return Desired()

    def peer(self, family: FamilyConfig, own: Lease, peer: Lease, underlay: Underlay) -> Desired:
        """One peer for the commands."""
        theirs = peer.family(family.version)
        if theirs is None:
            return Desired()
        data = str(theirs.data.get(TEXT, ""))
        return Desired(HookPeer(str(theirs.subnet), str(theirs.public_ip), data, peer.reason))


def _actors(options: FlannelOptions) -> Sequence[Actor]:
    from pybernetes.flannel.backends.extension.actor import ExtensionActor

    return (ExtensionActor(options.netns),)


EXTENSION = BackendType(name=NAME, make=Extension, actors=_actors)
