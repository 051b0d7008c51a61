"""bgp: each node announces its subnet by BGP, also to routers between the nodes; no encapsulation.

flanneld runs BIRD on every node. In the kernel, per peer, installed by BIRD:

| object | value |
|---|---|
| route | `<peer subnet> via <peer public IP, or the router to it> proto bird metric 2070` |
| its copy | the same with `proto 70 metric 2071`, by flanneld: used while BIRD has no route to a peer with a lease |

Options:

| key | meaning |
|---|---|
| ASNumber | autonomous system of all nodes, 64512 |
| Mesh | every node has a session with every other; true, unless there are reflectors |
| RouteReflectors | names or addresses of nodes; the others have sessions with these only |
| Password | of the sessions between nodes (RFC 2385), up to 80 printable characters; never shown |
| Peers | BGP speakers that are not nodes, such as routers: `[{"Address": "192.0.2.254", "ASNumber": 64600}]` |
| Peers[].Nodes | names of the nodes that have a session with it; all, if absent |
| Peers[].Password | of this session |
| GracefulRestartTime | seconds for which peers keep the routes of a node whose BIRD is not running, 1800 |

With Kubernetes a node is a reflector too if it has the annotation `projectcalico.org/RouteReflectorClusterID`, whose
value (such as 244.0.0.1) is the same for reflectors that back each other up. With the first reflector the mesh ends,
unless Mesh is true.

A node behind a router is reached through the mesh if the routers know the subnets, for example from `Peers`.
"""

import ipaddress
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pybernetes.flannel.backends.actor import Actor
from pybernetes.flannel.backends.bgp.learned import LearnedRoutes
from pybernetes.flannel.backends.bgp.speaker import NAME, BgpSession, BgpSpeaker
from pybernetes.flannel.backends.contract import Backend, BackendType
from pybernetes.flannel.backends.options import number
from pybernetes.flannel.config import ConfigError, FamilyConfig, IPAddress
from pybernetes.flannel.kernel.desired import Desired, LearnedRoute
from pybernetes.flannel.leases.lease import FamilyLease, Lease, Underlay
from pybernetes.flannel.options import FlannelOptions

#: First of the numbers for private use (RFC 6996), and the usual choice.
DEFAULT_AS = 64512
_MAX_AS = 2**32 - 2
#: The protocol has 12 bits for it (RFC 4724).
_MAX_RESTART = 4095
_PEER_KEYS = ("address", "asnumber", "nodes", "password")
#: Key in the backend data: this node is a reflector of the cluster with this ID.
CLUSTER_ID = "RouteReflectorClusterID"
#: What BIRD's config can have between quotation marks, and the kernel accepts as a key.
_PASSWORD = re.compile(r"[ !#-~]{1,80}")


@dataclass(frozen=True, slots=True)
class OutsidePeer:
    """A BGP speaker that is not a node."""

    address: IPAddress
    asn: int
    nodes: frozenset[str]
    """Nodes that have a session with it; empty: all."""
    password: str = field(default="", repr=False)


class Bgp(Backend):
    """Routes that BIRD learns."""

    def __init__(self, options: Mapping[str, Any]) -> None:
        self.asn = number(options, "ASNumber", DEFAULT_AS, 1, _MAX_AS)
        self.restart = number(options, "GracefulRestartTime", 1800, 1, _MAX_RESTART)
        self.reflectors = _names(options.get("routereflectors"), "Backend.RouteReflectors")
        self.peers = _peers(options.get("peers"))
        self.password = _password(options.get("password"), "Backend.Password")
        mesh = options.get("mesh")
        if mesh is not None and not isinstance(mesh, bool):
            raise ConfigError(f"Backend.Mesh must be true or false, found {mesh!r:.60}")
        if mesh and self.reflectors:
            raise ConfigError("Backend.Mesh is true and there are RouteReflectors: give one of them only")
        if mesh is False and not (self.reflectors or self.peers):
            raise ConfigError(
                "Backend.Mesh is false: give RouteReflectors or Peers, or no node learns the route to this node's pods"
            )
        self.mesh: bool | None = mesh
        """Whether every node has a session with every other; None: if there are no reflectors."""

    def describe(self) -> str:
        """For the log."""
        mesh = str(self.mesh is not False).lower()
        how = f"RouteReflectors={','.join(sorted(self.reflectors))}" if self.reflectors else f"Mesh={mesh}"
        return f"BGP config: ASNumber={self.asn} {how} Peers={len(self.peers)}"

    def announce(self, version: int, facts: Mapping[str, str]) -> dict[str, Any]:
        """Peers need our autonomous system."""
        return {"ASNumber": self.asn}

    def local(self, family: FamilyConfig, own: Lease, underlay: Underlay) -> Desired:
        """What we announce, and the sessions with `Peers`."""
        mine = own.family(family.version)
        if mine is None:
            return Desired()
        speaker = BgpSpeaker(str(family.network), str(mine.subnet), _source(mine, underlay), self.asn, self.restart)
        return Desired(
            speaker,
            *(
                BgpSession(
                    f"peer {peer.address}",
                    str(peer.address),
                    peer.asn,
                    speaker.address,
                    outside=True,
                    direct=underlay.on_segment(peer.address),
                    password=peer.password,
                    reason="Backend.Peers",
                )
                for peer in self.peers
                if peer.address.version == family.version and (not peer.nodes or own.node in peer.nodes)
            ),
        )

    def peer(self, family: FamilyConfig, own: Lease, peer: Lease, underlay: Underlay) -> Desired:
        """The route that BIRD installs."""
        theirs = peer.family(family.version)
        if theirs is None:
            return Desired()
        problems: tuple[str, ...] = ()
        if not self.peers and not underlay.on_segment(theirs.public_ip):
            problems = (
                f"{peer.node} ({theirs.public_ip}) is behind a router, and Backend.Peers is empty: packets to "
                f"{theirs.subnet} are lost unless the router has a route; make it a peer, or use vxlan",
            )
        return Desired(LearnedRoute(str(theirs.subnet), peer.reason), problems=problems)

    def across_peers(self, family: FamilyConfig, own: Lease, peers: Sequence[Lease], underlay: Underlay) -> Desired:
        """Sessions with all peers, also those that announce another backend: they may need our routes."""
        mine = own.family(family.version)
        if mine is None:
            return Desired()
        reflectors = {lease.node for lease in (own, *peers) if self._reflects(lease, family.version)}
        mesh = not (reflectors or self.reflectors) if self.mesh is None else self.mesh
        reflecting = own.node in reflectors
        sessions = []
        problems = [*self._unknown((own, *peers)), *_bad_clusters((own, *peers), family.version)]
        for peer in peers:
            theirs = peer.family(family.version)
            if theirs is None or not (mesh or reflecting or peer.node in reflectors):
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
                    client=reflecting and peer.node not in reflectors,
                    cluster=_cluster(mine) if reflecting else "",
                    direct=underlay.on_segment(theirs.public_ip),
                    password=self.password,
                    reason=peer.reason,
                )
            )
        return Desired(*sessions, problems=problems)

    def _reflects(self, lease: Lease, version: int) -> bool:
        part = lease.family(version)
        named = bool(self.reflectors) and not self.reflectors.isdisjoint(_names_of(lease))
        return named or bool(part and _cluster(part))

    def _unknown(self, leases: Sequence[Lease]) -> list[str]:
        """Sentences about reflectors without a lease."""
        missing = self.reflectors.difference(*map(_names_of, leases)) if self.reflectors else ()
        return [f"route reflector {name} has no lease: is its name right?" for name in sorted(missing)]


def _names_of(lease: Lease) -> set[str]:
    """Names by which the options may refer to a node."""
    return {lease.node, *(str(part.public_ip) for part in lease.families)}


def _cluster(part: FamilyLease) -> str:
    """The reflector cluster ID of a node; empty: it is no reflector, or the ID is malformed."""
    found = part.data.get(CLUSTER_ID)
    try:
        return str(ipaddress.IPv4Address(found)) if isinstance(found, str) else ""
    except ValueError:
        return ""


def _bad_clusters(leases: Sequence[Lease], version: int) -> list[str]:
    found = [(lease.node, part) for lease in leases if (part := lease.family(version)) and CLUSTER_ID in part.data]
    return [
        f"{node}: {CLUSTER_ID} must look like 244.0.0.1, found {part.data[CLUSTER_ID]!r:.40}; it is no reflector"
        for node, part in found
        if not _cluster(part)
    ]


def _source(mine: FamilyLease, underlay: Underlay) -> str:
    """Our address of a session: the announced one, unless it belongs to a NAT and is on none of our interfaces."""
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
            raise ConfigError(f"Backend.Peers[{place}].Address {peer.address} is given twice: give each peer once")
    return tuple(found)


def _peer(where: str, entry: object) -> OutsidePeer:
    if not isinstance(entry, dict):
        raise ConfigError(f"{where} must be an object with Address and ASNumber, found {entry!r:.60}")
    keys = {str(key).lower(): value for key, value in entry.items()}
    if unknown := sorted(set(keys) - set(_PEER_KEYS)):
        raise ConfigError(f"{where} has no key {unknown[0]!r}: there are Address, ASNumber, Nodes and Password")
    try:
        address = ipaddress.ip_address(str(keys.get("address")))
    except ValueError as error:
        raise ConfigError(f"{where}.Address must be an address such as 192.0.2.254: {error}") from error
    if address.is_unspecified or address.is_multicast or address.is_loopback or getattr(address, "scope_id", None):
        raise ConfigError(f"{where}.Address {address} can't be a router's: give the address of one of its interfaces")
    asn = keys.get("asnumber")
    if isinstance(asn, bool) or not isinstance(asn, int) or not 1 <= asn <= _MAX_AS:
        raise ConfigError(f"{where}.ASNumber must lie between 1 and {_MAX_AS}, found {asn!r:.60}")
    password = _password(keys.get("password"), f"{where}.Password")
    return OutsidePeer(address, asn, _names(keys.get("nodes"), f"{where}.Nodes"), password)


def _password(value: object, key: str) -> str:
    if value is None or value == "":
        return ""
    if not isinstance(value, str) or not _PASSWORD.fullmatch(value):
        raise ConfigError(f"{key} must have 1 to 80 printable ASCII characters and no quotation mark; it is not shown")
    return value


def _actors(options: FlannelOptions) -> Sequence[Actor]:
    from pybernetes.flannel.backends.bgp.actor import BirdActor

    return (BirdActor(options.subnet_file.parent / "bird", options.netns),)


BGP = BackendType(name=NAME, make=Bgp, kinds=lambda options: (LearnedRoutes(),), actors=_actors)
