"""Slots, ports and node addresses: persistent, distinct, and refused with a reason."""

import socket
from concurrent.futures import ThreadPoolExecutor

import pytest

from pybernetes.cluster.errors import ConfigError, InvalidName, NoRoom
from pybernetes.cluster.inventory import Roots
from pybernetes.cluster.layout import SLOTS
from pybernetes.cluster.registry import NodeRecord, Registry, default_node_names, place_nodes


def free(_: int) -> bool:
    return True


def allocate(
    registry: Registry, cluster: str, count: int = 1, *, racks: int = 1, api_port: int | None = None
) -> tuple[int, list[NodeRecord]]:
    names = default_node_names(count)
    layout, nodes = registry.allocate(
        cluster, names, racks=racks, api_port=api_port, port_is_free=free, slot_is_free=free
    )
    return layout.slot, nodes


def test_addresses_survive_and_new_nodes_are_added(registry: Registry) -> None:
    _, first = allocate(registry, "a", 2)
    _, again = allocate(registry, "a", 3)
    assert again[:2] == first
    assert [node.host for node in again] == [2, 3, 4]


def test_allocations_are_persistent_and_the_state_is_private(registry: Registry, roots: Roots) -> None:
    assert registry.nodes("a") == []
    assert registry.layout("a") is None
    _, nodes = allocate(registry, "a", 2)
    assert registry.nodes("a") == nodes
    assert (roots.state / "a").stat().st_mode & 0o777 == 0o700


def test_racks_are_filled_evenly(registry: Registry) -> None:
    _, nodes = allocate(registry, "a", 5, racks=2)
    assert [node.rack for node in nodes] == [0, 1, 0, 1, 0]


def test_the_number_of_racks_cannot_change(registry: Registry) -> None:
    allocate(registry, "a", 2, racks=2)
    with pytest.raises(ConfigError, match="--racks 2"):
        allocate(registry, "a", 2, racks=3)


def test_two_clusters_have_different_slots_and_ports(registry: Registry) -> None:
    allocate(registry, "a")
    allocate(registry, "b")
    records = registry.read().clusters
    assert records["a"].slot != records["b"].slot
    assert records["a"].api_port != records["b"].api_port


def test_clusters_created_concurrently_do_not_collide(registry: Registry) -> None:
    with ThreadPoolExecutor(8) as pool:
        slots = list(pool.map(lambda i: allocate(registry, f"c{i}")[0], range(8)))
    assert len(set(slots)) == 8


def test_a_released_slot_is_reused_and_the_file_is_removed_with_the_last_cluster(
    registry: Registry, roots: Roots
) -> None:
    slot, _ = allocate(registry, "a")
    allocate(registry, "b")
    registry.release("a")
    assert allocate(registry, "c")[0] == slot
    registry.release("b")
    registry.release("c")
    assert not (roots.state / "clusters.json").exists()
    registry.release("never-there")


def test_all_slots_in_use(registry: Registry) -> None:
    for number in range(SLOTS):
        allocate(registry, f"c{number}")
    with pytest.raises(NoRoom, match="32 clusters"):
        allocate(registry, "one-more")


def test_a_port_in_use_is_reported_with_the_fix(registry: Registry) -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        port = listener.getsockname()[1]
        with pytest.raises(ConfigError, match=f"port {port} is in use.*--api-port"):
            registry.allocate("a", ["n"], api_port=port, slot_is_free=free)
    assert registry.read().clusters == {}


@pytest.mark.parametrize("port", [0, -1, 70000])
def test_invalid_ports(registry: Registry, port: int) -> None:
    with pytest.raises(ConfigError, match="is not a port"):
        allocate(registry, "a", api_port=port)


def test_the_port_of_another_cluster(registry: Registry) -> None:
    allocate(registry, "a", api_port=7000)
    with pytest.raises(ConfigError, match="belongs to cluster 'a'"):
        allocate(registry, "b", api_port=7000)
    with pytest.raises(ConfigError, match="keeps it until 'down'"):
        allocate(registry, "a", api_port=7001)


def test_invalid_counts_and_names(registry: Registry) -> None:
    with pytest.raises(ConfigError, match="--nodes 0"):
        default_node_names(0)
    with pytest.raises(ConfigError, match="--racks 8"):
        allocate(registry, "a", racks=8)
    with pytest.raises(ConfigError, match="must be unique"):
        registry.allocate("a", ["n", "n"])
    with pytest.raises(InvalidName):
        registry.allocate("A", ["n"])
    with pytest.raises(InvalidName):
        registry.layout("../etc")


@pytest.mark.parametrize("garbage", [b"", b"{", b"[]", b'{"clusters": {"a": {"slot": "x"}}}', b"\xff\xfe"])
def test_a_damaged_file_is_reported_and_not_changed(registry: Registry, roots: Roots, garbage: bytes) -> None:
    roots.state.mkdir(parents=True)
    (roots.state / "clusters.json").write_bytes(garbage)
    with pytest.raises(ConfigError, match=r"clusters\.json"):
        allocate(registry, "a")
    assert (roots.state / "clusters.json").read_bytes() == garbage


def test_a_full_rack() -> None:
    known = [NodeRecord(f"n{host}", 0, host) for host in range(2, 251)]
    with pytest.raises(NoRoom, match="more --racks"):
        place_nodes(known, ["one-more"], 1)
    assert place_nodes(known, ["one-more"], 2)[-1] == NodeRecord("one-more", 1, 2)
