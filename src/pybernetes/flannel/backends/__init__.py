"""Backends: each says what the kernel should look like so that packets reach a peer's subnet.

Since each peer is reached as its own lease announces, two backends can be in use at once, and switching the network
from one to the other loses no packet. docs/extending/backend.md shows how to add one.
"""

from collections.abc import Mapping, Sequence
from itertools import chain
from typing import Any

from pybernetes.flannel.backends.actor import Actor
from pybernetes.flannel.backends.alloc import ALLOC
from pybernetes.flannel.backends.bgp.backend import BGP
from pybernetes.flannel.backends.contract import Backend, Backends, BackendType
from pybernetes.flannel.backends.extension.backend import EXTENSION
from pybernetes.flannel.backends.host_gw import HOST_GW
from pybernetes.flannel.backends.ipip import IPIP
from pybernetes.flannel.backends.ipsec.backend import IPSEC
from pybernetes.flannel.backends.udp.backend import UDP
from pybernetes.flannel.backends.vxlan import VXLAN
from pybernetes.flannel.backends.wireguard.backend import WIREGUARD
from pybernetes.flannel.kernel.addresses import Addresses
from pybernetes.flannel.kernel.fdb import ForwardingEntries
from pybernetes.flannel.kernel.kind import AnyKind
from pybernetes.flannel.kernel.links import LinkKind
from pybernetes.flannel.kernel.neighbours import Neighbours
from pybernetes.flannel.kernel.routes import Routes
from pybernetes.flannel.leases.lease import FamilyLease, Lease
from pybernetes.flannel.options import FlannelOptions

__all__ = ["BACKENDS", "Backend", "BackendType", "Backends", "actors", "device_kinds", "kernel_kinds", "make", "named"]


def named(*types: BackendType) -> Backends:
    """By name, in order."""
    return {entry.name: entry for entry in types}


#: All backends. Their devices are compared in this order, and their actors run in it; nothing else depends on it.
BACKENDS = named(
    VXLAN,
    HOST_GW,
    IPIP,
    WIREGUARD,
    IPSEC,
    UDP,
    BGP,
    EXTENSION,
    ALLOC,
)

#: Kinds that every backend may use. A route needs its gateway's neighbour entry, and that a forwarding entry.
COMMON: tuple[AnyKind, ...] = (Addresses(), Neighbours(), ForwardingEntries(), Routes())


def kernel_kinds(options: FlannelOptions, backends: Backends = BACKENDS) -> tuple[AnyKind, ...]:
    """All kinds of kernel objects, in the order in which they can be added: devices, entries, the backends' own."""
    own = chain.from_iterable(entry.kinds(options) for entry in backends.values())
    return (*device_kinds(options, backends), *COMMON, *own)


def device_kinds(options: FlannelOptions, backends: Backends = BACKENDS) -> tuple[LinkKind[Any], ...]:
    """The kinds of devices."""
    return tuple(chain.from_iterable(entry.devices(options) for entry in backends.values()))


def actors(options: FlannelOptions, backends: Backends = BACKENDS) -> Sequence[Actor]:
    """What backends run. Each is idle until a backend asks for something."""
    return tuple(chain.from_iterable(entry.actors(options) for entry in backends.values()))


def make(kind: str, options: Mapping[str, Any], backends: Backends = BACKENDS) -> Backend:
    """The backend of a type. Raises ConfigError for bad options."""
    return backends[kind].make(options)


def make_for_peers(kind: str, options: Mapping[str, Any] | None, backends: Backends = BACKENDS) -> Backend:
    """The backend of peers that is not ours; its options are not known if it never was."""
    entry = backends[kind]
    return (entry.make_for_peers or entry.make)(options or {})


def exclusive(backends: Backends, lease: Lease, part: FamilyLease) -> str:
    """What of a lease's backend data no other node may have, in words; empty: nothing."""
    entry = backends.get(lease.backend)
    return entry.exclusive(part) if entry is not None else ""
