"""Our plugins and the stock plugins: either can take over from the other, and both work in one chain."""

from __future__ import annotations

from typing import Any

import pytest

from cni.cni_world import STOCK, World
from pybernetes.linux import link
from pybernetes.linux.rtnl import Netlink

pytestmark = pytest.mark.kernel

SIDES = pytest.mark.parametrize("maker, remover", [("ours", "stock"), ("stock", "ours")])
VERSION = "1.0.0"


def _directories(world: World) -> dict[str, Any]:
    return {"ours": world.bin_dir, "stock": STOCK}


def _links(world: World, name: str) -> set[str]:
    with Netlink(f"{world.prefix}-{name}") as nl:
        return {found.name for found in link.links(nl)}


@SIDES
def test_ptp(world: World, maker: str, remover: str) -> None:
    places = _directories(world)
    config = world.bridge(type="ptp", ipMasq=True)
    config["ipam"]["routes"] = [{"dst": "0.0.0.0/0"}]
    results = {}
    for pod, side in (("a", maker), ("b", remover)):
        world.make(pod)
        results[pod] = world.call("ptp", "ADD", config, pod, bin_dir=places[side])
    for key in ("ips", "routes", "dns", "interfaces"):
        one, two = results["a"].get(key), results["b"].get(key)
        assert type(one) is type(two) and len(one or ()) == len(two or ()), key
    assert "1 received" in world.run("a", "ping", "-c1", "-W2", "172.20.1.3")
    world.call("ptp", "CHECK", {**config, "prevResult": results["a"]}, "a", bin_dir=places[remover])
    for pod in ("a", "b"):
        world.call("ptp", "DEL", config, pod, bin_dir=places[remover])
    assert world.addresses == set() and _links(world, "node") == {"lo"}
    assert "172.20.1." not in world.run("node", "iptables-save")


@SIDES
def test_loopback(world: World, maker: str, remover: str) -> None:
    places = _directories(world)
    world.make("a")
    config = {"cniVersion": VERSION, "name": "lo", "type": "loopback"}
    result = world.call("loopback", "ADD", config, "a", bin_dir=places[maker], CNI_IFNAME="lo")
    assert result["ips"] == [{"address": "127.0.0.1/8", "interface": 0}, {"address": "::1/128", "interface": 0}]
    checked = {**config, "prevResult": result}
    world.call("loopback", "CHECK", checked, "a", bin_dir=places[remover], CNI_IFNAME="lo")
    world.call("loopback", "DEL", config, "a", bin_dir=places[remover], CNI_IFNAME="lo")


@SIDES
def test_macvlan_and_static(world: World, maker: str, remover: str) -> None:
    places = _directories(world)
    world.run("node", "ip", "link", "add", "up0", "type", "veth", "peer", "up1")
    for name in ("up0", "up1"):
        world.run("node", "ip", "link", "set", name, "up")
    results = {}
    for pod, side, ip in (("a", maker, "10.9.0.2/24"), ("b", remover, "10.9.0.3/24")):
        world.make(pod)
        addresses = [{"address": ip, "gateway": "10.9.0.1"}]
        ipam = {
            "type": "static",
            "addresses": addresses,
            "routes": [{"dst": "10.8.0.0/16", "gw": "10.9.0.1"}],
            "dns": {"domain": "x"},
        }
        config = {
            "cniVersion": VERSION,
            "name": "mv",
            "type": "macvlan",
            "master": "up0",
            "mode": "bridge",
            "ipam": ipam,
        }
        results[pod] = world.call("macvlan", "ADD", config, pod, bin_dir=places[side])
    assert "1 received" in world.run("a", "ping", "-c1", "-W2", "10.9.0.3")
    one, two = results["a"], results["b"]
    assert (one["ips"][0]["gateway"], one["routes"]) == (two["ips"][0]["gateway"], two["routes"])
    world.call("macvlan", "CHECK", {**config, "prevResult": two}, "b", bin_dir=places[maker])
    for pod in ("a", "b"):
        world.call("macvlan", "DEL", config, pod, bin_dir=places[remover])
    assert _links(world, "a") == {"lo"}


@SIDES
def test_tuning_restores_what_the_other_recorded(world: World, maker: str, remover: str) -> None:
    places = _directories(world)
    world.make("a")
    result = world.call("bridge", "ADD", world.bridge(), "a")
    before = result["interfaces"][2]["mac"]
    config = {
        "cniVersion": VERSION,
        "name": "cbr0",
        "type": "tuning",
        "mac": "02:00:00:00:00:42",
        "mtu": 1300,
        "promisc": True,
        "allmulti": True,
        "sysctl": {"net.core.somaxconn": "500"},
        "dataDir": str(world.root / "tuning"),
        "prevResult": result,
    }
    tuned = world.call("tuning", "ADD", config, "a", bin_dir=places[maker])
    assert tuned["interfaces"][2]["mac"] == "02:00:00:00:00:42"
    world.call("tuning", "CHECK", {**config, "prevResult": tuned}, "a", bin_dir=places[remover])
    world.call("tuning", "DEL", config, "a", bin_dir=places[remover])
    with Netlink(f"{world.prefix}-a") as pod:
        eth0 = link.link(pod, "eth0")
    assert (eth0.mac, eth0.mtu) == (before, 1450)
    shown = world.run("a", "ip", "link", "show", "eth0")
    assert "PROMISC" not in shown and "ALLMULTI" not in shown
    assert list((world.root / "tuning").glob("*")) == []


@SIDES
def test_bandwidth(world: World, maker: str, remover: str) -> None:
    places = _directories(world)
    world.make("a")
    result = world.call("bridge", "ADD", world.bridge(), "a")
    limits = {"ingressRate": 8_000_000, "ingressBurst": 800_000, "egressRate": 4_000_000, "egressBurst": 400_000}
    config = {"cniVersion": VERSION, "name": "cbr0", "type": "bandwidth", "prevResult": result, **limits}
    limited = world.call("bandwidth", "ADD", config, "a", bin_dir=places[maker])
    world.call("bandwidth", "CHECK", {**config, "prevResult": limited}, "a", bin_dir=places[remover])
    assert "1 received" in world.run("a", "ping", "-c1", "-W2", "172.20.1.1")
    assert any(name.startswith("bwp") for name in _links(world, "node"))
    world.call("bandwidth", "DEL", config, "a", bin_dir=places[remover])
    assert not any(name.startswith("bwp") for name in _links(world, "node"))


def test_the_stock_firewall_plugin_after_ours(world: World) -> None:
    """It reads our result, adds rules for its addresses, and passes the result on."""
    world.make("a")
    result = world.call("flannel", "ADD", world.flannel(), "a")
    config = {"cniVersion": VERSION, "name": "cbr0", "type": "firewall", "backend": "iptables", "prevResult": result}
    passed = world.call("firewall", "ADD", config, "a", bin_dir=STOCK)
    assert {k: passed[k] for k in ("ips", "interfaces")} == {k: result[k] for k in ("ips", "interfaces")}
    assert "172.20.1.2" in world.run("node", "iptables-save")
    mapped = {
        **config,
        "type": "portmap",
        "runtimeConfig": {"portMappings": [{"hostPort": 8080, "containerPort": 80, "protocol": "tcp"}]},
        "backend": "nftables",
        "prevResult": passed,
    }
    assert world.call("portmap", "ADD", mapped, "a")["ips"] == result["ips"], "and ours after the stock plugin"
    world.call("portmap", "DEL", mapped, "a")
    world.call("firewall", "DEL", config, "a", bin_dir=STOCK)
    world.call("flannel", "DEL", world.flannel(), "a")
    assert "172.20.1.2" not in world.run("node", "iptables-save")
