"""Objects that are sent before the comparison: the result is the same, but sooner."""

import subprocess
import time
import uuid
from collections.abc import Iterator
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pybernetes.flannel.backends.vxlan import VxlanLink
from pybernetes.flannel.backends.wireguard.device import WireguardLink
from pybernetes.flannel.backends.wireguard.peers import WireguardPeer
from pybernetes.flannel.kernel.desired import Desired, Forwarding, LearnedRoute, Neighbour, PeerRoute, merge
from pybernetes.flannel.kernel.fast_path import news, send
from pybernetes.flannel.reconciler import Reconciler
from pybernetes.linux import addr, link, netns
from pybernetes.linux.rtnl import Netlink
from pybernetes.linux.wireguard import Endpoint

from .kinds import KINDS, observe, reconcile

DEVICE = VxlanLink("flannel.1", 1, 8472, "192.0.2.1", "eth0", 1400, "02:00:00:00:00:01")
DEVICES = (DEVICE, replace(DEVICE, name="flannel-v6.1", local="2001:db8::1", port=8473))


def peer(number: int, host: int) -> Desired:
    """A peer that is reached by a tunnel for each family; another `host` has another MAC and public address."""
    mac = f"02:00:00:00:{host:02x}:{number:02x}"
    ends = (f"10.244.{number}.0", f"10.244.{number}.0/24"), (f"fd00:244:0:{number}::", f"fd00:244:0:{number}::/64")
    public = f"192.0.2.{host}", f"2001:db8::{host:x}"
    return Desired(
        *(PeerRoute(d, e, li.name, onlink=True) for li, (e, d) in zip(DEVICES, ends, strict=True)),
        *(Neighbour(li.name, e, mac) for li, (e, _) in zip(DEVICES, ends, strict=True)),
        *(Forwarding(li.name, mac, p) for li, p in zip(DEVICES, public, strict=True)),
    )


def state(hosts: dict[int, int], *more: object) -> Desired:
    """All peers, by number and host."""
    return merge([Desired(*DEVICES, *more), *(peer(number, host) for number, host in hosts.items())])


HOSTS = st.dictionaries(st.integers(2, 5), st.integers(10, 12), max_size=4)


@given(HOSTS, HOSTS)
def test_only_newly_desired_objects_are_sent_early(now: dict[int, int], before: dict[int, int]) -> None:
    want, last = state(now), state(before)
    found = news(want, last, KINDS)
    assert set(found.routes) == set(want.routes) - set(last.routes)
    assert set(found.neighbours) == set(want.neighbours) - set(last.neighbours)
    assert set(found.forwarding) == set(want.forwarding) - set(last.forwarding)
    assert found.devices == ()
    with_problem = merge([want, Desired(problems=("a fault",))])
    assert news(want, want, KINDS) == news(with_problem, want, KINDS) == Desired()


def test_with_changed_devices_nothing_is_sent_early() -> None:
    want = state({2: 10}).with_only(VxlanLink, DEVICES[:1])
    assert news(want, state({}), KINDS) == Desired()


@pytest.mark.parametrize(
    "more",
    [
        (
            WireguardLink("flannel-wg", 51820, 1420),
            WireguardPeer("flannel-wg", "key", Endpoint("192.0.2.9", 51820), ("10.244.9.0/24",)),
        ),
        (LearnedRoute("10.244.2.0/24"),),
    ],
)
def test_if_routes_may_have_to_wait_nothing_is_sent_early(more: tuple[object, ...]) -> None:
    want = state({2: 10}, *more)
    assert news(want, state({}), KINDS) == Desired()
    assert news(want, state({}, *more), KINDS) == Desired()


@pytest.fixture
def node() -> Iterator[Netlink]:
    """A node with an interface to others."""
    name = f"pbt-{uuid.uuid4().hex[:8]}"
    netns.create(name)
    try:
        with Netlink(name) as nl:
            eth0 = link.add_veth(nl, "eth0", "far", up=True).index
            link.set_up(nl, "far")
            addr.add(nl, eth0, "192.0.2.1/24")
            addr.add(nl, eth0, "2001:db8::1/64")
            yield nl
    finally:
        netns.delete(name)


def held(nl: Netlink) -> tuple[frozenset[object], ...]:
    """The entries that the kernel has."""
    have = observe(nl)
    return have.routes, have.neighbours, have.forwarding


def desired(want: Desired) -> tuple[frozenset[object], ...]:
    return frozenset(want.routes), frozenset(want.neighbours), frozenset(want.forwarding)


#: Commands of another program between two passes; the kernel may refuse them.
EXTERNAL_CHANGES = (
    "ip link del flannel.1",
    "ip link set flannel.1 down",
    "ip link del flannel-v6.1",
    "ip route flush proto 70",
    "ip -6 route del fd00:244:0:2::/64",
    "ip route replace 10.244.3.0/24 via 192.0.2.77 proto 70",
    "ip -6 route replace fd00:244:0:4::/64 via 2001:db8::77 proto 70",
    "ip neigh replace 10.244.2.0 lladdr 02:00:00:00:ff:ff dev flannel.1 nud permanent",
    "ip neigh flush dev flannel-v6.1 nud permanent",
    "bridge fdb append 02:00:00:00:0a:02 dev flannel.1 dst 192.0.2.99 self permanent",
    "bridge fdb del 02:00:00:00:0a:03 dev flannel.1 self",
)


@pytest.mark.kernel
@pytest.mark.slow
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(HOSTS, st.lists(st.sampled_from(EXTERNAL_CHANGES), max_size=2)), min_size=2, max_size=5))
def test_any_external_changes_are_repaired(node: Netlink, steps: list[tuple[dict[int, int], list[str]]]) -> None:
    kernel = Reconciler(KINDS)
    for hosts, edits in steps:
        want = state(hosts)
        kernel.reconcile(node, want, time.time())
        again = kernel.reconcile(node, want, time.time())
        assert (again.errors, again.done) == ((), ())
        assert held(node) == desired(want)
        for edit in edits:
            subprocess.run(netns.argv_in(node.netns, edit.split()), capture_output=True, check=False)


@pytest.mark.kernel
def test_a_change_is_in_the_kernel_before_the_comparison(node: Netlink) -> None:
    first, second = state({2: 10, 3: 10}), state({2: 11, 3: 10, 4: 10})
    assert reconcile(node, first).errors == ()
    assert (
        len(send(node, news(second, first, KINDS), KINDS, 0).done) == 2 + 2 + 6
    )  # two MACs, their FDB entries, and the six entries of a peer
    done = reconcile(node, second).done
    assert len(done) == 2, done
    assert all("removed" in text for text in done), "entries of the previous MAC"
    assert held(node) == desired(second)


@pytest.mark.kernel
def test_a_device_that_was_removed_meanwhile_is_left_to_the_comparison(node: Netlink) -> None:
    first, second = state({2: 10}), state({2: 11})
    kernel = Reconciler(KINDS)
    kernel.reconcile(node, first, time.time())
    link.ensure_deleted(node, "flannel.1")
    assert send(node, news(second, first, KINDS), KINDS, 0).done == []
    outcome = kernel.reconcile(node, second, time.time())
    assert outcome.errors == ()
    assert held(node) == desired(second)
