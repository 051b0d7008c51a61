"""Names, paths and addresses derived from a cluster's name and slot."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pybernetes.cluster.errors import InvalidName
from pybernetes.cluster.layout import MAX_RACKS, SLOTS, UNDERLAY_V4, UNDERLAY_V6, Layout
from pybernetes.cluster.names import MAX_LINK_NAME, check_cluster_name, check_node_name

LABEL = st.from_regex(r"[a-z0-9]([-a-z0-9]{0,22}[a-z0-9])?", fullmatch=True)


@pytest.mark.parametrize("bad", ["", "A", "a_b", "-a", "a-", "a.b", "a/b", "..", "a b", "ä", "a" * 25, "a\n"])
def test_invalid_cluster_names_are_refused_with_the_rule(bad: str) -> None:
    with pytest.raises(InvalidName, match="cluster name"):
        check_cluster_name(bad)


@pytest.mark.parametrize("bad", ["", "Node", "n_1", "router", "n" * 33, "../x"])
def test_invalid_node_names_are_refused(bad: str) -> None:
    with pytest.raises(InvalidName, match="node name"):
        check_node_name(bad)


@given(LABEL, st.integers(0, SLOTS - 1))
def test_link_names_fit_the_kernel(cluster: str, slot: int) -> None:
    layout = Layout(cluster, slot)
    links = [layout.host_link, layout.router_link]
    links += [layout.rack_bridge(rack) for rack in range(MAX_RACKS)]
    links += [layout.node_port(rack, host) for rack in range(MAX_RACKS) for host in (2, 250)]
    assert all(len(link) <= MAX_LINK_NAME for link in links)
    assert len(set(links)) == len(links)


def test_longest_socket_path_fits_sockaddr_un() -> None:
    paths = Layout("c" * 24, 0).node("n" * 32)
    assert len(f"{paths.containerd_socket}.ttrpc") < 108


def test_slots_never_share_addresses_or_links() -> None:
    layouts = [Layout("a", slot) for slot in range(SLOTS)]
    for one, other in itertools.combinations(layouts, 2):
        assert not one.underlay_v4.overlaps(other.underlay_v4)
        assert not one.underlay_v6.overlaps(other.underlay_v6)
        assert one.host_link != other.host_link
    for layout in layouts:
        assert layout.underlay_v4.subnet_of(UNDERLAY_V4)
        assert layout.underlay_v6.subnet_of(UNDERLAY_V6)
        segments = [layout.rack(rack) for rack in range(MAX_RACKS)] + [layout.transit]
        for first, second in itertools.combinations(segments, 2):
            assert not first.v4.overlaps(second.v4)
            assert not first.v6.overlaps(second.v6)


def test_names_of_namespaces_are_unambiguous() -> None:
    assert Layout("a", 0).node("b-c").netns != Layout("a-b", 1).node("c").netns


def test_a_slot_out_of_range_is_a_programming_error() -> None:
    with pytest.raises(ValueError, match="slot 32"):
        Layout("a", SLOTS)
    with pytest.raises(ValueError, match="rack 7"):
        Layout("a", 0).rack(MAX_RACKS)


def test_addresses_of_a_cluster() -> None:
    layout = Layout("dev", 1)
    assert str(layout.host_address) == "10.89.15.1"
    assert layout.rack(0).v4_at(2) == "10.89.8.2/24"
    assert layout.rack(0).v6_at(2) == "fd00:89:1::2/64"
    assert layout.api_url_for_nodes == "https://10.89.15.1:6443"
    assert str(layout.service_address) == "10.96.0.1"
