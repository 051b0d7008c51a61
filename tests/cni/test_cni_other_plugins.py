"""ptp, macvlan, ipvlan, static, tuning and bandwidth."""

from __future__ import annotations

import json
from typing import Any

import pytest

from cni.cni_world import World
from pybernetes.cni import spec, static, tuning
from pybernetes.cni.errors import CniError
from pybernetes.linux import link
from pybernetes.linux.rtnl import Netlink


@pytest.mark.kernel
def test_ptp(world: World) -> None:
    config = world.bridge(type="ptp", ipMasq=True)
    config["ipam"]["routes"] = [{"dst": "0.0.0.0/0"}]
    for pod in ("a", "b"):
        world.make(pod)
        result = world.call("ptp", "ADD", config, pod)
    assert "1 received" in world.run("a", "ping", "-c1", "-W2", "172.20.1.3")
    world.call("ptp", "CHECK", {**config, "prevResult": result}, "b")
    for pod in ("a", "b", "a"):
        world.call("ptp", "DEL", config, pod)
    assert world.addresses == set()
    with Netlink(world.node) as node:
        assert [found.name for found in link.links(node)] == ["lo"]


@pytest.mark.kernel
def test_macvlan_with_static_addresses(world: World) -> None:
    world.run("node", "ip", "link", "add", "up0", "type", "veth", "peer", "up1")
    world.run("node", "ip", "link", "set", "up0", "up")
    world.run("node", "ip", "link", "set", "up1", "up")
    for pod, ip in (("a", "10.9.0.2/24"), ("b", "10.9.0.3/24")):
        world.make(pod)
        ipam = {"type": "static", "addresses": [{"address": ip}]}
        config = {"cniVersion": "1.0.0", "name": "mv", "type": "macvlan", "master": "up0", "ipam": ipam}
        result = world.call("macvlan", "ADD", config, pod)
        assert result["ips"] == [{"address": ip, "interface": 0}]
    assert "1 received" in world.run("a", "ping", "-c1", "-W2", "10.9.0.3")
    world.call("macvlan", "CHECK", {**config, "prevResult": result}, "b")
    for pod in ("a", "a", "b"):
        world.call("macvlan", "DEL", config, pod)
    assert "eth0" not in world.run("a", "ip", "link")
    assert "lookup master" in world.fails("macvlan", "ADD", {**config, "master": "nope"}, "a")["msg"]


@pytest.mark.kernel
def test_ipvlan_works_or_names_the_missing_kernel_feature(world: World) -> None:
    world.make("a")
    world.run("node", "ip", "link", "add", "up0", "type", "veth", "peer", "up1")
    ipam = {"type": "static", "addresses": [{"address": "10.9.0.2/24"}]}
    config = {"cniVersion": "1.0.0", "name": "iv", "type": "ipvlan", "master": "up0", "ipam": ipam}
    process = world.start("ipvlan", "ADD", config, "a")
    out, _ = process.communicate()
    assert process.returncode == 0 or json.loads(out)["msg"] == "this kernel has no ipvlan devices"


@pytest.mark.kernel
def test_tuning(world: World) -> None:
    world.make("a")
    result = world.call("bridge", "ADD", world.bridge(), "a")
    config = {
        "cniVersion": "1.0.0",
        "name": "cbr0",
        "type": "tuning",
        "sysctl": {"net.ipv4.conf.IFNAME.log_martians": "1", "net.core.somaxconn": "500"},
        "mac": "02:00:00:00:00:42",
        "mtu": 1300,
        "dataDir": str(world.root / "tuning"),
        "prevResult": result,
    }
    tuned = world.call("tuning", "ADD", config, "a")
    assert tuned["interfaces"][2]["mac"] == "02:00:00:00:00:42"
    assert "mtu 1300" in world.run("a", "ip", "link", "show", "eth0")
    world.call("tuning", "CHECK", config, "a")
    world.run("a", "sysctl", "-w", "net.core.somaxconn=100")
    assert "net.core.somaxconn" in world.fails("tuning", "CHECK", config, "a")["msg"]
    world.call("tuning", "DEL", config, "a")


@pytest.mark.parametrize("name", ["kernel.panic", "net..x", "net/../kernel/panic", "vm.swappiness", ""])
def test_tuning_refuses_sysctls_of_the_node(name: str) -> None:
    with pytest.raises(CniError, match="is not allowed"):
        tuning._sysctls(spec.Call("ADD", {"sysctl": {name: "1"}}, ifname="eth0"))


@pytest.mark.kernel
def test_bandwidth(world: World) -> None:
    world.make("a")
    result = world.call("bridge", "ADD", world.bridge(), "a")
    limits = {"ingressRate": 8_000_000, "ingressBurst": 800_000, "egressRate": 4_000_000, "egressBurst": 400_000}
    config: dict[str, Any] = {"cniVersion": "1.0.0", "name": "cbr0", "type": "bandwidth", "prevResult": result}
    assert world.call("bandwidth", "ADD", config, "a")["ips"] == result["ips"]
    config["runtimeConfig"] = {"bandwidth": limits}
    world.call("bandwidth", "ADD", config, "a")
    shown = world.run("node", "tc", "qdisc")
    assert "rate 8Mbit" in shown and "rate 4Mbit" in shown
    assert "1 received" in world.run("a", "ping", "-c1", "-W2", "172.20.1.1")
    world.call("bandwidth", "CHECK", config, "a")
    for _ in range(2):
        world.call("bandwidth", "DEL", config, "a")
    assert "bwp" not in world.run("node", "ip", "link")
    config["runtimeConfig"]["bandwidth"] = {"ingressRate": 5}
    assert world.fails("bandwidth", "ADD", config, "a")["code"] == 7


@pytest.mark.parametrize("address", ["10.0.0.1", "10.0.0.1/40", "x/24", 5])
def test_bad_static_addresses(address: Any) -> None:
    with pytest.raises(CniError, match=r"ipam\.addresses\[0\]\.address: expected"):
        static.add(spec.Call("ADD", {"ipam": {"addresses": [{"address": address}]}}))
    with pytest.raises(CniError, match="no addresses"):
        static.add(spec.Call("ADD", {"ipam": {}}))
