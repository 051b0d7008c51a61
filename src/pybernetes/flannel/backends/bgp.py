"""bgp: each node announces its subnet by BGP, and routers between the nodes can learn the way too; no encapsulation.

A BIRD of ours speaks it on every node (`flannel/bgp`). In the kernel, per peer, and put there by BIRD:

| object | value |
|---|---|
| route | `<peer subnet> via <peer public IP, or the router to it> proto bird metric 2070` |

Options:

| key | meaning |
|---|---|
| ASNumber | autonomous system of all nodes, 64512 |
| Mesh | every node talks to every other; true, unless there are RouteReflectors |
| RouteReflectors | names of nodes; the others talk to these only, which pass on what they hear |
| Peers | speakers that are no nodes, such as routers: `[{"Address": "192.0.2.254", "ASNumber": 64600}]` |
| Peers[].Nodes | names of the nodes that talk to it; all, if absent |
| GracefulRestartTime | seconds for which peers keep the routes of a node whose BIRD is away, 1800 |

Within the mesh a node behind a router is reached if the routers know the subnets, as from `Peers`.
"""

import ipaddress
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pybernetes.flannel.backends.options import number
from pybernetes.flannel.config import ConfigError, FamilyConfig, IPAddress
from pybernetes.flannel.desired import BgpSession, BgpSpeaker, Desired, LearnedRoute
from pybernetes.flannel.lease import FamilyLease, Lease, Underlay

#: First of the numbers that are free for private use (RFC 6996), and what such networks mostly take.
DEFAULT_AS = 64512
_MAX_AS = 2**32 - 2
#: The protocol has 12 bits for it (RFC 4724).
_MAX_RESTART = 4095
_PEER_KEYS = ("address", "asnumber", "nodes")


@dataclass(frozen=True, slots=True)
class OutsidePeer:
    """A speaker that is no node."""

    address: IPAddress
    asn: int
    nodes: frozenset[str]
    """Which nodes talk to it; none named: all."""


class Bgp:
    """Routes that BIRD learns."""

    def __init__(self, options: Mapping[str, Any]) -> None:
        self.asn = number(options, "ASNumber", DEFAULT_AS, 1, _MAX_AS)
        self.restart = number(options, "GracefulRestartTime", 1800, 1, _MAX_RESTART)
        self.reflectors = _names(options.get("routereflectors"), "Backend.RouteReflectors")
        self.peers = _peers(options.get("peers"))
        mesh = options.get("mesh")
        if mesh is not None and not isinstance(mesh, bool):
            raise ConfigError(f"Backend.Mesh must be true or false, found {mesh!r:.60}")
        if mesh and self.reflectors:
            raise ConfigError("Backend.Mesh is true and there are RouteReflectors: give one of them only")
        if mesh is False and not (self.reflectors or self.peers):
            raise ConfigError(
                "Backend.Mesh is false: give RouteReflectors or Peers, or nobody learns where this node's pods are"
            )
        self.mesh = mesh is not False and not self.reflectors

    def describe(self) -> str:
        """For the log."""
        how = f"RouteReflectors={','.join(sorted(self.reflectors))}" if self.reflectors else f"Mesh={self.mesh}".lower()
        return f"BGP config: ASNumber={self.asn} {how} Peers={len(self.peers)}"

    def announce(self, version: int, facts: Mapping[str, str]) -> dict[str, Any]:
        """Peers must know our autonomous system."""
        return {"ASNumber": self.asn}

    def overhead(self, version: int) -> int:
        """Nothing is wrapped."""
        return 0

    def local(self, family: FamilyConfig, own: Lease, underlay: Underlay) -> Desired:
        """What we announce, and to whom outside."""
        mine = own.family(family.version)
        if mine is None:
            return Desired()
        speaker = BgpSpeaker(str(family.network), str(mine.subnet), _source(mine, underlay), self.asn, self.restart)
        return Desired(
            speakers=(speaker,),
            sessions=tuple(
                BgpSession(
                    f"peer {peer.address}",
                    str(peer.address),
                    peer.asn,
                    speaker.address,
                    outside=True,
                    direct=underlay.on_segment(peer.address),
                    reason="Backend.Peers",
                )
                for peer in self.peers
                if peer.address.version == family.version and (not peer.nodes or own.node in peer.nodes)
            ),
        )

    def peer(self, family: FamilyConfig, own: Lease, peer: Lease, underlay: Underlay) -> Desired:
        """The route that BIRD is to bring."""
        theirs = peer.family(family.version)
        if theirs is None:
            return Desired()
        problems: tuple[str, ...] = ()
        if not self.peers and not underlay.on_segment(theirs.public_ip):
            problems = (
                f"{peer.node} ({theirs.public_ip}) is behind a router, and Backend.Peers is empty: packets to "
                f"{theirs.subnet} are lost unless the router knows the way; make it a peer, or use vxlan",
            )
        return Desired(learned=(LearnedRoute(str(theirs.subnet), peer.reason),), problems=problems)

    def tell(self, family: FamilyConfig, own: Lease, peers: Sequence[Lease], underlay: Underlay) -> Desired:
        """Sessions with peers, also with those that we reach in another way: they may need our announcement."""
        mine = own.family(family.version)
        if mine is None:
            return Desired()
        reflecting = own.node in self.reflectors
        sessions, problems = [], []
        for peer in peers:
            theirs = peer.family(family.version)
            if theirs is None or not (self.mesh or reflecting or peer.node in self.reflectors):
                continue
            asn = theirs.data.get("ASNumber", self.asn)
            if isinstance(asn, bool) or not isinstance(asn, int) or not 1 <= asn <= _MAX_AS:
                problems.append(f"{peer.node}: lease of {theirs.subnet} has no usable ASNumber: {asn!r:.40}")
                continue
            sessions.append(
                BgpSession(
                    peer.node,
                    str(theirs.public_ip),
                    asn,
                    _source(mine, underlay),
                    client=reflecting and peer.node not in self.reflectors,
                    direct=underlay.on_segment(theirs.public_ip),
                    reason=peer.reason,
                )
            )
        missing = self.reflectors - {own.node, *(peer.node for peer in peers)}
        problems += [f"route reflector {name} has no lease: is its name right?" for name in sorted(missing)]
        return Desired(sessions=tuple(sessions), problems=tuple(problems))


def _source(mine: FamilyLease, underlay: Underlay) -> str:
    """The address to speak from: the one that peers are told, unless it is a NAT's and on no interface of ours."""
    own = [i.ip for i in underlay.addresses if i.version == mine.public_ip.version]
    return str(mine.public_ip if mine.public_ip in own or not own else own[0])


def _names(value: object, key: str) -> frozenset[str]:
    if value is None:
        return frozenset()
    if not isinstance(value, list) or not all(isinstance(name, str) and name for name in value):
        raise ConfigError(f'{key} must be a list of node names such as ["node-1"], found {value!r:.60}')
    return frozenset(value)


def _peers(value: object) -> tuple[OutsidePeer, ...]:
    if value is None:
        return ()
    if not isinstance(value, list):
        example = '[{"Address": "192.0.2.254", "ASNumber": 64600}]'
        raise ConfigError(f"Backend.Peers must be a list such as {example}, found {value!r:.60}")
    found = [_peer(f"Backend.Peers[{place}]", entry) for place, entry in enumerate(value)]
    for place, peer in enumerate(found):
        if peer.address in [other.address for other in found[:place]]:
            raise ConfigError(f"Backend.Peers[{place}].Address {peer.address} is there twice: give each peer once")
    return tuple(found)


def _peer(where: str, entry: object) -> OutsidePeer:
    if not isinstance(entry, dict):
        raise ConfigError(f"{where} must be an object with Address and ASNumber, found {entry!r:.60}")
    keys = {str(key).lower(): value for key, value in entry.items()}
    if unknown := sorted(set(keys) - set(_PEER_KEYS)):
        raise ConfigError(f"{where} has no key {unknown[0]!r}: there are Address, ASNumber and Nodes")
    try:
        address = ipaddress.ip_address(str(keys.get("address")))
    except ValueError as error:
        raise ConfigError(f"{where}.Address must be an address such as 192.0.2.254: {error}") from error
    if address.is_unspecified or address.is_multicast or address.is_loopback or getattr(address, "scope_id", None):
        raise ConfigError(f"{where}.Address {address} is none that a router can have: give one of its interfaces")
    asn = keys.get("asnumber")
    if isinstance(asn, bool) or not isinstance(asn, int) or not 1 <= asn <= _MAX_AS:
        raise ConfigError(f"{where}.ASNumber must lie between 1 and {_MAX_AS}, found {asn!r:.60}")
    return OutsidePeer(address, asn, _names(keys.get("nodes"), f"{where}.Nodes"))
