"""Network devices as frozen values, and one function per operation on them.

Every function takes the `Netlink` of the namespace it works in. To change many links at once, collect messages of
`linkmsg` and send them with `Netlink.batch`.
"""

from __future__ import annotations

import fcntl
import os
import struct
from dataclasses import dataclass

from pybernetes.linux import ipmsg, linkmsg, netns
from pybernetes.linux.errors import Exists, Missing
from pybernetes.linux.rtnl import Netlink, Request, parse_attrs, read_text, read_u32

_TUNSETIFF = 0x400454CA
_TUNSETPERSIST = 0x400454CB
_IFF_TUN = 0x1
_IFF_NO_PI = 0x1000
_IFF_VNET_HDR = 0x4000
_TUNSETOFFLOAD = 0x400454D0
_TUN_F_CSUM, _TUN_F_TSO4 = 0x1, 0x2


@dataclass(frozen=True, slots=True)
class VxlanInfo:
    """The properties of VXLAN devices."""

    vni: int
    port: int
    local: str = ""
    device: int = 0
    """Index of the underlay device; 0 if the routing table decides."""
    learning: bool = True
    gbp: bool = False


@dataclass(frozen=True, slots=True)
class IpipInfo:
    """The properties of IPIP tunnels."""

    local: str = ""
    """Outer source address; empty for any, as the kernel's `tunl0` has it."""
    remote: str = ""
    """Outer destination; empty for the gateway of each route."""
    device: int = 0


@dataclass(frozen=True, slots=True)
class Link:
    """One network device."""

    index: int
    name: str
    mac: str
    mtu: int
    flags: int
    kind: str
    """`veth`, `bridge`, `vxlan`, ...; empty for hardware and the loopback."""
    master: int = 0
    """Index of the bridge (or bond, or VRF) it belongs to; 0 for none."""
    peer: int = 0
    """Index of a veth's peer, or of a macvlan's or VLAN's parent; in namespace `netns_id` if that is >= 0."""
    netns_id: int = -1
    alias: str = ""
    promiscuity: int = 0
    hairpin: bool | None = None
    """Bridge ports only."""
    vxlan: VxlanInfo | None = None
    ipip: IpipInfo | None = None
    if_id: int = 0
    """xfrm interfaces only."""

    @property
    def up(self) -> bool:
        """Administratively up."""
        return bool(self.flags & linkmsg.IFF_UP)

    @property
    def running(self) -> bool:
        """Up, and with a carrier."""
        return bool(self.flags & linkmsg.IFF_RUNNING)

    @property
    def loopback(self) -> bool:
        return bool(self.flags & linkmsg.IFF_LOOPBACK)


def decode(payload: bytes) -> Link:
    """Decode an RTM_NEWLINK or RTM_DELLINK payload."""
    index, flags, attrs = linkmsg.decode(payload)
    info = parse_attrs(attrs.get(linkmsg.IFLA_LINKINFO, b""))
    kind = read_text(info.get(linkmsg.IFLA_INFO_KIND))
    hairpin = None
    if read_text(info.get(linkmsg.IFLA_INFO_SLAVE_KIND)) == "bridge":
        port = parse_attrs(info.get(linkmsg.IFLA_INFO_SLAVE_DATA, b""))
        hairpin = bool(read_u32(port.get(linkmsg.IFLA_BRPORT_MODE)))
    data = info.get(linkmsg.IFLA_INFO_DATA, b"")
    netns_id = attrs.get(linkmsg.IFLA_LINK_NETNSID)
    return Link(
        index=index,
        name=read_text(attrs.get(linkmsg.IFLA_IFNAME)),
        mac=linkmsg.mac_text(attrs.get(linkmsg.IFLA_ADDRESS)),
        mtu=read_u32(attrs.get(linkmsg.IFLA_MTU)),
        flags=flags,
        kind=kind,
        master=read_u32(attrs.get(linkmsg.IFLA_MASTER)),
        peer=read_u32(attrs.get(linkmsg.IFLA_LINK)),
        netns_id=int.from_bytes(netns_id[:4], "little", signed=True) if netns_id else -1,
        alias=read_text(attrs.get(linkmsg.IFLA_IFALIAS)),
        promiscuity=read_u32(attrs.get(linkmsg.IFLA_PROMISCUITY)),
        hairpin=hairpin,
        vxlan=_decode_vxlan(data) if kind == "vxlan" else None,
        ipip=_decode_ipip(data) if kind == "ipip" else None,
        if_id=read_u32(parse_attrs(data).get(linkmsg.IFLA_XFRM_IF_ID)) if kind == "xfrm" else 0,
    )


def _decode_ipip(data: bytes) -> IpipInfo:
    attrs = parse_attrs(data)
    local, remote = (attrs.get(kind, b"") for kind in (linkmsg.IFLA_IPTUN_LOCAL, linkmsg.IFLA_IPTUN_REMOTE))
    return IpipInfo(
        local=ipmsg.unpack(local) if any(local) else "",
        remote=ipmsg.unpack(remote) if any(remote) else "",
        device=read_u32(attrs.get(linkmsg.IFLA_IPTUN_LINK)),
    )


def _decode_vxlan(data: bytes) -> VxlanInfo:
    attrs = parse_attrs(data)
    local = attrs.get(linkmsg.IFLA_VXLAN_LOCAL) or attrs.get(linkmsg.IFLA_VXLAN_LOCAL6)
    return VxlanInfo(
        vni=read_u32(attrs.get(linkmsg.IFLA_VXLAN_ID)),
        port=int.from_bytes(attrs.get(linkmsg.IFLA_VXLAN_PORT, b"")[:2], "big"),
        local=ipmsg.unpack(local) if local and any(local) else "",
        device=read_u32(attrs.get(linkmsg.IFLA_VXLAN_LINK)),
        learning=bool(read_u32(attrs.get(linkmsg.IFLA_VXLAN_LEARNING))),
        gbp=linkmsg.IFLA_VXLAN_GBP in attrs,
    )


# -- reading ---------------------------------------------------------------------------------------------
def links(nl: Netlink, *, master: int = 0) -> list[Link]:
    """All links of the namespace, or the ports of one bridge."""
    found = [decode(payload) for payload in nl.dump(linkmsg.dump(master))]
    return [link for link in found if not master or link.master == master]


def link(nl: Netlink, which: str | int) -> Link:
    """The link with that name or index. Raises Missing."""
    return decode(nl.request(linkmsg.get(which))[0])


def find(nl: Netlink, which: str | int) -> Link | None:
    """The link with that name or index, or None."""
    try:
        return link(nl, which)
    except Missing:
        return None


# -- making ----------------------------------------------------------------------------------------------
def add_veth(
    nl: Netlink,
    name: str,
    peer: str,
    *,
    mtu: int = 0,
    mac: str = "",
    peer_mac: str = "",
    peer_netns: int = -1,
    master: int = 0,
    alias: str = "",
    up: bool = False,
) -> Link:
    """Create a veth pair; the peer is down, in the namespace of the descriptor `peer_netns` (-1: the same one)."""
    return _make(
        nl,
        linkmsg.veth(
            name,
            peer,
            mtu=mtu,
            mac=mac,
            peer_mac=peer_mac,
            peer_netns_fd=peer_netns,
            master=master,
            up=up,
        ),
        alias,
    )


def add_bridge(
    nl: Netlink, name: str, *, mtu: int = 0, mac: str = "", vlan_filtering: bool = False, up: bool = False
) -> Link:
    return _make(nl, linkmsg.bridge(name, mtu=mtu, mac=mac, vlan_filtering=vlan_filtering, up=up))


def ensure_bridge(nl: Netlink, name: str, *, mtu: int = 0, mac: str = "", up: bool = True) -> Link:
    """The bridge with that name; created if necessary. Raises Exists if the name belongs to another kind of link."""
    try:
        return add_bridge(nl, name, mtu=mtu, mac=mac, up=up)
    except Exists:
        there = link(nl, name)
        if there.kind != "bridge":
            raise
        if up and not there.up:
            set_up(nl, there.index)
        return link(nl, name)


def add_vxlan(
    nl: Netlink,
    name: str,
    vni: int,
    *,
    port: int = 8472,
    local: str = "",
    device: int = 0,
    learning: bool = False,
    gbp: bool = False,
    mtu: int = 0,
    mac: str = "",
    up: bool = False,
) -> Link:
    """Create a VXLAN device that sends from `local` through the link with index `device`."""
    return _make(
        nl,
        linkmsg.vxlan(
            name,
            vni,
            port=port,
            local=ipmsg.pack(local) if local else b"",
            device=device,
            learning=learning,
            gbp=gbp,
            mtu=mtu,
            mac=mac,
            up=up,
        ),
    )


def add_ipip(
    nl: Netlink, name: str, *, local: str = "", remote: str = "", device: int = 0, mtu: int = 0, up: bool = False
) -> Link:
    """Create an IPIP tunnel. Raises Exists if there is one with the same ends; `tunl0` has no ends."""
    here, there = (ipmsg.pack(end) if end else b"" for end in (local, remote))
    return _make(nl, linkmsg.ipip(name, local=here, remote=there, device=device, mtu=mtu, up=up))


def add_xfrm(nl: Netlink, name: str, if_id: int, *, mtu: int = 0, up: bool = False) -> Link:
    """Create an xfrm interface; `xfrm` gives it policies. Raises Exists if another one has that id."""
    return _make(nl, linkmsg.xfrm(name, if_id, mtu=mtu, up=up))


def add_wireguard(nl: Netlink, name: str, *, mtu: int = 0) -> Link:
    """Create a WireGuard device, down and without a key; see `wireguard`."""
    return _make(nl, linkmsg.wireguard(name, mtu=mtu))


def add_macvlan(
    nl: Netlink, name: str, parent: int, *, mode: str = "bridge", mtu: int = 0, mac: str = "", peer_netns: int = -1
) -> Link | None:
    """Create a macvlan on the link with index `parent`. Returns None if it is in another namespace."""
    request = linkmsg.macvlan(name, parent, mode=mode, mtu=mtu, mac=mac, netns_fd=peer_netns)
    nl.request(request)
    return None if peer_netns >= 0 else link(nl, name)


def add_tun(nl: Netlink, name: str, *, persist: bool = True, offload: bool = False) -> int:
    """Create or open a TUN device in the socket's namespace. Returns a descriptor: one IP packet per read or write.

    With `offload` each packet starts with a virtio_net_hdr of 10 bytes, may lack its checksum, and may be a TCP packet
    of up to 64 KiB that the receiver must segment.
    """
    flags = _IFF_TUN | _IFF_NO_PI | (_IFF_VNET_HDR if offload else 0)
    with netns.enter(nl.netns):
        fd = os.open("/dev/net/tun", os.O_RDWR | os.O_CLOEXEC | os.O_NONBLOCK)
        try:
            fcntl.ioctl(fd, _TUNSETIFF, struct.pack("16sH22x", name.encode(), flags))
            fcntl.ioctl(fd, _TUNSETOFFLOAD, _TUN_F_CSUM | _TUN_F_TSO4 if offload else 0)
            fcntl.ioctl(fd, _TUNSETPERSIST, int(persist))
        except OSError:
            os.close(fd)
            raise
    return fd


def _make(nl: Netlink, request: Request, alias: str = "") -> Link:
    nl.request(request)
    if alias:
        set_alias(nl, request.what, alias)
    return link(nl, request.what)


# -- changing --------------------------------------------------------------------------------------------
def set_up(nl: Netlink, which: str | int) -> None:
    nl.request(linkmsg.change(which, up=True))


def set_down(nl: Netlink, which: str | int) -> None:
    nl.request(linkmsg.change(which, up=False))


def set_mtu(nl: Netlink, which: str | int, mtu: int) -> None:
    nl.request(linkmsg.change(which, mtu=mtu))


def set_mac(nl: Netlink, which: str | int, mac: str) -> None:
    nl.request(linkmsg.change(which, mac=mac))


def set_master(nl: Netlink, which: str | int, master: int) -> None:
    """Make the link a port of the bridge with index `master`; 0 releases it."""
    nl.request(linkmsg.change(which, master=master))


def set_name(nl: Netlink, index: int, name: str) -> None:
    """Rename a link; it may be up (since Linux 6.2)."""
    nl.request(linkmsg.change(index, name=name))


def set_alias(nl: Netlink, which: str | int, alias: str) -> None:
    """Set the link's alias: text of up to 255 bytes, which can name its owner."""
    nl.request(linkmsg.change(which, alias=alias))


def set_promiscuous(nl: Netlink, which: str | int, on: bool) -> None:
    nl.request(linkmsg.change(which, promiscuous=on))


def set_vxlan_learning(nl: Netlink, name: str, on: bool) -> None:
    """Whether the device learns forwarding entries from packets."""
    nl.request(linkmsg.vxlan_learning(name, on))


def set_hairpin(nl: Netlink, index: int, on: bool) -> None:
    """Bridge port: allow a packet to leave by the port on which it arrived."""
    nl.request(linkmsg.bridge_port(index, hairpin=on))


def move_to_netns(nl: Netlink, which: str | int, target: netns.Netns) -> None:
    """Move a link; it arrives down and without its addresses."""
    fd = netns.open_fd(target)
    try:
        nl.request(linkmsg.change(which, netns_fd=fd))
    finally:
        os.close(fd)


def delete(nl: Netlink, which: str | int) -> None:
    """Delete a link. Raises Missing."""
    nl.request(linkmsg.delete(which))


def ensure_deleted(nl: Netlink, which: str | int) -> bool:
    """Delete a link if it exists. Returns whether it did."""
    try:
        delete(nl, which)
    except Missing:
        return False
    return True
