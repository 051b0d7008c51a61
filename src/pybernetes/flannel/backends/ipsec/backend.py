"""ipsec: pod packets travel encrypted, as ESP in tunnel mode; strongSwan's charon agrees on the keys by IKEv2.

flanneld runs a charon on every node and lets it make the IPsec states. In the kernel, once per family
(`flannel-ipsec` over IPv4, `flannel-ipsec6` over IPv6):

| object | value |
|---|---|
| link | xfrm interface with its own id, MTU = underlay's - 77 (IPv6 - 97; UDPEncap 8 more) |
| address | the subnet's network address, /32 (/128), so that host traffic has a source |

and per peer:

| object | value |
|---|---|
| policies | out, in, fwd between own and peer's subnet, ESP tunnel between the public IPs, for that interface |
| states | two, made and renewed by charon: keys, public IPs, in UDP if UDPEncap |
| route | `<peer subnet> dev flannel-ipsec scope link` |
| route | `blackhole <peer subnet>`, used while that one is missing |

Options:

| key | meaning |
|---|---|
| PSK | preshared key for all, 96 characters or more; required |
| UDPEncap | true: ESP in UDP port 4500 even where no NAT is found |
| ESPProposal | algorithms as strongSwan writes them, aes128gcm16-sha256-prfsha256-ecp256 |

Packets to a peer never leave in clear: the interface drops what no policy and state encrypts (there is no tunnel yet,
or another program flushed them), and without interface or route the blackhole drops it. Only if all our routes are
missing at once would the default route be used, until they are restored. Incoming clear packets are not refused here:
that is for the underlay's firewall, as with all tunnels.

Go flannel has policies for all traffic in place of an interface. Packets on the wire and leases (no backend data) are
the same, so both can share a network. Go flannel supports IPv4 only. Needs the modules xfrm_user,
xfrm_interface, esp4 (esp6), and UDP ports 500 and 4500.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from pybernetes.flannel.backends.actor import Actor
from pybernetes.flannel.backends.contract import Backend, BackendType
from pybernetes.flannel.backends.ipsec.interface import IF_IDS, LINKS, NAME, XfrmDevices, XfrmLink
from pybernetes.flannel.backends.ipsec.policies import IpsecEnd, IpsecPeer, Policies
from pybernetes.flannel.backends.options import flag
from pybernetes.flannel.config import ConfigError, FamilyConfig
from pybernetes.flannel.kernel.desired import Desired, LinkAddress, PeerRoute
from pybernetes.flannel.leases.lease import FamilyLease, Lease, Underlay
from pybernetes.flannel.options import FlannelOptions

DEFAULT_PROPOSAL = "aes128gcm16-sha256-prfsha256-ecp256"
MIN_PSK = 96
#: As in Go flannel: outer header 20, ESP 8, IV 16, padding and trailer 17, checksum 16. AES-GCM needs less: 57.
_OVERHEAD = {4: 77, 6: 97}
_UDP = 8
#: Checksums that are longer than 16 bytes.
_LONGER = {"sha384": 8, "sha512": 16}


class Ipsec(Backend):
    """An ESP tunnel."""

    def __init__(self, options: Mapping[str, Any], *, ours: bool = True) -> None:
        self.encap = flag(options, "UDPEncap")
        self.proposal = options.get("espproposal") or DEFAULT_PROPOSAL
        if not isinstance(self.proposal, str) or not re.fullmatch(r"[a-z0-9_]+(-[a-z0-9_]+)*", self.proposal):
            raise ConfigError(f"Backend.ESPProposal must be such as {DEFAULT_PROPOSAL}, found {self.proposal!r:.60}")
        self.psk = _psk(options.get("psk")) if ours or "psk" in options else ""

    @classmethod
    def of_others(cls, options: Mapping[str, Any]) -> "Ipsec":
        """For a network in which peers use ipsec, while our own config may have no PSK."""
        return cls(options, ours=False)

    def describe(self) -> str:
        """For the log."""
        return f"IPSec config: UDPEncap={self.encap} ESPProposal={self.proposal}".replace("True", "true").replace(
            "False", "false"
        )

    def overhead(self, version: int) -> int:
        """Outer header, ESP with its padding and checksum, UDP."""
        longer = max((extra for name, extra in _LONGER.items() if name in self.proposal.split("-")), default=0)
        return _OVERHEAD[version] + longer + (_UDP if self.encap else 0)

    def local(self, family: FamilyConfig, own: Lease, underlay: Underlay) -> Desired:
        """The interface, its address, and charon's configuration."""
        mine = own.family(family.version)
        if mine is None:
            return Desired()
        name = LINKS[family.version]
        mtu = underlay.mtu - self.overhead(family.version)
        address = f"{mine.subnet.network_address}/{mine.subnet.max_prefixlen}"
        device = XfrmLink(name, IF_IDS[family.version], mtu, "ipsec backend")
        ends = (IpsecEnd(self.psk, self.proposal, self.encap),) if self.psk else ()
        return Desired(device, LinkAddress(name, address, "own subnet's tunnel endpoint"), *ends)

    def peer(self, family: FamilyConfig, own: Lease, peer: Lease, underlay: Underlay) -> Desired:
        """The tunnel and the routes to it."""
        theirs, mine = peer.family(family.version), own.family(family.version)
        if theirs is None or mine is None:
            return Desired()
        dst = str(theirs.subnet)
        entry = IpsecPeer(
            node=peer.node,
            local=_outer(mine, underlay),
            identity=str(mine.public_ip),
            remote=str(theirs.public_ip),
            near=str(mine.subnet),
            far=dst,
            link=LINKS[family.version],
            if_id=IF_IDS[family.version],
            reason=peer.reason,
        )
        routes = (
            PeerRoute(dst, "", LINKS[family.version], reason=peer.reason),
            PeerRoute(dst, "", "", kind="blackhole", reason="nothing may leave unencrypted"),
        )
        # Without a PSK there can be no tunnel yet: the peer got the new config before us.
        return Desired(entry, *routes)


def _outer(mine: FamilyLease, underlay: Underlay) -> str:
    """The tunnel's end here: the announced address, unless it belongs to a NAT and is on none of our interfaces."""
    own = [i.ip for i in underlay.addresses if i.version == mine.public_ip.version]
    return str(mine.public_ip if mine.public_ip in own or not own else own[0])


def _psk(value: object) -> str:
    right = f"Backend.PSK must be a string of at least {MIN_PSK} characters"
    if not isinstance(value, str):
        raise ConfigError(f"{right}; found {'none' if value is None else 'something else, which is not shown'}")
    try:
        length = len(value.encode())
    except UnicodeEncodeError as error:
        raise ConfigError(f"{right} that can be written as UTF-8; found others, which are not shown") from error
    if length < MIN_PSK:
        raise ConfigError(f"{right}; found {length}, which are not shown")
    if length > _MAX_PSK:
        raise ConfigError(f"Backend.PSK must have at most {_MAX_PSK} bytes; found {length}, which are not shown")
    return value


#: The longest value in charon's protocol.
_MAX_PSK = 2**16 - 1


def _actors(options: FlannelOptions) -> Sequence[Actor]:
    from pybernetes.flannel.backends.ipsec.actor import CharonActor

    return (CharonActor(options.subnet_file.parent / "charon", options.netns),)


IPSEC = BackendType(
    name=NAME,
    make=Ipsec,
    make_for_peers=Ipsec.of_others,
    devices=lambda options: (XfrmDevices(),),
    kinds=lambda options: (Policies(),),
    actors=_actors,
)
