"""The node's side of a bridge attachment: the bridge itself, its ports, and its addresses as a gateway."""

from __future__ import annotations

import posix

from pybernetes.cni import errors, iface, spec
from pybernetes.cni.bridge_config import BridgeConfig
from pybernetes.cni.errors import CniError, invalid_config
from pybernetes.cni.result import Result
from pybernetes.linux import ipmsg, linkmsg, sysctl
from pybernetes.linux.bridge import PortNote
from pybernetes.linux.errors import Exists, Missing, NotSupported
from pybernetes.linux.rtnl import Netlink, Request, parse_attrs, read_text

_NAME_TRIES = 5
_DEFAULT_VLAN = 1


class Bridge:
    """The bridge as observed."""

    __slots__ = ("index", "mac", "up")

    def __init__(self, index: int, mac: str, up: bool) -> None:
        self.index = index
        self.mac = mac
        self.up = up


def ensure_bridge(node: Netlink, config: BridgeConfig) -> Bridge:
    """The bridge of a configuration; created if it does not exist.

    A MAC given at creation stays. Otherwise the kernel would use the lowest MAC of the ports, and every pod that comes
    or goes could change the gateway's address for all others.
    """
    name = config.bridge
    try:
        payload = node.request(linkmsg.get(name))[0]
    except Missing:
        _make(node, config)
        payload = node.request(linkmsg.get(name))[0]
    index, flags, attrs = linkmsg.decode(payload)
    kind = read_text(parse_attrs(attrs.get(linkmsg.IFLA_LINKINFO, b"")).get(linkmsg.IFLA_INFO_KIND))
    if kind != "bridge":
        raise invalid_config(f"{name!r} already exists but is not a bridge: it is a {kind or 'hardware'} device")
    if config.promiscuous and not flags & linkmsg.IFF_PROMISC:
        node.request(linkmsg.change(index, promiscuous=True))
    return Bridge(index, linkmsg.mac_text(attrs.get(linkmsg.IFLA_ADDRESS)), bool(flags & linkmsg.IFF_UP))


def _make(node: Netlink, config: BridgeConfig) -> None:
    filtering = bool(config.vlan or config.vlans)
    request = linkmsg.bridge(config.bridge, mtu=config.mtu, mac=random_mac(), vlan_filtering=filtering)
    try:
        node.request(request)
    except Exists:
        return  # another attachment created it first
    except NotSupported as lacking:
        if not filtering:
            raise
        text = "'vlan' needs a kernel with CONFIG_BRIDGE_VLAN_FILTERING"
        raise CniError(errors.UNSUPPORTED_FIELD, text, str(lacking)) from lacking
    _ignore_router_advertisements(config.bridge)


def raise_bridge(node: Netlink, bridge: Bridge) -> None:
    """Set a new bridge up after its first port.

    A bridge that is up without a port has no carrier; after the first port the kernel takes up to a second to check
    again, and until then drops what the node sends.
    """
    if not bridge.up:
        node.request(linkmsg.change(bridge.index, up=True))


def random_mac() -> str:
    """A locally administered unicast address."""
    raw = bytearray(posix.urandom(6))
    raw[0] = raw[0] & 0xFC | 0x02
    return raw.hex(":")


def _ignore_router_advertisements(name: str) -> None:
    """Pods must not be able to configure the node."""
    try:
        sysctl.write(f"net/ipv6/conf/{name}/accept_ra", 0)
    except Missing:
        pass  # a kernel without IPv6


# -- ports -----------------------------------------------------------------------------------------------
class Veth:
    """A veth pair: the port `host` of the bridge, and the pod's interface."""

    __slots__ = ("host", "host_mac", "index", "mac")

    def __init__(self, host: str, host_mac: str, index: int, mac: str) -> None:
        self.host = host
        self.host_mac = host_mac
        self.index = index
        """Of the pod's interface, in its namespace."""
        self.mac = mac


def add_veth(node: Netlink, sandbox: iface.Sandbox, call: spec.Call, config: BridgeConfig, bridge: Bridge) -> Veth:
    """Create the pair: the pod's end in its namespace, the host end as a port of the bridge, and up."""
    host_mac, mac = random_mac(), config.mac or random_mac()
    host = _create(node, sandbox, call.ifname, config.mtu, bridge, host_mac, mac)
    note = PortNote(config.bridge, bridge.mac, config.hairpin, call.network, call.container_id, call.ifname)
    port = linkmsg.port_settings(hairpin=config.hairpin or None, isolated=config.isolated or None)
    try:
        node.request(linkmsg.change(host, alias=str(note), port=port))
        if config.vlan or config.vlans:
            node.run(_vlan_requests(linkmsg.decode(node.request(linkmsg.get(host))[0])[0], config))
        index, _, _ = sandbox.link(call.ifname)
    except BaseException:
        node.batch([linkmsg.delete(host)])
        raise
    return Veth(host, host_mac, index, mac)


def _create(
    node: Netlink, sandbox: iface.Sandbox, ifname: str, mtu: int, bridge: Bridge, host_mac: str, mac: str
) -> str:
    for attempt in range(_NAME_TRIES):
        host = "veth" + posix.urandom(4).hex()
        request = linkmsg.veth(
            host, ifname, mtu=mtu, mac=host_mac, master=bridge.index, up=True,
            peer_mac=mac, peer_netns_fd=sandbox.fd,
        )  # fmt: skip
        try:
            node.request(request)
            return host
        except Exists:
            if exists(sandbox.nl, ifname):
                text = f"container veth name provided ({ifname}) already exists"
                raise CniError(errors.KERNEL_REFUSED, text) from None
            if attempt == _NAME_TRIES - 1:
                raise
    raise AssertionError("the last try returns or raises")


def _vlan_requests(port: int, config: BridgeConfig) -> list[Request]:
    """An access port has one VLAN, untagged; a trunk has several, tagged."""
    requests = [] if config.preserve_default_vlan else [linkmsg.bridge_vlan(port, _DEFAULT_VLAN, remove=True)]
    if config.vlan:
        requests.append(linkmsg.bridge_vlan(port, config.vlan, pvid=True, untagged=True))
    return requests + [linkmsg.bridge_vlan(port, vlan) for vlan in config.vlans]


def exists(nl: Netlink, name: str) -> bool:
    """Whether a link with that name exists."""
    try:
        nl.request(linkmsg.get(name))
    except Missing:
        return False
    return True


# -- the gateway -----------------------------------------------------------------------------------------
def make_gateway(node: Netlink, bridge: Bridge, config: BridgeConfig, result: Result) -> None:
    """Give the bridge the gateway's addresses, and enable forwarding on the node."""
    if not config.gateway:
        return
    target = _vlan_device(node, bridge.index, config) or bridge.index
    families = set()
    for ip in result.ips:
        families.add(ip.family)
        length = ip.address.partition("/")[2]
        ensure_address(node, target, f"{ip.gateway}/{length}", config.force_address)
    for number in families:
        sysctl.ensure("net/ipv4/ip_forward" if number == 4 else "net/ipv6/conf/all/forwarding", "1")


def _vlan_device(node: Netlink, bridge: int, config: BridgeConfig) -> int:
    """The index of the VLAN device on the bridge that gets the gateway's address; 0 without a VLAN."""
    vlan = config.vlan
    if not vlan:
        return 0
    node.request(linkmsg.bridge_vlan(bridge, vlan, on_bridge=True))
    name = f"{config.bridge[: 14 - len(str(vlan))]}.{vlan}"
    if not exists(node, name):
        node.request(linkmsg.vlan(name, bridge, vlan, up=True))
    return linkmsg.decode(node.request(linkmsg.get(name))[0])[0]


def ensure_address(node: Netlink, index: int, cidr: str, force: bool) -> None:
    """Add `cidr` to the bridge. Another address in an overlapping network is an error; with `force` it is removed."""
    flags = ipmsg.IFA_F_NODAD if ":" in cidr else 0
    present = [d for d in (ipmsg.addr_decode(p) for p in node.dump(ipmsg.addr_dump(index))) if d[0] == index]
    for _, other, scope, _, _ in present:
        if other == cidr:
            return
        foreign = iface.family(other) != iface.family(cidr) or scope == ipmsg.RT_SCOPE_LINK
        if foreign or (":" in cidr and not _overlap(other, cidr)):
            continue
        if not force:
            raise invalid_config(f"bridge already has an IP address different from {cidr}", f"it has {other}")
        node.request(ipmsg.addr_del(index, other))
    try:
        node.request(ipmsg.addr_add(index, cidr, flags=flags))
    except Exists:
        pass  # another attachment added it first


def _overlap(one: str, other: str) -> bool:
    (raw, length), (raw2, length2) = ipmsg.split(one), ipmsg.split(other)
    shift = len(raw) * 8 - min(length, length2)
    return int.from_bytes(raw, "big") >> shift == int.from_bytes(raw2, "big") >> shift
