"""What the kernel should look like: plain values, each with the reason it is there. Names, never indexes."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import chain
from typing import TypeVar

from pybernetes.flannel.leases.lease import Lease
from pybernetes.linux.wireguard import Endpoint

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class VxlanLink:
    """A VXLAN device."""

    name: str
    vni: int
    port: int
    local: str
    """Outer source address."""
    underlay: str
    """Name of the interface that carries the outer packets."""
    mtu: int
    mac: str
    learning: bool = False
    gbp: bool = False
    reason: str = field(default="", compare=False)


@dataclass(frozen=True, slots=True)
class TunLink:
    """A TUN device, which a process of ours reads and writes."""

    name: str
    mtu: int
    reason: str = field(default="", compare=False)


@dataclass(frozen=True, slots=True)
class IpipLink:
    """A tunnel of IPv4 in IPv4 to whatever gateway a route names."""

    name: str
    local: str
    """Outer source address."""
    mtu: int
    reason: str = field(default="", compare=False)


@dataclass(frozen=True, slots=True)
class WireguardLink:
    """A WireGuard device. Its private key is no part of the desired state: it comes from the node's key file."""

    name: str
    port: int
    """UDP port that it listens on."""
    mtu: int
    reason: str = field(default="", compare=False)


@dataclass(frozen=True, slots=True)
class WireguardPeer:
    """A peer of a WireGuard device."""

    link: str
    public_key: str
    endpoint: Endpoint
    allowed: tuple[str, ...]
    """Networks behind it."""
    keepalive: int = 0
    psk: str = field(default="", repr=False)
    reason: str = field(default="", compare=False)


@dataclass(frozen=True, slots=True)
class XfrmLink:
    """An xfrm interface: what is sent through it is encrypted by the IPsec policies with its id, or dropped."""

    name: str
    if_id: int
    mtu: int
    reason: str = field(default="", compare=False)


@dataclass(frozen=True, slots=True)
class LinkAddress:
    """An address on a link of ours."""

    link: str
    cidr: str
    reason: str = field(default="", compare=False)


@dataclass(frozen=True, slots=True)
class PeerRoute:
    """A route to a peer's subnet."""

    dst: str
    gateway: str
    """Empty: everything is behind the link itself."""
    link: str
    onlink: bool = False
    reason: str = field(default="", compare=False)
    kind: str = "unicast"
    """`blackhole` has neither gateway nor link, and is used where nothing better is known."""


@dataclass(frozen=True, slots=True)
class Neighbour:
    """Which MAC stands behind an address on a link of ours."""

    link: str
    ip: str
    mac: str
    reason: str = field(default="", compare=False)


@dataclass(frozen=True, slots=True)
class Forwarding:
    """Which remote address a VXLAN device sends frames for a MAC to."""

    link: str
    mac: str
    dst: str
    reason: str = field(default="", compare=False)


@dataclass(frozen=True, slots=True)
class UdpEnd:
    """This node's end of the udp backend: what the proxy is told."""

    tun: str
    local: str
    port: int
    mtu: int
    network: str


@dataclass(frozen=True, slots=True)
class UdpPeer:
    """A peer's end: the proxy sends there what goes to the subnet."""

    subnet: str
    ip: str
    port: int
    reason: str = field(default="", compare=False)


@dataclass(frozen=True, slots=True)
class HookPeer:
    """A peer that commands of the administrator see to."""

    subnet: str
    ip: str
    data: str
    """What the peer's own PreStartupCommand printed."""
    reason: str = field(default="", compare=False)


@dataclass(frozen=True, slots=True)
class BgpSpeaker:
    """This node as a BGP speaker, for one family: what BIRD is told."""

    network: str
    """Nothing outside is accepted or announced."""
    subnet: str
    """What we announce."""
    address: str
    asn: int
    restart: int
    """For how many seconds peers keep our routes while our BIRD is away."""


@dataclass(frozen=True, slots=True)
class BgpSession:
    """Somebody whom BIRD talks to."""

    node: str
    address: str
    asn: int
    local: str
    client: bool = False
    """We reflect routes for it."""
    cluster: str = ""
    """The ID that we have in common with other reflectors; empty: BIRD takes our router ID."""
    outside: bool = False
    """It is no node."""
    direct: bool = True
    """On our segment."""
    password: str = field(default="", repr=False)
    reason: str = field(default="", compare=False)


@dataclass(frozen=True, slots=True)
class LearnedRoute:
    """A destination whose route BIRD is to bring. A route of ours stays until then."""

    dst: str
    reason: str = field(default="", compare=False)


@dataclass(frozen=True, slots=True)
class IpsecEnd:
    """What charon needs to know for all peers."""

    psk: str = field(repr=False)
    proposal: str
    encap: bool
    """ESP in UDP in any case."""


@dataclass(frozen=True, slots=True)
class IpsecPeer:
    """An ESP tunnel to a peer."""

    node: str
    local: str
    """The tunnel's address here; `identity` is the one that peers know, which may be a NAT's."""
    identity: str
    remote: str
    near: str
    """Our subnet; `far` is theirs."""
    far: str
    link: str
    if_id: int
    reason: str = field(default="", compare=False)


@dataclass(frozen=True, slots=True)
class Desired:
    """All of it. `problems` are sentences about what could not be fulfilled, each naming its cause."""

    links: tuple[VxlanLink, ...] = ()
    tuns: tuple[TunLink, ...] = ()
    ipips: tuple[IpipLink, ...] = ()
    wireguards: tuple[WireguardLink, ...] = ()
    wireguard_peers: tuple[WireguardPeer, ...] = ()
    xfrms: tuple[XfrmLink, ...] = ()
    ipsec_ends: tuple[IpsecEnd, ...] = ()
    ipsec_peers: tuple[IpsecPeer, ...] = ()
    addresses: tuple[LinkAddress, ...] = ()
    routes: tuple[PeerRoute, ...] = ()
    neighbours: tuple[Neighbour, ...] = ()
    forwarding: tuple[Forwarding, ...] = ()
    udp_ends: tuple[UdpEnd, ...] = ()
    udp_peers: tuple[UdpPeer, ...] = ()
    hooks: tuple[HookPeer, ...] = ()
    speakers: tuple[BgpSpeaker, ...] = ()
    sessions: tuple[BgpSession, ...] = ()
    learned: tuple[LearnedRoute, ...] = ()
    problems: tuple[str, ...] = ()

    @property
    def devices(self) -> tuple[VxlanLink | TunLink | IpipLink | WireguardLink | XfrmLink, ...]:
        """Links of every kind."""
        return (*self.links, *self.tuns, *self.ipips, *self.wireguards, *self.xfrms)


def last_resort(own: Lease) -> Desired:
    """What goes to this node's subnet while no bridge has it ends here, and not at the default gateway and back."""
    reason = "own subnet, while no bridge has it"
    return Desired(
        routes=tuple(PeerRoute(str(f.subnet), "", "", kind="blackhole", reason=reason) for f in own.families)
    )


def merge(parts: Iterable[Desired]) -> Desired:
    """The union of several, in order, each object once."""
    items = list(parts)
    return Desired(
        links=_union([p.links for p in items]),
        tuns=_union([p.tuns for p in items]),
        ipips=_union([p.ipips for p in items]),
        wireguards=_union([p.wireguards for p in items]),
        wireguard_peers=_union([p.wireguard_peers for p in items]),
        xfrms=_union([p.xfrms for p in items]),
        ipsec_ends=_union([p.ipsec_ends for p in items]),
        ipsec_peers=_union([p.ipsec_peers for p in items]),
        addresses=_union([p.addresses for p in items]),
        routes=_union([p.routes for p in items]),
        neighbours=_union([p.neighbours for p in items]),
        forwarding=_union([p.forwarding for p in items]),
        udp_ends=_union([p.udp_ends for p in items]),
        udp_peers=_union([p.udp_peers for p in items]),
        hooks=_union([p.hooks for p in items]),
        speakers=_union([p.speakers for p in items]),
        sessions=_union([p.sessions for p in items]),
        learned=_union([p.learned for p in items]),
        problems=_union([p.problems for p in items]),
    )


def _union(groups: Iterable[tuple[T, ...]]) -> tuple[T, ...]:
    return tuple(dict.fromkeys(chain.from_iterable(groups)))
