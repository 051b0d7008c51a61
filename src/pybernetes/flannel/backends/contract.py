"""What a backend is: the contract that each entry of the list in `backends/__init__.py` fulfils.

A backend is pure. It never touches the kernel: the reconciler compares what it returns with what is there. What it
runs besides (a process that moves packets, a routing daemon, commands) is an `Actor`.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from pybernetes.flannel.backends.actor import Actor
from pybernetes.flannel.config import FamilyConfig
from pybernetes.flannel.kernel.desired import Desired, Device
from pybernetes.flannel.kernel.kind import AnyKind
from pybernetes.flannel.kernel.links import LinkKind
from pybernetes.flannel.leases.lease import FamilyLease, Lease, Underlay
from pybernetes.flannel.options import FlannelOptions

Options = Mapping[str, Any]
"""The backend's options from the network config, keys in lower case."""


class Backend(Protocol):
    """One way to reach peers, with its options. Subclass it: only `local` and `peer` have no default."""

    mtu: int | None = None
    """Backend.MTU: the MTU of the device; 0: what the underlay leaves. None: the backend has no such option."""
    port: int = 0
    """The UDP port on which it receives; 0: it uses none."""

    def describe(self) -> str:
        """For the log, once; empty: nothing to log."""
        return ""

    def announce(self, version: int, facts: Mapping[str, str]) -> dict[str, Any]:
        """The backend data of this node's lease. `facts`: the MAC of `announced_device`, and what actors found out."""
        return {}

    def announced_device(self, version: int) -> str:
        """Name of the device whose MAC peers must know; empty: none."""
        return ""

    def overhead(self, version: int) -> int:
        """Bytes that encapsulation takes from the underlay's MTU."""
        return 0

    def local(self, family: FamilyConfig, own: Lease, underlay: Underlay) -> Desired:
        """What this node needs to receive and to send, without any peer."""
        ...

    def peer(self, family: FamilyConfig, own: Lease, peer: Lease, underlay: Underlay) -> Desired:
        """What this node needs to reach one peer."""
        ...

    def across_peers(self, family: FamilyConfig, own: Lease, peers: Sequence[Lease], underlay: Underlay) -> Desired:
        """What depends on all peers together, also on those that announce another backend."""
        return Desired()


def _none(options: FlannelOptions) -> tuple[()]:
    return ()


@dataclass(frozen=True, slots=True, kw_only=True)
class BackendType:
    """An entry of the list: a backend with all that it brings along."""

    name: str
    """As in `Backend.Type` and in leases."""
    make: Callable[[Options], Backend]
    """Raises ConfigError for bad options."""
    make_for_peers: Callable[[Options], Backend] | None = None
    """For peers that use it while this node's config may never have named it; None: `make`."""
    devices: Callable[[FlannelOptions], Sequence[LinkKind[Any]]] = _none
    """The kinds of devices that it needs."""
    kinds: Callable[[FlannelOptions], Sequence[AnyKind]] = _none
    """Further kinds of kernel objects, besides addresses, neighbours, forwarding entries and routes."""
    actors: Callable[[FlannelOptions], Sequence[Actor]] = _none
    """What it runs. Each is idle until the desired state asks for something."""
    exclusive: Callable[[FamilyLease], str] = lambda part: ""
    """What of a lease's backend data no other node may have, in words; empty: nothing."""
    lingering: tuple[type[Device], ...] = ()
    """Devices whose name depends on an option: one that was replaced stays while packets may still arrive by it."""

    @property
    def documentation(self) -> str:
        """The docstring of the backend's module, which lists its options."""
        return sys.modules[self.make.__module__].__doc__ or ""


Backends = Mapping[str, BackendType]
"""Backend types by name, in the order of the list."""
