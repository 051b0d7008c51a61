"""The network in a real kernel: packets pass, drift is repaired, nothing is left over."""

import subprocess
from pathlib import Path

import pytest

from pybernetes.cluster.host import prepare_host, restore_host
from pybernetes.cluster.inventory import Roots, inventory
from pybernetes.cluster.layout import Layout
from pybernetes.cluster.network import HOST, Network, desired_network, node_addresses
from pybernetes.cluster.network_apply import actions, apply_network, observe, remove_network
from pybernetes.cluster.nodes import has_ipv6
from pybernetes.cluster.registry import NodeRecord, Registry, default_node_names
from pybernetes.linux import netns as namespaces
from pybernetes.linux import sysctl

pytestmark = [pytest.mark.kernel, pytest.mark.slow]


def up(registry: Registry, name: str, count: int, racks: int) -> tuple[Layout, list[NodeRecord], Network]:
    layout, nodes = registry.allocate(name, default_node_names(count), racks=racks)
    network = desired_network(layout, nodes, racks, ipv6=has_ipv6())
    apply_network(network)
    return layout, nodes, network


def pings(netns: str | Path | None, address: str) -> bool:
    enter = ["nsenter", f"--net={netns}", "--"] if netns else []
    command = [*enter, "ping", "-c1", "-W2", address]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


def drift(network: Network) -> dict[str, list[str]]:
    seen = {namespace.name: observe(namespace.name) for namespace in network.namespaces}
    return actions(network, {**seen, HOST: observe(HOST)})


@pytest.mark.parametrize("racks", [1, 3])
def test_all_nodes_reach_each_other(registry: Registry, name: str, racks: int) -> None:
    layout, nodes, network = up(registry, name, 3, racks)
    first = layout.node("node-1").netns_path
    for node in nodes[1:]:
        for address in node_addresses(layout, node, ipv6=has_ipv6()):
            assert pings(first, address)
            assert pings(None, address)
    assert pings(first, str(layout.host_address))
    assert drift(network) == {}


def test_racks_are_separate_segments(registry: Registry, name: str) -> None:
    layout, nodes, _ = up(registry, name, 2, 2)
    far = node_addresses(layout, nodes[1])[0]
    shown = subprocess.run(
        ["ip", "-n", layout.node("node-1").netns, "route", "get", far], capture_output=True, text=True, check=True
    )
    assert f"via {layout.rack(0).v4.network_address + 1}" in shown.stdout


def test_drift_of_every_kind_is_repaired(registry: Registry, name: str) -> None:
    layout, nodes, network = up(registry, name, 3, 1)
    node = layout.node("node-1").netns
    for command in (
        ["ip", "-n", node, "route", "del", "default"],
        ["ip", "-n", node, "link", "set", "lo", "down"],
        ["ip", "-n", layout.router_netns, "link", "del", layout.node_port(0, nodes[1].host)],
        ["ip", "netns", "del", layout.node("node-3").netns],
        ["ip", "link", "set", layout.host_link, "down"],
        ["nft", "delete", "table", "inet", layout.nft_table],
    ):
        subprocess.run(command, check=True)
    apply_network(network)
    apply_network(network)
    assert drift(network) == {}
    assert inventory(name).nft_tables == (layout.nft_table,)
    for other in nodes[1:]:
        assert pings(layout.node("node-1").netns_path, node_addresses(layout, other)[0])


def test_a_leftover_name_without_a_namespace_is_reused(registry: Registry, name: str) -> None:
    layout, _ = registry.allocate(name, ["node-1"])
    path = layout.node("node-1").netns_path
    path.parent.mkdir(exist_ok=True)
    path.touch()
    up(registry, name, 1, 1)
    assert pings(path, str(layout.host_address))


def test_removing_one_cluster_keeps_the_other(registry: Registry, name: str) -> None:
    up(registry, name, 2, 1)
    layout, nodes, network = up(registry, f"{name}-b", 2, 2)
    remove_network(name)
    remove_network(name)
    left = inventory(name)
    assert (left.links, left.namespaces, left.nft_tables) == ((), (), ())
    assert drift(network) == {}
    assert pings(layout.node("node-1").netns_path, node_addresses(layout, nodes[1])[0])


def test_the_hosts_forwarding_is_restored(registry: Registry, roots: Roots, name: str) -> None:
    def forwarding() -> str:
        return Path("/proc/sys/net/ipv4/ip_forward").read_text().strip()

    def scenario() -> None:
        assert forwarding() == "0"
        registry.allocate(name, ["n"])
        prepare_host(registry)
        prepare_host(registry)
        assert forwarding() == "1"
        restore_host(registry)
        assert forwarding() == "1", "a cluster still needs it"
        registry.release(name)
        restore_host(registry)
        assert forwarding() == "0"

    # Use a separate namespace in place of the host's: other clusters may need forwarding on the real one.
    namespaces.create(name)
    try:
        sysctl.write("net.ipv4.ip_forward", 0, name)
        namespaces.run_in(name, scenario)
    finally:
        namespaces.delete(name)
    assert not (roots.state / "clusters.json").exists()
