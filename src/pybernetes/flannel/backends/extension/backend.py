"""extension: an administrator's commands set up the network. flanneld puts nothing into the kernel.

| option | run | environment |
|---|---|---|
| PreStartupCommand | once, before there is a lease; its output is announced to peers | |
| PostStartupCommand | once there is a lease | NETWORK, SUBNET, PUBLIC_IP (IPv6: the same with IPV6_ in front) |
| SubnetAddCommand | for each peer that is added or changes | SUBNET, PUBLIC_IP; stdin: the peer's output |
| SubnetRemoveCommand | for each peer that is removed | the same |
| ShutdownCommand | when the daemon ends, or the backend changes | |

A command is a string for `sh -c`, as in Go flannel, or a list of arguments.
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
        """The output of the PreStartupCommand."""
        return {TEXT: facts[FACT]} if FACT in facts else {}

    def local(self, family: FamilyConfig, own: Lease, underlay: Underlay) -> Desired:
        """The PostStartupCommand does that."""
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
