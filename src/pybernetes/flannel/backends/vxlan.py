"""vxlan: pod packets travel between nodes in UDP, through a kernel VXLAN device on each node.

In the kernel, once per family (`flannel.<VNI>` for IPv4, `flannel-v6.<VNI>` for IPv6):

| object | value |
|---|---|
| link | vxlan, id VNI, UDP port 8472, local = the interface's own IP, no learning, MTU = underlay's - 50 (IPv6: - 70) |
| address | the subnet's network address, /32 (/128), so that host traffic has a source |

and per peer:

| object | value |
|---|---|
| route | `<peer subnet> via <its network address> dev flannel.1 onlink` |
| neighbour | `<its network address> lladdr <VtepMAC> permanent` |
| FDB entry | `<VtepMAC> dst <public IP> self permanent` |

So the kernel never has to resolve anything: the route gives the next hop, the neighbour its MAC, the FDB entry the
outer address. With DirectRouting, peers on the same segment get a plain route instead, as with host-gw.

What a change of options costs while pods communicate:

| option | what happens | lost packets |
|---|---|---|
| VNI | there is a device for each VNI that a peer announces; the old one lingers | none |
| DirectRouting, MTU, Learning | routes and device are changed in place | none |
| GBP | the device is replaced, since the kernel can't change it or have both | for some 50 ms |
| Port | the same; leases do not contain it, as in Go flannel | all, until both ends have it |
"""

import errno
import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from pybernetes.flannel.backends.contract import Backend, BackendType
from pybernetes.flannel.backends.options import behind_nat, flag, mtu, number
from pybernetes.flannel.config import FamilyConfig
from pybernetes.flannel.kernel.desired import Desired, Device, Forwarding, LinkAddress, Neighbour, PeerRoute, merge
from pybernetes.flannel.kernel.kind import Recovery
from pybernetes.flannel.kernel.links import LinkKind
from pybernetes.flannel.kernel.observed import Observed
from pybernetes.flannel.leases.lease import FamilyLease, Lease, Underlay
from pybernetes.flannel.leases.vtep import VTEP_MAC, is_unicast
from pybernetes.linux import link
from pybernetes.linux.errors import Missing
from pybernetes.linux.link import Link
from pybernetes.linux.rtnl import Netlink

DEFAULT_VNI = 1
DEFAULT_PORT = 8472
#: Less than 2**24 - 1: the device is named after it, `flannel.9999999`, and a name has at most 15 characters.
VNI_MAX = 9_999_999
#: Outer Ethernet, IP, UDP and VXLAN headers.
OVERHEAD = {4: 50, 6: 70}


@dataclass(frozen=True, slots=True)
class VxlanLink(Device):
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


class Vxlan(Backend):
    """A tunnel through UDP."""

    def __init__(self, options: Mapping[str, Any]) -> None:
        self.vni = number(options, "VNI", DEFAULT_VNI, 1, VNI_MAX)
        self.port = number(options, "Port", DEFAULT_PORT, 1, 65535)
        self.gbp = flag(options, "GBP")
        self.learning = flag(options, "Learning")
        self.direct_routing = flag(options, "DirectRouting")
        self.mtu = mtu(options)

    def announced_device(self, version: int) -> str:
        """`flannel.1`, `flannel-v6.1`"""
        return _link_name(version, self.vni)

    def announce(self, version: int, facts: Mapping[str, str]) -> dict[str, Any]:
        """The VNI and the MAC of this end, as Go flannel writes them."""
        data: dict[str, Any] = {"VNI": self.vni, VTEP_MAC: facts.get(self.announced_device(version), "")}
        return data | behind_nat(version, facts)

    def describe(self) -> str:
        """As Go flanneld logs it."""
        flags = {"GBP": self.gbp, "Learning": self.learning, "DirectRouting": self.direct_routing}
        words = " ".join(f"{name}={str(value).lower()}" for name, value in flags.items())
        return f"VXLAN config: VNI={self.vni} Port={self.port} {words}"

    def overhead(self, version: int) -> int:
        """The outer headers."""
        return OVERHEAD[version]

    def local(self, family: FamilyConfig, own: Lease, underlay: Underlay) -> Desired:
        """The device and its address."""
        mine = own.family(family.version)
        if mine is None:
            return Desired()
        if not _is_vni(family.version, self.vni):
            name = self.announced_device(family.version)
            return Desired(problems=(f"Backend.VNI {self.vni} is too long: no device can be named {name}",))
        return self._device(family, mine, underlay, self.vni)

    def _device(self, family: FamilyConfig, mine: FamilyLease, underlay: Underlay, vni: int) -> Desired:
        name = _link_name(family.version, vni)
        device = VxlanLink(
            name=name,
            vni=vni,
            port=self.port,
            local=str(underlay.source(mine.public_ip)),
            underlay=underlay.link,
            mtu=self.mtu or underlay.mtu - OVERHEAD[family.version],
            mac=str(mine.data.get(VTEP_MAC, "")).lower(),
            learning=self.learning,
            gbp=self.gbp,
            reason="vxlan backend",
        )
        address = f"{mine.subnet.network_address}/{mine.subnet.max_prefixlen}"
        return Desired(device, LinkAddress(name, address, "own subnet's tunnel endpoint"))

    def peer(self, family: FamilyConfig, own: Lease, peer: Lease, underlay: Underlay) -> Desired:
        """A route through the tunnel, or a direct one."""
        theirs, mine = peer.family(family.version), own.family(family.version)
        if theirs is None:
            return Desired()
        vni = theirs.data.get("VNI", self.vni)
        if not _is_vni(family.version, vni):
            return Desired(problems=(f"{peer.node}: lease of {theirs.subnet} has no usable VNI: {vni!r:.40}",))
        found = self._route(family, peer, theirs, underlay, vni)
        if vni == self.vni or mine is None:
            return found
        # A peer with another VNI is reached by a device for that one.
        return merge((self._device(family, mine, underlay, vni), found))

    def _route(self, family: FamilyConfig, peer: Lease, theirs: FamilyLease, underlay: Underlay, vni: int) -> Desired:
        if self.direct_routing and underlay.next_to(theirs):
            direct = PeerRoute(str(theirs.subnet), str(theirs.public_ip), underlay.link, reason=peer.reason)
            return Desired(direct, *self._tunnel(family, peer, vni))
        tunnel = self._tunnel(family, peer, vni)
        if not tunnel:
            mac = theirs.data.get(VTEP_MAC)
            return Desired(problems=(f"{peer.node}: lease of {theirs.subnet} has no usable VtepMAC: {mac!r:.40}",))
        name = _link_name(family.version, vni)
        endpoint = str(theirs.subnet.network_address)
        route = PeerRoute(str(theirs.subnet), endpoint, name, onlink=True, reason=peer.reason)
        return Desired(route, *tunnel, problems=self._different_vni(peer, vni))

    def _different_vni(self, peer: Lease, vni: int) -> tuple[str, ...]:
        """A warning: Go flanneld has one device, and sends all packets with its VNI."""
        if vni == self.vni:
            return ()
        words = f"announces VNI {vni}, this node {self.vni}: there is a device for each"
        return (f"{peer.node} {words}; give both the same Backend.VNI",)

    def _tunnel(self, family: FamilyConfig, peer: Lease, vni: int) -> tuple[Neighbour | Forwarding, ...]:
        """The entries for a peer's tunnel endpoint; empty if the lease has no usable MAC."""
        theirs = peer.family(family.version)
        mac = str(theirs.data.get(VTEP_MAC, "")).lower() if theirs else ""
        if theirs is None or not is_unicast(mac):
            return ()
        name = _link_name(family.version, vni)
        return (
            Neighbour(name, str(theirs.subnet.network_address), mac, peer.reason),
            Forwarding(name, mac, str(theirs.public_ip), peer.reason),
        )


def _link_name(version: int, vni: int) -> str:
    return f"flannel.{vni}" if version == 4 else f"flannel-v6.{vni}"


def _is_vni(version: int, vni: object) -> bool:
    """Whether a device can have this VNI, and a name with it (of up to 15 characters)."""
    is_number = isinstance(vni, int) and not isinstance(vni, bool)
    return is_number and 0 < vni < 2**24 and len(_link_name(version, vni)) < 16  # type: ignore[operator, arg-type]


class VxlanDevices(LinkKind[VxlanLink]):
    """Devices of the vxlan backend."""

    type = VxlanLink
    link_kind = module = "vxlan"
    pattern = re.compile(r"flannel(-v6)?\.\d+")
    probe_checksums = True

    def fits(self, want: VxlanLink, have: Link, links: Mapping[str, Link]) -> bool:
        info, underlay = have.vxlan, links.get(want.underlay)
        return (
            info is not None
            and underlay is not None
            and info.vni == want.vni
            and info.port == want.port
            and info.local == want.local
            and info.device == underlay.index
            and info.gbp == want.gbp
        )

    def is_right(self, want: VxlanLink, have: Link) -> bool:
        learning = have.vxlan is None or have.vxlan.learning == want.learning
        return have.up and have.mtu == want.mtu and (not want.mac or have.mac == want.mac) and learning

    def adjust(self, nl: Netlink, want: VxlanLink) -> None:
        link.set_mtu(nl, want.name, want.mtu)
        if want.mac:
            link.set_mac(nl, want.name, want.mac)
        link.set_vxlan_learning(nl, want.name, want.learning)
        link.set_up(nl, want.name)

    def create(self, nl: Netlink, want: VxlanLink, links: Mapping[str, Link]) -> None:
        underlay = links.get(want.underlay)
        if underlay is None:
            raise Missing(errno.ENODEV, "create", f"{want.name}: underlay {want.underlay}", "")
        link.add_vxlan(
            nl,
            want.name,
            want.vni,
            port=want.port,
            local=want.local,
            device=underlay.index,
            learning=want.learning,
            gbp=want.gbp,
            mtu=want.mtu,
            mac=want.mac,
            up=True,
        )

    def describe(self, want: VxlanLink) -> str:
        return f"vxlan id {want.vni} port {want.port}"

    def recover(self, have: Observed, leases: Collection[Lease]) -> Recovery:
        devices = [found for _, found in sorted(have.ours.items()) if self.is_ours(found) and found.vxlan]
        if not devices or not (info := devices[0].vxlan):
            return Recovery()
        options = {"vni": info.vni, "port": info.port, "gbp": info.gbp, "learning": info.learning}
        return Recovery({VXLAN.name: options}, tuple(_former(have, leases)), tuple(_recovered(have, devices)))


def _recovered(have: Observed, devices: Collection[Link]) -> Iterator[VxlanLink]:
    names = {found.index: name for name, found in have.links.items()}
    for found in devices:
        info = found.vxlan
        if info is not None and info.device in names:
            yield VxlanLink(
                found.name,
                info.vni,
                info.port,
                info.local,
                names[info.device],
                found.mtu,
                found.mac,
                learning=info.learning,
                gbp=info.gbp,
                reason="of a previous run",
            )


def _former(have: Observed, leases: Collection[Lease]) -> Iterator[Lease]:
    """Leases of peers that were reached by a tunnel and announce another backend now."""
    entries = {n.ip: n for n in have.neighbours}
    for lease in leases:
        parts = []
        for part in lease.families:
            entry = entries.get(str(part.subnet.network_address))
            device = have.links.get(entry.link) if entry else None
            if entry and device and device.vxlan:
                parts.append(FamilyLease(part.subnet, part.public_ip, {"VNI": device.vxlan.vni, VTEP_MAC: entry.mac}))
        if parts and lease.backend != VXLAN.name:
            yield Lease(lease.node, VXLAN.name, tuple(parts))


def _announced_mac(part: FamilyLease) -> str:
    mac = part.data.get(VTEP_MAC)
    return f"{VTEP_MAC} {mac.lower()}" if isinstance(mac, str) else ""


VXLAN = BackendType(
    name="vxlan",
    make=Vxlan,
    devices=lambda options: (VxlanDevices(),),
    exclusive=_announced_mac,
    lingering=(VxlanLink,),
)
