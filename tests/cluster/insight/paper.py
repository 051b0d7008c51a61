"""Clusters on paper, whole and healthy, and ways to break them."""

import base64
import ipaddress
import json
from dataclasses import replace
from typing import Any

from pybernetes.cluster.insight.facts import BirdFacts, ClusterFacts, KernelFacts, NodeFacts
from pybernetes.cluster.insight.hops import PodFacts, World
from pybernetes.flannel import config, network
from pybernetes.flannel.backends import BACKENDS
from pybernetes.flannel.bgp.bird import protocol_name
from pybernetes.flannel.bgp.control import SessionState
from pybernetes.flannel.bgp.learned import BIRD_PROTOCOL, LEARNED_METRIC
from pybernetes.flannel.desired import Desired
from pybernetes.flannel.lease import FamilyLease, Lease, Underlay
from pybernetes.linux.addr import SCOPES, Address
from pybernetes.linux.fdb import FdbEntry
from pybernetes.linux.link import IpipInfo, Link, VxlanInfo
from pybernetes.linux.linkmsg import IFF_LOOPBACK, IFF_RUNNING, IFF_UP
from pybernetes.linux.neigh import Neighbour
from pybernetes.linux.route import Route
from pybernetes.linux.wireguard import Device, Peer

LO, ETH0, FLANNEL, CNI0, VETH = 1, 2, 3, 4, 5
_FLAGS = IFF_UP | IFF_RUNNING
SETTINGS = {
    "net.bridge.bridge-nf-call-iptables": "1",
    "net.netfilter.nf_conntrack_count": "100",
    "net.netfilter.nf_conntrack_max": "65536",
    "net/ipv4/conf/all/rp_filter": "2",
}
RULES = "table ip flannel-ipv4 {\n\tchain postrtg {\n\t\tip saddr 10.244.0.0/16 masquerade\n\t}\n}\n"


def subnet(number: int) -> str:
    return f"10.244.{number}.0/24"


def public(number: int, racks: int) -> str:
    """Nodes 1, 3, ... are in the first rack if there are two."""
    return f"192.0.{2 + (number - 1) % racks}.{10 + number}"


def wireguard_key(number: int) -> str:
    """The public key of a node."""
    return base64.b64encode(bytes([number]) * 32).decode()


def link(index: int, name: str, kind: str = "", **values: Any) -> Link:
    values.setdefault("mac", f"02:00:00:00:00:{index:02x}")
    return Link(**{"index": index, "name": name, "mtu": 1500, "flags": _FLAGS, "kind": kind, **values})


def cluster(backend: str = "vxlan", nodes: int = 2, racks: int = 1, **options: Any) -> ClusterFacts:
    """A healthy cluster with a pod on each node."""
    document = {"Network": "10.244.0.0/16", "Backend": {"Type": backend, **options}}
    parsed = config.parse(json.dumps(document), frozenset(BACKENDS))
    leases = [_lease(backend, number, racks) for number in range(1, nodes + 1)]
    made = [_node(parsed, leases, number, racks) for number in range(1, nodes + 1)]
    services = (ipaddress.ip_network("10.96.0.0/12"),)
    return ClusterFacts(name="paper", config=parsed, services=services, nodes=tuple(made))


def _lease(backend: str, number: int, racks: int) -> Lease:
    data: dict[str, Any] = {
        "vxlan": {"VNI": 1, "VtepMAC": f"02:00:00:00:01:{number:02x}"},
        "wireguard": {"PublicKey": wireguard_key(number)},
        "bgp": {"ASNumber": 64512},
    }.get(backend, {})
    part = FamilyLease(ipaddress.ip_network(subnet(number)), ipaddress.ip_address(public(number, racks)), data)
    return Lease(f"node-{number}", backend, (part,))


def _node(parsed: config.NetworkConfig, leases: list[Lease], number: int, racks: int) -> NodeFacts:
    address = public(number, racks)
    own = ipaddress.ip_interface(f"{address}/24")
    me = network.Node(leases[number - 1], Underlay("eth0", ETH0, 1500, (own,)))
    want = network.desired_state(parsed, me, leases, linger=frozenset())
    mtu = network.mtu(parsed, me.underlay)
    env = (
        f"FLANNEL_NETWORK=10.244.0.0/16\nFLANNEL_SUBNET=10.244.{number}.1/24\nFLANNEL_MTU={mtu}\nFLANNEL_IPMASQ=true\n"
    )
    return NodeFacts(
        name=f"node-{number}",
        internal_ips=(address,),
        lease=leases[number - 1],
        kernel=_kernel(want, number, own, mtu, racks),
        bird=_bird(want),
        subnet_env=f"{env}FLANNEL_IPMASQ=true\n",
        rules={"flannel-ipv4": RULES},
        rules_right={"flannel-ipv4": RULES},
    )


def _learned(dst: str, racks: int, router: str) -> Route:
    """By the peer itself, or by the router between the racks."""
    peer = public(int(dst.split(".")[2]), racks)
    direct = peer.rpartition(".")[0] == router.rpartition(".")[0]
    return Route(dst, ETH0, peer if direct else router, protocol=BIRD_PROTOCOL, metric=LEARNED_METRIC)


def _device(want: Desired, name: str, number: int) -> Device:
    peers = tuple(Peer(p.public_key, p.endpoint, frozenset(p.allowed)) for p in want.wireguard_peers if p.link == name)
    return Device(name, wireguard_key(number), listen_port=51820, peers=peers)


def _bird(want: Desired) -> BirdFacts | None:
    states = tuple(SessionState(protocol_name(s.address), True, "Established") for s in want.sessions)
    return BirdFacts("/run/bird.ctl", True, states) if want.speakers else None


def _kernel(want: Desired, number: int, own: Any, mtu: int, racks: int) -> KernelFacts:
    links = [
        link(LO, "lo", flags=_FLAGS | IFF_LOOPBACK),
        link(ETH0, "eth0", "veth", mac=f"02:00:00:00:03:{number:02x}"),
    ]
    links += [
        link(FLANNEL, v.name, "vxlan", mtu=v.mtu, mac=v.mac, vxlan=VxlanInfo(v.vni, v.port, v.local, ETH0, v.learning))
        for v in want.links
    ]
    links += [link(FLANNEL, tun.name, "tun", mtu=tun.mtu) for tun in want.tuns]
    links += [link(FLANNEL, t.name, "ipip", mtu=t.mtu, ipip=IpipInfo(t.local)) for t in want.ipips]
    links += [link(FLANNEL, x.name, "xfrm", mtu=x.mtu, if_id=x.if_id) for x in want.xfrms]
    links += [link(FLANNEL, wg.name, "wireguard", mtu=wg.mtu) for wg in want.wireguards]
    links += [link(CNI0, "cni0", "bridge", mtu=mtu), link(VETH, "veth1", "veth", master=CNI0, peer=2, mtu=mtu)]
    index = {li.name: li.index for li in links}
    addresses = [Address(LO, "127.0.0.1/8", SCOPES["host"]), Address(ETH0, str(own))]
    addresses += [Address(index[a.link], a.cidr) for a in want.addresses]
    addresses.append(Address(CNI0, f"10.244.{number}.1/24"))
    local = [Route(f"{a.ip}/32", a.index, table=255, protocol=2, kind="local") for a in addresses]
    router = str(own.network.network_address + 1)
    routes = [
        Route("0.0.0.0/0", ETH0, router),
        Route(str(own.network), ETH0, protocol=2),
        Route(subnet(number), CNI0, protocol=2),
        *(Route(r.dst, index[r.link], r.gateway, protocol=70, onlink=r.onlink) for r in want.routes if r.link),
        *(_learned(r.dst, racks, router) for r in want.learned),
    ]
    return KernelFacts(
        links=tuple(links),
        addresses=tuple(addresses),
        routes=(*local, *routes),
        neighbours=tuple(Neighbour(index[n.link], n.ip, n.mac) for n in want.neighbours),
        forwarding=tuple(FdbEntry(index[f.link], f.mac, f.dst) for f in want.forwarding),
        settings=SETTINGS,
        udp_ports=frozenset(end.port for end in want.udp_ends),
        wireguards=tuple(_device(want, wg.name, number) for wg in want.wireguards),
    )


def pods(facts: ClusterFacts) -> dict[str, PodFacts]:
    """One pod per node: `default/pod-1` has 10.244.1.2."""
    found = {}
    for number, node in enumerate(facts.nodes, 1):
        ip = f"10.244.{number}.2"
        inside = KernelFacts(
            links=(link(2, "eth0", "veth", peer=VETH, mac=f"02:00:00:00:02:{number:02x}"),),
            addresses=(Address(2, f"{ip}/24"),),
            routes=(
                Route(f"{ip}/32", 2, table=255, kind="local"),
                Route(subnet(number), 2),
                Route("0.0.0.0/0", 2, f"10.244.{number}.1"),
            ),
        )
        found[ip] = PodFacts(f"default/pod-{number}", ip, node.name, kernel=inside)
    return found


def world(facts: ClusterFacts) -> World:
    return World(facts, pods(facts))


def change(facts: ClusterFacts, name: str, **values: Any) -> ClusterFacts:
    """With other facts about one node; values that are not the node's are its kernel's."""
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
    """With one link changed, or removed if there are no values."""
    links = []
    for li in kernel(facts, name).links:
        if li.name != which:
            links.append(li)
        elif values:
            links.append(replace(li, **values))
    return change(facts, name, links=tuple(links))
