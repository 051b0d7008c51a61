"""The desired underlay network of the nodes: namespaces, links, addresses, routes. Pure, no I/O.

    host ── transit (/24) ── router namespace ─┬─ bridge rack0 ─┬─ node-1 eth0
                                               │                └─ node-2 eth0
                                               └─ bridge rack1 ─── node-3 eth0

The bridges are in the router's namespace even with a single rack. So the host's firewall (Docker's FORWARD policy,
br_netfilter) never sees traffic between nodes, the host's namespace has one link per cluster, and deleting the
namespaces deletes every other link. Each object carries its reason; links show it as their alias (`ip link show`).
"""

from dataclasses import dataclass

from pybernetes.cluster.layout import Layout, Segment
from pybernetes.cluster.registry import NodeRecord

HOST = ""
"""The host's own namespace."""

NODE_LINK = "eth0"
_TRANSIT = 0xFF


@dataclass(frozen=True, slots=True)
class Namespace:
    """A network namespace with its sysctls below /proc/sys/net."""

    name: str
    reason: str
    sysctls: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Bridge:
    """A bridge within a namespace."""

    netns: str
    name: str
    mac: str
    """Fixed, because it is the gateway's MAC. By default, a bridge takes the MAC of one of its ports."""
    reason: str


@dataclass(frozen=True, slots=True)
class Veth:
    """A veth pair. The near end is in the namespace that creates it; the far end belongs to a node or the router."""

    netns: str
    name: str
    peer_netns: str
    peer: str
    peer_mac: str
    master: str | None
    """The bridge of the near end."""
    reason: str


@dataclass(frozen=True, slots=True)
class Address:
    """An address with its prefix length on a link."""

    netns: str
    link: str
    cidr: str


@dataclass(frozen=True, slots=True)
class Route:
    """A unicast route through a gateway."""

    netns: str
    to: str
    via: str
    reason: str


@dataclass(frozen=True, slots=True)
class Network:
    """All objects of a cluster's network, in the order in which they can be created."""

    namespaces: tuple[Namespace, ...]
    bridges: tuple[Bridge, ...]
    veths: tuple[Veth, ...]
    addresses: tuple[Address, ...]
    routes: tuple[Route, ...]
    nft: str
    """The host's table in nft syntax."""


_COMMON_SYSCTLS = (
    # Nodes route for their pods, the router for its racks.
    ("ipv4/ip_forward", "1"),
    ("ipv6/conf/all/forwarding", "1"),
    ("ipv6/conf/default/forwarding", "1"),
    # Addresses are assigned statically: no duplicate address detection, no router advertisements.
    ("ipv6/conf/default/accept_dad", "0"),
    ("ipv6/conf/all/accept_dad", "0"),
    ("ipv6/conf/default/accept_ra", "0"),
)
_NODE_SYSCTLS = (
    # Loose: the reply to a packet from the overlay may take another route (host-gw, racks).
    ("ipv4/conf/all/rp_filter", "2"),
    ("ipv4/conf/default/rp_filter", "2"),
    # Services must also work between two pods on the same bridge.
    ("bridge/bridge-nf-call-iptables", "1"),
    ("bridge/bridge-nf-call-ip6tables", "1"),
)
_ROUTER_SYSCTLS = (
    ("ipv4/conf/all/rp_filter", "0"),
    ("ipv4/conf/default/rp_filter", "0"),
    # The router only switches and routes: no packet filter.
    ("bridge/bridge-nf-call-iptables", "0"),
    ("bridge/bridge-nf-call-ip6tables", "0"),
    ("bridge/bridge-nf-call-arptables", "0"),
)


def node_mac(layout: Layout, node: NodeRecord) -> str:
    """A locally administered MAC that never changes, so that neighbours need not relearn it."""
    return _mac(layout, node.rack, node.host)


def node_addresses(layout: Layout, node: NodeRecord, *, ipv6: bool = True) -> list[str]:
    """Addresses of a node without prefix length, IPv4 first."""
    segment = layout.rack(node.rack)
    cidrs = [segment.v4_at(node.host)] + ([segment.v6_at(node.host)] if ipv6 else [])
    return [cidr.partition("/")[0] for cidr in cidrs]


def desired_network(layout: Layout, nodes: list[NodeRecord], racks: int, *, ipv6: bool = True) -> Network:
    """The network for these nodes."""
    router = layout.router_netns
    segments = [layout.rack(rack) for rack in range(racks)]
    namespaces = [Namespace(router, "router between racks and host", _COMMON_SYSCTLS + _ROUTER_SYSCTLS)]
    bridges = [Bridge(router, layout.rack_bridge(rack), _mac(layout, rack, 1), f"rack {rack}") for rack in range(racks)]
    veths = [_transit_veth(layout)]
    addresses = _addresses(HOST, layout.host_link, layout.transit, 1, ipv6)
    addresses += _addresses(router, layout.router_link, layout.transit, 2, ipv6)
    routes = _default_routes(router, layout.transit, ipv6)
    for rack, segment in enumerate(segments):
        addresses += _addresses(router, layout.rack_bridge(rack), segment, 1, ipv6)
        routes += _host_routes(layout, rack, segment, ipv6)
    for node in nodes:
        netns = layout.node(node.name).netns
        namespaces.append(Namespace(netns, f"node {node.name}", _COMMON_SYSCTLS + _NODE_SYSCTLS))
        veths.append(_node_veth(layout, node))
        addresses += _addresses(netns, NODE_LINK, layout.rack(node.rack), node.host, ipv6)
        routes += _default_routes(netns, layout.rack(node.rack), ipv6)
    return Network(tuple(namespaces), tuple(bridges), tuple(veths), tuple(addresses), tuple(routes), nft_table(layout))


def nft_table(layout: Layout) -> str:
    """The host's rules: masquerade packets from nodes to other networks."""
    rule = (
        f'ip saddr {layout.underlay_v4} oifname != "{layout.host_link}" masquerade fully-random '
        f'comment "nodes of {layout.cluster} reach other networks"'
    )
    return (
        f"table inet {layout.nft_table} {{\n"
        "\tchain postrouting {\n"
        "\t\ttype nat hook postrouting priority srcnat; policy accept;\n"
        f"\t\t{rule}\n"
        "\t}\n}\n"
    )


def _mac(layout: Layout, segment: int, host: int) -> str:
    return f"02:89:00:{layout.slot:02x}:{segment:02x}:{host:02x}"


def _transit_veth(layout: Layout) -> Veth:
    mac = _mac(layout, _TRANSIT, 2)
    reason = f"{layout.context}: host to router"
    return Veth(HOST, layout.host_link, layout.router_netns, layout.router_link, mac, None, reason)


def _node_veth(layout: Layout, node: NodeRecord) -> Veth:
    return Veth(
        layout.router_netns,
        layout.node_port(node.rack, node.host),
        layout.node(node.name).netns,
        NODE_LINK,
        node_mac(layout, node),
        layout.rack_bridge(node.rack),
        f"{layout.context}: node {node.name} in rack {node.rack}",
    )


def _addresses(netns: str, link: str, segment: Segment, host: int, ipv6: bool) -> list[Address]:
    cidrs = [segment.v4_at(host)] + ([segment.v6_at(host)] if ipv6 else [])
    return [Address(netns, link, cidr) for cidr in cidrs]


def _default_routes(netns: str, segment: Segment, ipv6: bool) -> list[Route]:
    # .1 is the host in the transit segment and the router in a rack: the default gateway of its segment.
    gateways = [segment.v4.network_address + 1] + ([segment.v6.network_address + 1] if ipv6 else [])
    return [Route(netns, "default", str(gateway), "default gateway") for gateway in gateways]


def _host_routes(layout: Layout, rack: int, segment: Segment, ipv6: bool) -> list[Route]:
    transit = layout.transit
    pairs = [(str(segment.v4), str(transit.v4.network_address + 2))]
    if ipv6:
        pairs.append((str(segment.v6), str(transit.v6.network_address + 2)))
    return [Route(HOST, to, via, f"host reaches rack {rack}") for to, via in pairs]
