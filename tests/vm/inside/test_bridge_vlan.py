"""The bridge plugin's VLANs, with packets: access ports, trunks, a gateway in a VLAN; also with the stock plugin."""

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import pybernetes.cni
from cni.cni_world import STOCK, World
from pybernetes.linux import link
from pybernetes.linux.rtnl import Netlink


@pytest.fixture(scope="session")
def bin_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("cni-bin")
    pybernetes.cni.install(directory)
    return directory


@pytest.fixture
def world(tmp_path: Path, bin_dir: Path) -> Iterator[World]:
    made = World(tmp_path, bin_dir, f"pbt-{os.getpid()}")
    for pod in ("a", "b", "c"):
        made.make(pod)
    yield made
    made.close()


def vlans(world: World, result: dict[str, Any]) -> dict[int, list[str]]:
    """VLAN -> flags, for the pod's port."""
    port = result["interfaces"][1]["name"]
    (entry,) = json.loads(world.run("node", "/usr/sbin/bridge", "-j", "vlan", "show", "dev", port))
    return {vlan["vlan"]: vlan.get("flags", []) for vlan in entry["vlans"]}


def test_pods_of_one_vlan_talk_and_others_do_not(world: World) -> None:
    one, other = world.bridge(vlan=100), world.bridge(vlan=200)
    other["ipam"] = {**other["ipam"], "ranges": [[{"subnet": "172.20.2.0/24"}]]}
    results = {pod: world.call("bridge", "ADD", config, pod) for pod, config in (("a", one), ("b", one), ("c", other))}
    assert vlans(world, results["a"]) == {1: ["Egress Untagged"], 100: ["PVID", "Egress Untagged"]}
    assert "1 received" in world.run("a", "ping", "-c1", "-W5", "172.20.1.3")
    assert "1 received" in world.run("a", "ping", "-c1", "-W5", "172.20.1.1"), "the gateway is on a device of the VLAN"
    assert "1 received" in world.run("c", "ping", "-c1", "-W5", "172.20.2.1")
    with Netlink(world.node) as node:
        assert {"cni0.100", "cni0.200"} <= {found.name for found in link.links(node)}
    world.run("c", "ip", "addr", "add", "172.20.1.99/24", "dev", "eth0")
    world.run("c", "ip", "route", "replace", "172.20.1.2", "dev", "eth0")
    assert "0 received" in world.run("c", "ping", "-c1", "-W1", "-I", "172.20.1.99", "172.20.1.2")
    for pod, config in (("a", one), ("b", one), ("c", other)):
        world.call("bridge", "DEL", config, pod)
    assert world.addresses == set()


def test_the_default_vlan_is_removed_if_configured(world: World) -> None:
    kept = world.call("bridge", "ADD", world.bridge(vlan=100), "a")
    gone = world.call("bridge", "ADD", world.bridge(vlan=100, preserveDefaultVlan=False), "b")
    assert set(vlans(world, kept)) == {1, 100} and set(vlans(world, gone)) == {100}


def test_a_trunk_carries_its_vlans_tagged(world: World) -> None:
    trunk = [{"minID": 10, "maxID": 12}, {"id": 42}]
    config = world.bridge(isDefaultGateway=False, ipam={}, vlanTrunk=trunk, preserveDefaultVlan=False)
    ours = world.call("bridge", "ADD", config, "a")
    assert vlans(world, ours) == {10: [], 11: [], 12: [], 42: []}
    access = world.bridge(isDefaultGateway=False, vlan=42, preserveDefaultVlan=False)
    result = world.call("bridge", "ADD", access, "b")
    address = result["ips"][0]["address"].partition("/")[0]
    world.run("a", "ip", "link", "add", "link", "eth0", "name", "eth0.42", "type", "vlan", "id", "42")
    world.run("a", "ip", "addr", "add", "172.20.1.200/24", "dev", "eth0.42")
    world.run("a", "ip", "link", "set", "eth0.42", "up")
    assert "1 received" in world.run("a", "ping", "-c1", "-W5", address)


def test_access_ports_of_the_stock_plugin_are_like_ours(world: World) -> None:
    config = world.bridge(vlan=100, isDefaultGateway=False)
    ours = world.call("bridge", "ADD", config, "a")
    theirs = world.call("bridge", "ADD", config, "b", bin_dir=STOCK)
    assert vlans(world, ours) == vlans(world, theirs)
    assert "1 received" in world.run("a", "ping", "-c1", "-W5", theirs["ips"][0]["address"].partition("/")[0])
    world.call("bridge", "DEL", config, "a", bin_dir=STOCK)
    world.call("bridge", "DEL", config, "b")
    assert world.addresses == set()
