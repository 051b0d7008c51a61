"""Two nodes as network namespaces: packets cross, and external changes are repaired."""

import ipaddress
import os
import subprocess
import uuid
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from pybernetes.flannel.backends import BACKENDS
from pybernetes.flannel.config import NetworkConfig, parse
from pybernetes.flannel.kernel.routes import ROUTE_PROTOCOL
from pybernetes.flannel.leases.lease import FamilyLease, Lease, Node, Underlay
from pybernetes.flannel.network import desired_state
from pybernetes.linux import addr, link, netns, route, sysctl
from pybernetes.linux.rtnl import Netlink

from .kinds import observe, reconcile

pytestmark = pytest.mark.kernel

NONE: frozenset[str] = frozenset()


def config(backend: str) -> NetworkConfig:
    network = '"Network":"10.244.0.0/16","EnableIPv6":true,"IPv6Network":"fd00:244::/48"'
    text = f'{{{network},"Backend":{{"Type":"{backend}"}}}}'
    return parse(text, frozenset(BACKENDS))


@dataclass
class Host:
    """One node: a namespace with eth0 and a pod address."""

    name: str
    number: int

    def lease(self, backend: str) -> Lease:
        n = self.number
        data = {"VNI": 1, "VtepMAC": f"02:00:00:00:00:{n:02x}"} if backend == "vxlan" else {}
        return Lease(
            self.name,
            backend,
            (
                FamilyLease(ipaddress.ip_network(f"10.244.{n}.0/24"), ipaddress.ip_address(f"192.0.2.{n}"), data),
                FamilyLease(ipaddress.ip_network(f"fd00:244:0:{n}::/64"), ipaddress.ip_address(f"2001:db8::{n}"), data),
            ),
        )

    @property
    def underlay(self) -> Underlay:
        with Netlink(self.name) as nl:
            eth0 = link.link(nl, "eth0")
        ips = (
            ipaddress.ip_interface(f"192.0.2.{self.number}/24"),
            ipaddress.ip_interface(f"2001:db8::{self.number}/64"),
        )
        return Underlay("eth0", eth0.index, eth0.mtu, ips)

    def apply(self, backend: str, *peers: Lease, linger: frozenset[str] = NONE) -> tuple[str, ...]:
        want = desired_state(config(backend), Node(self.lease(backend), self.underlay), peers, linger=linger)
        with Netlink(self.name) as nl:
            outcome = reconcile(nl, want)
        assert outcome.errors == ()
        return outcome.done

    def ping(self, target: str) -> bool:
        command = netns.argv_in(self.name, ["ping", "-c1", "-W1", "-s", "1300", target])
        return subprocess.run(command, capture_output=True).returncode == 0

    def run(self, *argv: str) -> None:
        subprocess.run(netns.argv_in(self.name, argv), check=True, capture_output=True)


@pytest.fixture
def hosts() -> Iterator[list[Host]]:
    """Two namespaces, joined by a veth pair, each with a bridge that has a pod's address."""
    tag = f"pbt-{os.getpid()}-{uuid.uuid4().hex[:4]}"
    made = [Host(f"{tag}-{n}", n) for n in (1, 2)]
    for host in made:
        netns.create(host.name)
    fd = netns.open_fd(made[1].name)
    try:
        with Netlink(made[0].name) as nl:
            link.add_veth(nl, "eth0", "eth0", peer_netns=fd)
        for host in made:
            _dress(host)
        yield made
    finally:
        os.close(fd)
        for host in made:
            netns.delete(host.name)


def _dress(host: Host) -> None:
    with Netlink(host.name) as nl:
        link.set_up(nl, "lo")
        link.set_up(nl, "eth0")
        eth0 = link.link(nl, "eth0").index
        addr.add(nl, eth0, f"192.0.2.{host.number}/24")
        addr.add(nl, eth0, f"2001:db8::{host.number}/64")
        pods = link.add_bridge(nl, "cni0", up=True).index
        addr.add(nl, pods, f"10.244.{host.number}.1/24")
        addr.add(nl, pods, f"fd00:244:0:{host.number}::1/64")
    for family in ("ipv4.ip_forward", "ipv6.conf.all.forwarding"):
        sysctl.write(f"net.{family}", "1", netns=host.name)


def joined(hosts: list[Host], backend: str) -> None:
    a, b = hosts
    a.apply(backend, b.lease(backend))
    b.apply(backend, a.lease(backend))


@pytest.mark.parametrize("backend", ["vxlan", "host-gw"])
def test_pods_reach_each_other(hosts: list[Host], backend: str) -> None:
    joined(hosts, backend)
    assert hosts[0].ping("10.244.2.1")
    assert hosts[0].ping("fd00:244:0:2::1")


@pytest.mark.parametrize("backend", ["vxlan", "host-gw"])
def test_a_second_pass_changes_nothing(hosts: list[Host], backend: str) -> None:
    joined(hosts, backend)
    assert hosts[0].apply(backend, hosts[1].lease(backend)) == ()


def test_the_kernel_shows_what_the_docs_show(hosts: list[Host]) -> None:
    joined(hosts, "vxlan")

    def show(*argv: str) -> str:
        command = netns.argv_in(hosts[0].name, argv)
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout

    assert "10.244.2.0/24 via 10.244.2.0 dev flannel.1 proto 70 onlink" in show("ip", "route")
    assert "10.244.2.0 lladdr 02:00:00:00:00:02 PERMANENT" in show("ip", "neigh", "show", "dev", "flannel.1")
    assert "02:00:00:00:00:02 dst 192.0.2.2 self permanent" in show("bridge", "fdb", "show", "dev", "flannel.1")


@pytest.mark.parametrize(
    "damage",
    [
        ("ip", "route", "del", "10.244.2.0/24"),
        ("ip", "neigh", "del", "10.244.2.0", "dev", "flannel.1"),
        ("bridge", "fdb", "del", "02:00:00:00:00:02", "dev", "flannel.1"),
        ("bridge", "fdb", "replace", "02:00:00:00:00:02", "dev", "flannel.1", "dst", "192.0.2.99"),
        ("ip", "addr", "del", "10.244.1.0/32", "dev", "flannel.1"),
        ("ip", "link", "set", "flannel.1", "down"),
        ("ip", "link", "set", "flannel.1", "mtu", "1300"),
        ("ip", "link", "del", "flannel.1"),
        ("ip", "route", "replace", "10.244.2.0/24", "via", "192.0.2.77"),
    ],
)
def test_damage_is_repaired(hosts: list[Host], damage: tuple[str, ...]) -> None:
    joined(hosts, "vxlan")
    hosts[0].run(*damage)
    assert hosts[0].apply("vxlan", hosts[1].lease("vxlan"))
    assert hosts[0].ping("10.244.2.1")
    assert hosts[0].apply("vxlan", hosts[1].lease("vxlan")) == ()


def test_orphans_are_removed_and_other_routes_stay(hosts: list[Host]) -> None:
    joined(hosts, "vxlan")
    a = hosts[0]
    a.run("ip", "route", "add", "10.244.9.0/24", "via", "192.0.2.2", "proto", str(ROUTE_PROTOCOL))
    a.run("ip", "route", "add", "10.99.0.0/24", "via", "192.0.2.2")
    a.apply("vxlan", hosts[1].lease("vxlan"))
    with Netlink(a.name) as nl:
        left = {r.dst for r in route.routes(nl)}
    assert "10.244.9.0/24" not in left
    assert "10.99.0.0/24" in left


def test_a_peer_that_is_removed_leaves_no_objects(hosts: list[Host]) -> None:
    joined(hosts, "vxlan")
    hosts[0].apply("vxlan")
    with Netlink(hosts[0].name) as nl:
        seen = observe(nl)
    assert not seen.routes and not seen.neighbours and not seen.forwarding
    assert set(seen.ours) == {"flannel.1", "flannel-v6.1"}


def test_switching_the_backend_loses_no_packet(hosts: list[Host]) -> None:
    a, b = hosts
    joined(hosts, "vxlan")
    command = netns.argv_in(a.name, ["ping", "-i", "0.01", "-c", "120", "-W", "1", "10.244.2.1"])
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as ping:
        for old, new in (("vxlan", "host-gw"), ("host-gw", "vxlan")):
            lingering = frozenset({old})
            a.apply(new, b.lease(old), linger=lingering)
            b.apply(old, a.lease(new), linger=lingering)
            b.apply(new, a.lease(new), linger=lingering)
            a.apply(new, b.lease(new), linger=lingering)
        out, _ = ping.communicate()
    assert "120 received" in out, out
    joined(hosts, "host-gw")
    with Netlink(a.name) as nl:
        assert observe(nl).ours == {}
