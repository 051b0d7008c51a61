"""Netlink messages about links. Pure: nothing is sent here.

`link` wraps these in typed values for agents; CNI plugins use them directly, to start fast.
Attribute numbers: linux/if_link.h, linux/if_bridge.h, linux/veth.h; overview in rtnetlink(7).
"""

from __future__ import annotations

from _struct import Struct  # `struct` adds nothing but its own import time

from pybernetes.linux.errors import ProtocolError
from pybernetes.linux.rtnl import (
    NLM_F_CREATE,
    NLM_F_EXCL,
    Request,
    attr,
    nested,
    parse_attrs,
    text,
    u8,
    u16,
    u32,
)

RTM_NEWLINK = 16
RTM_DELLINK = 17
RTM_GETLINK = 18
RTM_SETLINK = 19

AF_UNSPEC = 0
AF_BRIDGE = 7

IFF_UP = 0x1
IFF_LOOPBACK = 0x8
IFF_RUNNING = 0x40
IFF_PROMISC = 0x100
IFF_ALLMULTI = 0x200

IFLA_ADDRESS = 1
IFLA_IFNAME = 3
IFLA_MTU = 4
IFLA_LINK = 5
IFLA_MASTER = 10
IFLA_PROTINFO = 12
IFLA_TXQLEN = 13
IFLA_OPERSTATE = 16
IFLA_LINKINFO = 18
IFLA_IFALIAS = 20
IFLA_AF_SPEC = 26
IFLA_NET_NS_FD = 28
IFLA_EXT_MASK = 29
IFLA_PROMISCUITY = 30
IFLA_NUM_TX_QUEUES = 31
IFLA_NUM_RX_QUEUES = 32
IFLA_LINK_NETNSID = 37

RTEXT_FILTER_SKIP_STATS = 8

IFLA_INFO_KIND = 1
IFLA_INFO_DATA = 2
IFLA_INFO_SLAVE_KIND = 4
IFLA_INFO_SLAVE_DATA = 5

VETH_INFO_PEER = 1

IFLA_BR_VLAN_FILTERING = 7
IFLA_BR_VLAN_DEFAULT_PVID = 39

IFLA_BRPORT_MODE = 4  # hairpin
IFLA_BRPORT_LEARNING = 8
IFLA_BRPORT_ISOLATED = 33

IFLA_BRIDGE_FLAGS = 0
IFLA_BRIDGE_VLAN_INFO = 2
BRIDGE_FLAGS_MASTER = 1
BRIDGE_FLAGS_SELF = 2
BRIDGE_VLAN_PVID = 2
BRIDGE_VLAN_UNTAGGED = 4

IFLA_VXLAN_ID = 1
IFLA_VXLAN_LINK = 3
IFLA_VXLAN_LOCAL = 4
IFLA_VXLAN_LEARNING = 7
IFLA_VXLAN_PORT = 15
IFLA_VXLAN_LOCAL6 = 17
IFLA_VXLAN_GBP = 23
IFLA_VXLAN_TTL = 5
IFLA_VXLAN_UDP_ZERO_CSUM6_TX = 19
IFLA_VXLAN_UDP_ZERO_CSUM6_RX = 20

IFLA_XFRM_IF_ID = 2
IFLA_IPTUN_LINK = 1
IFLA_IPTUN_LOCAL = 2
IFLA_IPTUN_REMOTE = 3
IFLA_IPTUN_TTL = 4
IFLA_IPTUN_PMTUDISC = 10

IFLA_MACVLAN_MODE, IFLA_MACVLAN_BC_QUEUE_LEN = 1, 7
MACVLAN_MODES = {"private": 1, "vepa": 2, "bridge": 4, "passthru": 8}
IFLA_IPVLAN_MODE = 1
IPVLAN_MODES = {"l2": 0, "l3": 1, "l3s": 2}
IFLA_VLAN_ID = 1

_IFINFO = Struct("=BBHiII")  # family, pad, ARP type, index, flags, change mask
_VLAN_INFO = Struct("=HH")


def header(family: int = 0, index: int = 0, flags: int = 0, change: int = 0) -> bytes:
    """struct ifinfomsg."""
    return _IFINFO.pack(family, 0, 0, index, flags, change)


def decode(payload: bytes) -> tuple[int, int, dict[int, bytes]]:
    """(index, flags, attributes) of an RTM_NEWLINK or RTM_DELLINK payload."""
    if len(payload) < _IFINFO.size:
        raise ProtocolError(f"link message of {len(payload)} bytes")
    _family, _, _type, index, flags, _change = _IFINFO.unpack_from(payload)
    return index, flags, parse_attrs(payload, _IFINFO.size)


def mac_bytes(mac: str) -> bytes:
    """The six bytes of `aa:bb:cc:dd:ee:ff`. Raises ValueError."""
    raw = bytes.fromhex(mac.replace(":", ""))
    if len(raw) != 6:
        raise ValueError(f"expected a MAC address of six bytes, got {mac!r}")
    return raw


def mac_text(raw: bytes | None) -> str:
    """`aa:bb:cc:dd:ee:ff`, or an empty string for no address."""
    return raw.hex(":") if raw else ""


def get(which: str | int) -> Request:
    """One link by name or by index."""
    body = header(index=which if isinstance(which, int) else 0) + u32(IFLA_EXT_MASK, RTEXT_FILTER_SKIP_STATS)
    if isinstance(which, str):
        body += text(IFLA_IFNAME, which)
    return Request(RTM_GETLINK, 0, body, "find link", str(which))


def dump(master: int = 0) -> Request:
    """All links, or the ports of one bridge."""
    body = header() + u32(IFLA_EXT_MASK, RTEXT_FILTER_SKIP_STATS)
    if master:
        body += u32(IFLA_MASTER, master)
    return Request(RTM_GETLINK, 0, body, "list links", "")


def delete(which: str | int) -> Request:
    """Delete a link; the other end of a veth pair goes with it."""
    body = header(index=which if isinstance(which, int) else 0)
    if isinstance(which, str):
        body += text(IFLA_IFNAME, which)
    return Request(RTM_DELLINK, 0, body, "delete link", str(which))


def new(
    name: str,
    kind: str,
    *,
    data: bytes = b"",
    mtu: int = 0,
    mac: str = "",
    master: int = 0,
    parent: int = 0,
    netns_fd: int = -1,
    txqlen: int = -1,
    up: bool = False,
) -> Request:
    """Create a link of any kind; it must not exist. `data` holds attributes specific to the kind.

    There is no alias here: the kernel accepts one only in a change.
    """
    info = text(IFLA_INFO_KIND, kind) + (nested(IFLA_INFO_DATA, data) if data else b"")
    flags = IFF_UP if up else 0
    body = header(flags=flags, change=flags) + text(IFLA_IFNAME, name)
    body += _common(mtu=mtu, mac=mac, master=master, netns_fd=netns_fd, txqlen=txqlen)
    if parent:
        body += u32(IFLA_LINK, parent)
    body += nested(IFLA_LINKINFO, info)
    return Request(RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, body, f"create {kind}", name)


def veth(
    name: str,
    peer: str,
    *,
    mtu: int = 0,
    mac: str = "",
    master: int = 0,
    up: bool = False,
    peer_mac: str = "",
    peer_netns_fd: int = -1,
) -> Request:
    """A veth pair in one message, with the peer in its namespace (and down: the kernel connects the ends last).

    One queue per end: by default a veth has one per CPU, and allocating them is most of the cost of its creation.
    """
    other = header() + text(IFLA_IFNAME, peer)
    other += _common(mtu=mtu, mac=peer_mac, netns_fd=peer_netns_fd)
    other += u32(IFLA_NUM_TX_QUEUES, 1) + u32(IFLA_NUM_RX_QUEUES, 1)
    request = new(
        name,
        "veth",
        data=attr(VETH_INFO_PEER, other),
        mtu=mtu,
        mac=mac,
        master=master,
        up=up,
    )
    request.body += u32(IFLA_NUM_TX_QUEUES, 1) + u32(IFLA_NUM_RX_QUEUES, 1)
    return request


def bridge(name: str, *, mtu: int = 0, mac: str = "", vlan_filtering: bool = False, up: bool = False) -> Request:
    """A bridge. A given MAC is kept; otherwise the kernel uses the lowest one of the ports."""
    data = u8(IFLA_BR_VLAN_FILTERING, 1) if vlan_filtering else b""
    return new(name, "bridge", data=data, mtu=mtu, mac=mac, up=up)


def vxlan(
    name: str,
    vni: int,
    *,
    port: int,
    local: bytes = b"",
    device: int = 0,
    learning: bool = False,
    gbp: bool = False,
    mtu: int = 0,
    mac: str = "",
    up: bool = False,
) -> Request:
    """A VXLAN device; `local` is the packed outer source address, `device` the index of the underlay."""
    data = u32(IFLA_VXLAN_ID, vni) + attr(IFLA_VXLAN_PORT, port.to_bytes(2, "big"))
    data += u8(IFLA_VXLAN_LEARNING, int(learning))
    if device:
        data += u32(IFLA_VXLAN_LINK, device)
    if local:
        data += attr(IFLA_VXLAN_LOCAL if len(local) == 4 else IFLA_VXLAN_LOCAL6, local)
    if gbp:
        data += attr(IFLA_VXLAN_GBP, b"")
    return new(name, "vxlan", data=data, mtu=mtu, mac=mac, up=up)


def vxlan_learning(name: str, on: bool) -> Request:
    """Change whether an existing VXLAN device learns forwarding entries from packets."""
    data = nested(IFLA_INFO_DATA, u8(IFLA_VXLAN_LEARNING, int(on)))
    body = header() + text(IFLA_IFNAME, name) + nested(IFLA_LINKINFO, text(IFLA_INFO_KIND, "vxlan") + data)
    return Request(RTM_NEWLINK, 0, body, "change link", name)


def ipip(
    name: str, *, local: bytes = b"", remote: bytes = b"", device: int = 0, ttl: int = 0, mtu: int = 0, up: bool = False
) -> Request:
    """IPv4 in IPv4. Without `remote`, the gateway of each route is the far end. `ttl` 0: that of the packet."""
    data = u8(IFLA_IPTUN_TTL, ttl) + u8(IFLA_IPTUN_PMTUDISC, 1)
    if device:
        data += u32(IFLA_IPTUN_LINK, device)
    if local:
        data += attr(IFLA_IPTUN_LOCAL, local)
    if remote:
        data += attr(IFLA_IPTUN_REMOTE, remote)
    return new(name, "ipip", data=data, mtu=mtu, up=up)


def xfrm(name: str, if_id: int, *, mtu: int = 0, up: bool = False) -> Request:
    """An xfrm interface: IPsec policies with its id apply to packets sent through it, and no others."""
    return new(name, "xfrm", data=u32(IFLA_XFRM_IF_ID, if_id), mtu=mtu, up=up)


def wireguard(name: str, *, mtu: int = 0) -> Request:
    """A WireGuard device, down: keys, port and peers come through `wireguard`."""
    return new(name, "wireguard", mtu=mtu)


def macvlan(
    name: str,
    parent: int,
    *,
    mode: str = "bridge",
    mtu: int = 0,
    mac: str = "",
    netns_fd: int = -1,
    broadcast_queue: int = 0,
) -> Request:
    """A macvlan on `parent`. `broadcast_queue` in packets; 0 for the kernel's default."""
    data = u32(IFLA_MACVLAN_MODE, MACVLAN_MODES[mode])
    if broadcast_queue:
        data += u32(IFLA_MACVLAN_BC_QUEUE_LEN, broadcast_queue)
    return new(name, "macvlan", data=data, parent=parent, mtu=mtu, mac=mac, netns_fd=netns_fd)


def ipvlan(name: str, parent: int, *, mode: str = "l2", mtu: int = 0, netns_fd: int = -1) -> Request:
    data = u16(IFLA_IPVLAN_MODE, IPVLAN_MODES[mode])
    return new(name, "ipvlan", data=data, parent=parent, mtu=mtu, netns_fd=netns_fd)


def vlan(name: str, parent: int, vid: int, *, up: bool = False) -> Request:
    """An 802.1Q device on top of `parent`."""
    return new(name, "vlan", data=u16(IFLA_VLAN_ID, vid), parent=parent, up=up)


def change(
    which: str | int,
    *,
    up: bool | None = None,
    promiscuous: bool | None = None,
    allmulti: bool | None = None,
    name: str = "",
    mtu: int = 0,
    mac: str = "",
    master: int | None = None,
    netns_fd: int = -1,
    alias: str | None = None,
    txqlen: int = -1,
    port: bytes = b"",
) -> Request:
    """Change the given properties of an existing link. `master=0` releases it; renaming needs an index.

    `port` comes from `port_settings`, for a link that is already a port of a bridge.
    """
    flags = mask = 0
    for wanted, bit in ((up, IFF_UP), (promiscuous, IFF_PROMISC), (allmulti, IFF_ALLMULTI)):
        if wanted is not None:
            mask |= bit
            flags |= bit if wanted else 0
    body = header(index=which if isinstance(which, int) else 0, flags=flags, change=mask)
    if isinstance(which, str):
        body += text(IFLA_IFNAME, which)
    elif name:
        body += text(IFLA_IFNAME, name)
    body += _common(mtu=mtu, mac=mac, netns_fd=netns_fd, txqlen=txqlen)
    if alias is not None:
        body += text(IFLA_IFALIAS, alias)
    if master is not None:
        body += u32(IFLA_MASTER, master)
    if port:
        body += nested(IFLA_LINKINFO, text(IFLA_INFO_SLAVE_KIND, "bridge") + nested(IFLA_INFO_SLAVE_DATA, port))
    return Request(RTM_NEWLINK, 0, body, "change link", str(which))


def port_settings(*, hairpin: bool | None = None, isolated: bool | None = None, learning: bool | None = None) -> bytes:
    """Settings of a bridge port. Hairpin: a packet may leave by the port on which it arrived."""
    wanted = ((IFLA_BRPORT_MODE, hairpin), (IFLA_BRPORT_ISOLATED, isolated), (IFLA_BRPORT_LEARNING, learning))
    return b"".join([u8(kind, int(value)) for kind, value in wanted if value is not None])


def bridge_port(
    index: int, *, hairpin: bool | None = None, isolated: bool | None = None, learning: bool | None = None
) -> Request:
    """Change the settings of a bridge port, by its index."""
    info = port_settings(hairpin=hairpin, isolated=isolated, learning=learning)
    body = header(AF_BRIDGE, index) + nested(IFLA_PROTINFO, info)
    return Request(RTM_SETLINK, 0, body, "change bridge port", str(index))


def bridge_vlan(
    index: int,
    vid: int,
    *,
    pvid: bool = False,
    untagged: bool = False,
    on_bridge: bool = False,
    remove: bool = False,
) -> Request:
    """Add a VLAN to a port, or with `on_bridge` to the bridge itself; or `remove` it."""
    flags = (BRIDGE_VLAN_PVID if pvid else 0) | (BRIDGE_VLAN_UNTAGGED if untagged else 0)
    where = u16(IFLA_BRIDGE_FLAGS, BRIDGE_FLAGS_SELF) if on_bridge else b""
    body = header(AF_BRIDGE, index)
    body += nested(IFLA_AF_SPEC, where + attr(IFLA_BRIDGE_VLAN_INFO, _VLAN_INFO.pack(flags, vid)))
    kind = RTM_DELLINK if remove else RTM_SETLINK
    return Request(kind, 0, body, "remove VLAN from" if remove else "admit VLAN on", f"port {index}")


def _common(*, mtu: int = 0, mac: str = "", master: int = 0, netns_fd: int = -1, txqlen: int = -1) -> bytes:
    body = u32(IFLA_MTU, mtu) if mtu else b""
    if mac:
        body += attr(IFLA_ADDRESS, mac_bytes(mac))
    if master:
        body += u32(IFLA_MASTER, master)
    if netns_fd >= 0:
        body += u32(IFLA_NET_NS_FD, netns_fd)
    if txqlen >= 0:
        body += u32(IFLA_TXQLEN, txqlen)
    return body
