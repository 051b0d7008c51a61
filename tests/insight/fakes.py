"""Facts of healthy fake clusters, and functions that break them."""

import base64
import ipaddress
import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from pybernetes.flannel import config, network
from pybernetes.flannel.backends import BACKENDS
from pybernetes.flannel.backends.bgp.bird import protocol_name
from pybernetes.flannel.backends.bgp.control import SessionState
from pybernetes.flannel.backends.bgp.learned import BIRD_PROTOCOL, LEARNED_METRIC
from pybernetes.flannel.backends.bgp.speaker import BgpSession, BgpSpeaker
from pybernetes.flannel.backends.ipip import IpipLink
from pybernetes.flannel.backends.ipsec.interface import XfrmLink
from pybernetes.flannel.backends.udp.backend import TunLink
from pybernetes.flannel.backends.udp.ends import UdpEnd
from pybernetes.flannel.backends.vxlan import VxlanLink
from pybernetes.flannel.backends.wireguard.device import WireguardLink
from pybernetes.flannel.backends.wireguard.peers import WireguardPeer
from pybernetes.flannel.kernel.desired import Desired, LearnedRoute
from pybernetes.flannel.leases.lease import FamilyLease, Lease, Node, Underlay
from pybernetes.flannel.subnet_file import SubnetFile
from pybernetes.insight.facts import BirdFacts, ClusterFacts, KernelFacts, NodeFacts, PodFacts, TraceFacts
from pybernetes.linux.addr import SCOPES, Address
from pybernetes.linux.fdb import FdbEntry
from pybernetes.linux.link import IpipInfo, Link, VxlanInfo
from pybernetes.linux.linkmsg import IFF_LOOPBACK, IFF_RUNNING, IFF_UP
from pybernetes.linux.neigh import Neighbour
from pybernetes.linux.route import Route
from pybernetes.linux.wireguard import Device, Peer

LO, ETH0, FLANNEL, CNI0, VETH = 1, 2, 3, 4, 5
#: One per family.
FLANNELS = (FLANNEL, 6)
DEFAULTS = {4: "0.0.0.0/0", 6: "::/0"}
_FLAGS = IFF_UP | IFF_RUNNING
SETTINGS = {
    "net.bridge.bridge-nf-call-iptables": "1",
    "net.bridge.bridge-nf-call-ip6tables": "1",
    "net.netfilter.nf_conntrack_count": "100",
    "net.netfilter.nf_conntrack_max": "65536",
    "net/ipv4/conf/all/rp_filter": "2",
}
RULES = "table ip flannel-ipv4 {\n\tchain postrtg {\n\t\tip saddr 10.244.0.0/16 masquerade\n\t}\n}\n"


def subnet(number: int, version: int = 4) -> str:
    return f"10.244.{number}.0/24" if version == 4 else f"fd00:10:244:{number}::/64"


def gateway(number: int, version: int) -> str:
    """The address with its prefix length."""
    return f"10.244.{number}.1/24" if version == 4 else f"fd00:10:244:{number}::1/64"


def public(number: int, racks: int, version: int = 4) -> str:
    """Nodes 1, 3, ... are in the first rack if there are two."""
    rack = 2 + (number - 1) % racks
    return f"192.0.{rack}.{10 + number}" if version == 4 else f"2001:db8:{rack}::{10 + number}"


def wireguard_key(number: int) -> str:
    """The public key of a node."""
    return base64.b64encode(bytes([number]) * 32).decode()


def link(index: int, name: str, kind: str = "", **values: Any) -> Link:
    values.setdefault("mac", f"02:00:00:00:00:{index:02x}")
    return Link(**{"index": index, "name": name, "mtu": 1500, "flags": _FLAGS, "kind": kind, **values})


def cluster(backend: str = "vxlan", nodes: int = 2, racks: int = 1, families: int = 4, **options: Any) -> ClusterFacts:
    """A healthy cluster with a pod on each node. `families` is 4, 6 or 46."""
    document = {
        "Network": "10.244.0.0/16",
        "IPv6Network": "fd00:10:244::/48",
        "EnableIPv4": families != 6,
        "EnableIPv6": families != 4,
        "Backend": {"Type": backend, **options},
    }
    parsed = config.parse(json.dumps(document), frozenset(BACKENDS))
    leases = [_lease(parsed, number, racks) for number in range(1, nodes + 1)]
    made = [_node(parsed, leases, number, racks) for number in range(1, nodes + 1)]
    services = (ipaddress.ip_network("10.96.0.0/12"), ipaddress.ip_network("fd00:10:96::/112"))
    return ClusterFacts(name="fake", config=parsed, services=services, nodes=tuple(made))


def _lease(parsed: config.NetworkConfig, number: int, racks: int) -> Lease:
    def data(version: int) -> dict[str, Any]:
        known: dict[str, dict[str, Any]] = {
            "vxlan": {"VNI": 1, "VtepMAC": f"02:00:00:00:{version - 3:02x}:{number:02x}"},
            "wireguard": {"PublicKey": wireguard_key(number)},
            "bgp": {"ASNumber": 64512},
        }
        return known.get(parsed.backend, {})

    parts = [
        FamilyLease(ipaddress.ip_network(subnet(number, v)), ipaddress.ip_address(public(number, racks, v)), data(v))
        for v in (family.version for family in parsed.families)
    ]
    return Lease(f"node-{number}", parsed.backend, tuple(parts))


def _node(parsed: config.NetworkConfig, leases: list[Lease], number: int, racks: int) -> NodeFacts:
    lease = leases[number - 1]
    own = [ipaddress.ip_interface(f"{p.public_ip}/{24 if p.subnet.version == 4 else 64}") for p in lease.families]
    me = Node(lease, Underlay("eth0", ETH0, 1500, tuple(own)))
    want = network.desired_state(parsed, me, leases, linger=frozenset())
    mtu = network.mtu(parsed, me.underlay)
    env = {f.version: (str(f.network), gateway(number, f.version)) for f in parsed.families}
    rules = {f"flannel-ipv{f.version}": RULES for f in parsed.families}
    return NodeFacts(
        name=f"node-{number}",
        internal_ips=tuple(str(interface.ip) for interface in own),
        lease=lease,
        kernel=_kernel(want, number, own, mtu, racks),
        bird=_bird(want),
        subnet_env=SubnetFile(env, mtu, True).render(),
        rules=rules,
        rules_expected=rules,
    )


def _learned(dst: str, racks: int, own: Sequence[Any]) -> Route:
    """The gateway to a peer: the peer itself, or the router between the racks."""
    version = 6 if ":" in dst else 4
    peer = public(int(dst.split(":")[3] if version == 6 else dst.split(".")[2]), racks, version)
    segment = next(interface.network for interface in own if interface.version == version)
    direct, router = ipaddress.ip_address(peer) in segment, str(segment.network_address + 1)
    return Route(dst, ETH0, peer if direct else router, protocol=BIRD_PROTOCOL, metric=LEARNED_METRIC)


def _device(want: Desired, name: str, number: int) -> Device:
    peers = tuple(
        Peer(p.public_key, p.endpoint, frozenset(p.allowed)) for p in want.of(WireguardPeer) if p.link == name
    )
    return Device(name, wireguard_key(number), listen_port=51820, peers=peers)


def _bird(want: Desired) -> BirdFacts | None:
    states = tuple(SessionState(protocol_name(s.address), True, "Established") for s in want.of(BgpSession))
    return BirdFacts("/run/bird.ctl", True, states) if want.of(BgpSpeaker) else None


def _kernel(want: Desired, number: int, own: Sequence[Any], mtu: int, racks: int) -> KernelFacts:
    links = [
        link(LO, "lo", flags=_FLAGS | IFF_LOOPBACK),
        link(ETH0, "eth0", "veth", mac=f"02:00:00:00:03:{number:02x}"),
    ]
    links += [
        link(at, v.name, "vxlan", mtu=v.mtu, mac=v.mac, vxlan=VxlanInfo(v.vni, v.port, v.local, ETH0, v.learning))
        for at, v in zip(FLANNELS, want.of(VxlanLink), strict=False)
    ]
    links += [link(FLANNEL, tun.name, "tun", mtu=tun.mtu) for tun in want.of(TunLink)]
    links += [link(FLANNEL, t.name, "ipip", mtu=t.mtu, ipip=IpipInfo(t.local)) for t in want.of(IpipLink)]
    links += [
        link(at, x.name, "xfrm", mtu=x.mtu, if_id=x.if_id) for at, x in zip(FLANNELS, want.of(XfrmLink), strict=False)
    ]
    links += [link(at, w.name, "wireguard", mtu=w.mtu) for at, w in zip(FLANNELS, want.of(WireguardLink), strict=False)]
    links += [link(CNI0, "cni0", "bridge", mtu=mtu), link(VETH, "veth1", "veth", master=CNI0, peer=2, mtu=mtu)]
    index = {li.name: li.index for li in links}
    versions = [interface.version for interface in own]
    addresses = [Address(LO, "127.0.0.1/8", SCOPES["host"]), *(Address(ETH0, str(interface)) for interface in own)]
    addresses += [Address(index[a.link], a.cidr) for a in want.addresses]
    addresses += [Address(CNI0, gateway(number, version)) for version in versions]
    local = [_local(a.ip, a.index) for a in addresses]
    routes = [
        *(Route(DEFAULTS[i.version], ETH0, str(i.network.network_address + 1)) for i in own),
        *(Route(str(i.network), ETH0, protocol=2) for i in own),
        *(Route(subnet(number, version), CNI0, protocol=2) for version in versions),
        *(Route(r.dst, index[r.link], r.gateway, protocol=70, onlink=r.onlink) for r in want.routes if r.link),
        *(_learned(r.dst, racks, own) for r in want.of(LearnedRoute)),
    ]
    return KernelFacts(
        links=tuple(links),
        addresses=tuple(addresses),
        routes=(*local, *routes),
        neighbours=tuple(Neighbour(index[n.link], n.ip, n.mac) for n in want.neighbours),
        forwarding=tuple(FdbEntry(index[f.link], f.mac, f.dst) for f in want.forwarding),
        settings=SETTINGS,
        udp_ports=frozenset(end.port for end in want.of(UdpEnd)),
        wireguards=tuple(_device(want, wg.name, number) for wg in want.of(WireguardLink)),
    )


def _local(ip: str, index: int) -> Route:
    return Route(f"{ip}/{128 if ':' in ip else 32}", index, table=255, protocol=2, kind="local")


def pods(facts: ClusterFacts) -> dict[str, PodFacts]:
    """One pod per node and family: `default/pod-1` has 10.244.1.2, or fd00:10:244:1::2."""
    found = {}
    versions = [family.version for family in facts.config.families]
    for number, node in enumerate(facts.nodes, 1):
        ips = {v: str(ipaddress.ip_interface(gateway(number, v)).ip + 1) for v in versions}
        inside = KernelFacts(
            links=(link(2, "eth0", "veth", peer=VETH, mac=f"02:00:00:00:02:{number:02x}"),),
            addresses=tuple(Address(2, f"{ip}/{24 if v == 4 else 64}") for v, ip in ips.items()),
            routes=(
                *(_local(ip, 2) for ip in ips.values()),
                *(Route(subnet(number, v), 2) for v in versions),
                *(Route(DEFAULTS[v], 2, gateway(number, v).partition("/")[0]) for v in versions),
            ),
        )
        for ip in ips.values():
            found[ip] = PodFacts(f"default/pod-{number}", ip, node.name, kernel=inside)
    return found


def trace_facts(facts: ClusterFacts) -> TraceFacts:
    return TraceFacts(facts, pods(facts))


def change(facts: ClusterFacts, name: str, **values: Any) -> ClusterFacts:
    """Change facts of one node; names that NodeFacts lacks belong to its KernelFacts."""
    nodes = []
    for node in facts.nodes:
        if node.name == name:
            assert node.kernel is not None
            own = {key: value for key, value in values.items() if hasattr(node, key)}
            inner = {key: value for key, value in values.items() if not hasattr(node, key)}
            node = replace(node, **own)
            if inner and node.kernel is not None:
                node = replace(node, kernel=replace(node.kernel, **inner))
        nodes.append(node)
    return replace(facts, nodes=tuple(nodes))


def kernel(facts: ClusterFacts, name: str) -> KernelFacts:
    node = facts.node(name)
    assert node is not None and node.kernel is not None
    return node.kernel


def relink(facts: ClusterFacts, name: str, which: str, **values: Any) -> ClusterFacts:
    """Change one link, or remove it if there are no values."""
    links = []
    for li in kernel(facts, name).links:
        if li.name != which:
            links.append(li)
        elif values:
            links.append(replace(li, **values))
    return change(facts, name, links=tuple(links))
