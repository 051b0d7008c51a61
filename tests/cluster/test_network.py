"""The desired network for nodes and racks, and the actions from an observed state to it."""

from pybernetes.cluster.layout import Layout
from pybernetes.cluster.network import HOST, Network, desired_network, node_addresses
from pybernetes.cluster.network_apply import Observed, actions
from pybernetes.cluster.registry import NodeRecord

LAYOUT = Layout("dev", 0)
NODES = [NodeRecord("node-1", 0, 2), NodeRecord("node-2", 1, 2), NodeRecord("node-3", 0, 3)]


def desired(racks: int = 2, *, ipv6: bool = True) -> Network:
    return desired_network(LAYOUT, NODES, racks, ipv6=ipv6)


def test_each_node_has_a_namespace_a_link_addresses_and_a_default_route() -> None:
    network = desired()
    names = [namespace.name for namespace in network.namespaces]
    assert names == ["pybernetes-dev.router", *(f"pybernetes-dev.node-{n}" for n in (1, 2, 3))]
    for node in NODES:
        netns = LAYOUT.node(node.name).netns
        cidrs = [address.cidr for address in network.addresses if address.netns == netns]
        assert [cidr.partition("/")[0] for cidr in cidrs] == node_addresses(LAYOUT, node)
        assert [route.to for route in network.routes if route.netns == netns] == ["default", "default"]


def test_the_host_has_one_link_and_a_route_per_rack_and_family() -> None:
    network = desired()
    assert [veth.name for veth in network.veths if veth.netns == HOST] == ["pyb0host"]
    to = {route.to for route in network.routes if route.netns == HOST}
    assert to == {"10.89.0.0/24", "10.89.1.0/24", "fd00:89::/64", "fd00:89:0:1::/64"}


def test_macs_and_addresses_differ() -> None:
    network = desired()
    macs = [veth.peer_mac for veth in network.veths] + [bridge.mac for bridge in network.bridges]
    assert len(set(macs)) == len(macs)
    cidrs = [address.cidr for address in network.addresses]
    assert len(set(cidrs)) == len(cidrs)


def test_without_ipv6_there_are_no_ipv6_addresses() -> None:
    network = desired(ipv6=False)
    assert not [a for a in network.addresses if ":" in a.cidr]
    assert not [r for r in network.routes if ":" in r.via]


def test_every_object_has_a_reason() -> None:
    network = desired()
    reasons = [thing.reason for thing in network.namespaces]
    reasons += [thing.reason for thing in network.bridges]
    reasons += [thing.reason for thing in network.veths]
    reasons += [thing.reason for thing in network.routes]
    assert all(reasons)


def test_everything_is_created_from_an_empty_state() -> None:
    batches = actions(desired(), {})
    lines = [line for batch in batches.values() for line in batch]
    assert sum(line.startswith("link add") for line in lines) == 2 + 1 + 3
    assert batches["pybernetes-dev.node-1"].count("addr replace 10.89.0.2/24 dev eth0") == 1


def test_a_pair_that_lost_one_end_is_recreated() -> None:
    only_near = Observed.of_links("pyb0r0n2")
    batch = actions(desired(), {LAYOUT.router_netns: only_near})[LAYOUT.router_netns]
    assert "link del dev pyb0r0n2" in batch


def test_masquerading_covers_the_nodes_of_this_cluster_only() -> None:
    assert "ip saddr 10.89.0.0/21" in desired().nft
    assert "ip saddr 10.89.8.0/21" in desired_network(Layout("other", 1), [], 1).nft
