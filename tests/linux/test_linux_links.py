"""Links, addresses, routes, neighbours and FDB in the real kernel."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace

import pytest

from pybernetes.linux import addr, bridge, fdb, link, linkmsg, neigh, netns, route
from pybernetes.linux.errors import Exists, Missing, NetlinkError, NotSupported
from pybernetes.linux.rtnl import Netlink

pytestmark = pytest.mark.kernel


def test_veth_pair_across_namespaces(nl: Netlink, new_netns: Callable[[], str]) -> None:
    other = new_netns()
    fd = netns.open_fd(other)
    made = link.add_veth(nl, "v0", "eth0", mtu=1400, peer_netns=fd, peer_mac="02:00:00:00:00:07", alias="mine", up=True)
    os.close(fd)
    assert (made.kind, made.mtu, made.alias, made.up) == ("veth", 1400, "mine", True)
    with Netlink(other) as there:
        peer = link.link(there, "eth0")
        assert (peer.mac, peer.mtu, peer.up, made.peer) == ("02:00:00:00:00:07", 1400, False, peer.index)
        link.delete(nl, "v0")
        assert link.find(there, "eth0") is None


def test_bridge_ports(nl: Netlink) -> None:
    br = link.ensure_bridge(nl, "br0", mac="02:00:00:00:00:01")
    assert link.ensure_bridge(nl, "br0").index == br.index
    port = link.add_veth(nl, "v0", "v1")
    link.set_master(nl, "v0", br.index)
    link.set_hairpin(nl, port.index, True)
    (found,) = link.links(nl, master=br.index)
    assert (found.name, found.hairpin, found.master) == ("v0", True, br.index)
    assert link.link(nl, "br0").mac == "02:00:00:00:00:01"
    with pytest.raises(Exists):
        link.ensure_bridge(nl, "v0")


def test_changes(nl: Netlink, new_netns: Callable[[], str]) -> None:
    one = link.add_bridge(nl, "one")
    link.set_mtu(nl, "one", 1300)
    link.set_mac(nl, "one", "02:00:00:00:00:09")
    link.set_alias(nl, "one", "text")
    link.set_promiscuous(nl, "one", True)
    link.set_up(nl, "one")
    link.set_name(nl, one.index, "two")
    two = link.link(nl, "two")
    assert (two.mtu, two.mac, two.alias, two.promiscuity, two.up) == (1300, "02:00:00:00:00:09", "text", 1, True)
    link.set_down(nl, "two")
    veth = link.add_veth(nl, "a", "b")
    other = new_netns()
    link.move_to_netns(nl, veth.index, other)
    assert link.find(nl, "a") is None
    assert link.ensure_deleted(nl, "two") and not link.ensure_deleted(nl, "two")


def test_vxlan_has_the_requested_properties(nl: Netlink) -> None:
    under = link.add_bridge(nl, "eth0", up=True)
    addr.add(nl, under.index, "192.0.2.1/24")
    made = link.add_vxlan(nl, "flannel.1", 1, local="192.0.2.1", device=under.index, mac="02:00:00:00:00:05", mtu=1450)
    assert made.vxlan == link.VxlanInfo(vni=1, port=8472, local="192.0.2.1", device=under.index, learning=False)
    six = link.add_vxlan(nl, "flannel-v6.1", 2, port=8473, local="fd00::1", learning=True, gbp=True)
    assert six.vxlan == link.VxlanInfo(vni=2, port=8473, local="fd00::1", learning=True, gbp=True)


def test_macvlan_and_tun(nl: Netlink) -> None:
    parent = link.add_veth(nl, "p0", "p1")
    made = link.add_macvlan(nl, "m0", parent.index)
    assert made is not None and (made.kind, made.peer) == ("macvlan", parent.index)
    os.close(link.add_tun(nl, "flannel0"))
    assert link.link(nl, "flannel0").kind == "tun"


def test_a_missing_kernel_feature_is_named(nl: Netlink) -> None:
    with pytest.raises(NotSupported, match="create nosuchkind x0"):
        nl.request(linkmsg.new("x0", "nosuchkind"))


def test_missing_and_existing(nl: Netlink) -> None:
    with pytest.raises(Missing, match="find link nope"):
        link.link(nl, "nope")
    with pytest.raises(Missing):
        link.delete(nl, "nope")
    link.add_bridge(nl, "br0")
    with pytest.raises(Exists):
        link.add_bridge(nl, "br0")


def test_addresses(nl: Netlink) -> None:
    br = link.add_bridge(nl, "br0", up=True)
    assert addr.ensure(nl, br.index, "10.1.0.1/24") and not addr.ensure(nl, br.index, "10.1.0.1/24")
    addr.add(nl, br.index, "fd00::1/64")
    assert [a.cidr for a in addr.addresses(nl, br.index, 4)] == ["10.1.0.1/24"]
    (six,) = [a for a in addr.addresses(nl, br.index, 6) if a.scope == 0]
    assert (six.ip, six.prefix, six.family) == ("fd00::1", 64, 6)
    assert addr.ensure_deleted(nl, br.index, "10.1.0.1/24") and not addr.ensure_deleted(nl, br.index, "10.1.0.1/24")


@pytest.mark.parametrize("dst, gateway", [("10.9.0.0/24", "10.9.0.0"), ("fd09::/64", "fd09::")])
def test_onlink_routes_of_both_families(nl: Netlink, dst: str, gateway: str) -> None:
    br = link.add_bridge(nl, "br0", up=True)
    wanted = route.Route(dst, br.index, gateway, onlink=True, protocol=99, mtu=1400)
    route.replace(nl, wanted)
    route.replace(nl, wanted)
    with pytest.raises(Exists):
        route.add(nl, wanted)
    (found,) = route.routes(nl, protocol=99)
    assert replace(found, metric=0, scope=None) == wanted
    assert route.lookup(nl, gateway[:-1] + "7" if "." in gateway else gateway + "7").gateway == gateway
    assert route.ensure_deleted(nl, found) and not route.ensure_deleted(nl, found)


def test_blackhole_metric_and_tables(nl: Netlink) -> None:
    route.add(nl, route.Route("10.8.0.0/16", kind="blackhole", protocol=99, metric=5))
    route.add(nl, route.Route("10.8.0.0/16", kind="blackhole", protocol=99, metric=6, table=300))
    assert {(r.kind, r.metric, r.table) for r in route.routes(nl, family=4, protocol=99)} == {
        ("blackhole", 5, 254),
        ("blackhole", 6, 300),
    }
    assert [r.metric for r in route.routes(nl, table=300)] == [6]
    assert route.routes(nl, table=4711) == []


def test_neighbours_and_fdb(nl: Netlink) -> None:
    vx = link.add_vxlan(nl, "vx", 7, up=True)
    for ip in ("10.2.0.0", "fd02::"):
        neigh.replace(nl, neigh.Neighbour(vx.index, ip, "02:00:00:00:00:02"))
    assert {n.ip for n in neigh.neighbours(nl, vx.index, permanent=True)} == {"10.2.0.0", "fd02::"}
    entry = fdb.FdbEntry(vx.index, "02:00:00:00:00:02", "192.0.2.9")
    fdb.append(nl, entry)
    fdb.replace(nl, replace(entry, dst="192.0.2.8"))
    assert fdb.entries(nl, vx.index) == [replace(entry, dst="192.0.2.8")]
    fdb.append(nl, fdb.FdbEntry(vx.index, "00:00:00:00:00:00", "192.0.2.3"))
    fdb.append(nl, fdb.FdbEntry(vx.index, "00:00:00:00:00:00", "192.0.2.4"))
    assert len(fdb.entries(nl, vx.index)) == 3
    assert fdb.ensure_deleted(nl, replace(entry, dst="192.0.2.8"))
    assert neigh.ensure_deleted(nl, neigh.Neighbour(vx.index, "10.2.0.0", "02:00:00:00:00:02"))
    assert not neigh.ensure_deleted(nl, neigh.Neighbour(vx.index, "10.2.0.0", "02:00:00:00:00:02"))


def test_a_batch_continues_after_an_error(nl: Netlink) -> None:
    good = [route.request("replace", route.Route(f"10.7.{i}.0/24", kind="blackhole", protocol=99)) for i in range(250)]
    outcome = nl.batch([*good[:120], linkmsg.delete("nope"), *good[120:]])
    assert [i for i, error in enumerate(outcome) if error is not None] == [120]
    assert isinstance(outcome[120], Missing)
    assert len(route.routes(nl, family=4, protocol=99)) == 250
    with pytest.raises(NetlinkError):
        nl.run([linkmsg.delete("nope")])


def test_a_deleted_bridge_is_restored_with_its_ports(nl: Netlink) -> None:
    first = link.add_bridge(nl, "cni0", mac="02:00:00:00:00:aa", up=True)
    note = bridge.PortNote("cni0", first.mac, True, "cbr0", "abc", "eth0")
    link.add_veth(nl, "h0", "p0", master=first.index, alias=str(note), mtu=1450, up=True)
    link.add_veth(nl, "h1", "p1", master=first.index, up=True)
    assert bridge.restore(nl, "cni0", ["10.1.0.1/24"], others={"h1": False, "gone": True}) == []
    link.delete(nl, "cni0")
    results = [
        {"result": {"interfaces": [{"name": "cni0", "mac": "x"}, {"name": "h1"}, {"name": "e", "sandbox": "s"}]}}
    ]
    others = dict.fromkeys(bridge.ports_of_results(results, "cni0"), False)
    reattached = bridge.restore(nl, "cni0", ["10.1.0.1/24", "fd00::1/64"], mtu=1450, others=others)
    assert sorted(reattached) == ["h0", "h1"]
    again = link.link(nl, "cni0")
    assert (again.mac, again.mtu, again.up) == (first.mac, 1450, True)
    assert {p.name: p.hairpin for p in link.links(nl, master=again.index)} == {"h0": True, "h1": False}
    assert "10.1.0.1/24" in [a.cidr for a in addr.addresses(nl, again.index)]
    assert bridge.parse_alias("uplink to rack 3") is None
