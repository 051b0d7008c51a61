"""The CNI plugin ipvlan, with packets: every mode, chained after another plugin, and mixed with the stock plugins."""

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import pybernetes.cni
from cni.cni_world import STOCK, World
from pybernetes.linux import link, netns
from pybernetes.linux.rtnl import Netlink

ROUTES = [{"dst": "0.0.0.0/0"}, {"dst": "::/0"}]


@pytest.fixture(scope="session")
def bin_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("cni-bin")
    pybernetes.cni.install(directory)
    return directory


@pytest.fixture
def world(tmp_path: Path, bin_dir: Path) -> Iterator[World]:
    """A node with a network card, a default route, and two pods without interfaces."""
    made = World(tmp_path, bin_dir, f"pbt-{os.getpid()}")
    for words in (
        "link add eth0 type veth peer far0",
        "link set eth0 up",
        "link set far0 up",
        "addr add 10.9.0.1/24 dev eth0",
        "route add default via 10.9.0.254",
    ):
        assert made.run("node", "ip", *words.split()) == ""
    for pod in ("a", "b"):
        made.make(pod)
    yield made
    made.close()


def config(number: int, **more: Any) -> dict[str, Any]:
    """A config with this pod's address."""
    addresses = [{"address": f"10.9.0.{number}/24"}, {"address": f"fd00:9::{number}/64"}]
    base = {"cniVersion": "1.0.0", "name": "iv", "type": "ipvlan", "master": "eth0"}
    return {**base, "ipam": {"type": "static", "addresses": addresses}, **more}


def leased(world: World, **more: Any) -> dict[str, Any]:
    """A config with addresses from host-local."""
    ipam = {"type": "host-local", "ranges": [[{"subnet": "10.9.0.0/24", "rangeStart": "10.9.0.10"}]]}
    return config(0, ipam={**ipam, "dataDir": str(world.root / "networks")}, **more)


def reserved(world: World) -> set[str]:
    folder = world.root / "networks" / "iv"
    return {path.name for path in folder.glob("10.*")} if folder.exists() else set()


def links(world: World, pod: str) -> set[str]:
    with Netlink(f"{world.prefix}-{pod}") as nl:
        return {found.name for found in link.links(nl)}


def refused(world: World, conf: dict[str, Any], bin_dir: Path | None = None) -> str:
    """The plugin's error; the stock plugin leaves the version out of error objects."""
    process = world.start("ipvlan", "ADD", conf, "a", bin_dir=bin_dir)
    out, err = process.communicate()
    assert process.returncode == 1, (out, err)
    answer = json.loads(out)
    return f"{answer['msg']} {answer.get('details', '')}"


def talks(world: World, source: str, *targets: str) -> bool:
    return all("1 received" in world.run(source, "ping", "-c1", "-W3", target) for target in targets)


# -- packets ---------------------------------------------------------------------------------------------
@pytest.mark.parametrize("mode", ["l2", "l3", "l3s"])
def test_two_pods_talk(world: World, mode: str) -> None:
    for number, pod in ((2, "a"), (3, "b")):
        conf = config(number, mode=mode, mtu=1400)
        result = world.call("ipvlan", "ADD", conf, pod)
        assert result["ips"] == [{**ip, "interface": 0} for ip in conf["ipam"]["addresses"]]
        world.call("ipvlan", "CHECK", {**conf, "prevResult": result}, pod)
    assert talks(world, "a", "10.9.0.3", "fd00:9::3")
    assert talks(world, "b", "10.9.0.2", "fd00:9::2")
    shown = world.run("a", "ip", "-d", "link", "show", "eth0")
    assert f"ipvlan  mode {mode} " in shown and "mtu 1400" in shown
    with Netlink(world.node) as node, Netlink(f"{world.prefix}-a") as inside:
        assert link.link(inside, "eth0").mac == link.link(node, "eth0").mac == result["interfaces"][0]["mac"]
    for pod in ("a", "a", "b"):
        world.call("ipvlan", "DEL", config(2, mode=mode), pod)
    assert links(world, "a") == links(world, "b") == {"lo"}
    assert links(world, "node") == {"lo", "eth0", "far0"}


def test_a_pod_is_reached_from_the_wire(world: World) -> None:
    """A machine at the other end of the card, in a separate namespace."""
    far = world.make("far")
    assert world.run("node", "ip", "link", "set", "far0", "netns", far) == ""
    for words in ("link set far0 up", "addr add 10.9.0.99/24 dev far0"):
        assert world.run("far", "ip", *words.split()) == ""
    world.call("ipvlan", "ADD", config(2), "a")
    assert talks(world, "a", "10.9.0.99") and talks(world, "far", "10.9.0.2")


def test_the_default_route_names_the_master(world: World) -> None:
    conf = config(2)
    del conf["master"]
    world.call("ipvlan", "ADD", conf, "a")
    assert "eth0@" in world.run("a", "ip", "-o", "link")
    world.call("ipvlan", "DEL", conf, "a")
    assert world.run("node", "ip", "route", "del", "default") == ""
    assert "no default route" in world.fails("ipvlan", "ADD", conf, "a")["msg"]
    assert links(world, "a") == {"lo"}


def test_check_finds_what_changed(world: World) -> None:
    conf = config(2)
    checked = {**conf, "prevResult": world.call("ipvlan", "ADD", conf, "a")}
    assert "mode l2, expected l3" in world.fails("ipvlan", "CHECK", {**checked, "mode": "l3"}, "a")["msg"]
    for words, complaint in (
        ("addr del 10.9.0.2/24 dev eth0", "10.9.0.2/24 is missing"),
        ("link set eth0 down", "is down"),
        ("link del eth0", "eth0 is missing"),
        ("link add eth0 type bridge", "is down"),
    ):
        assert world.run("a", "ip", *words.split()) == ""
        assert complaint in world.fails("ipvlan", "CHECK", checked, "a")["msg"]
    for words in ("link set eth0 up", "addr add 10.9.0.2/24 dev eth0", "addr add fd00:9::2/64 dev eth0 nodad"):
        assert world.run("a", "ip", *words.split()) == ""
    bare = {**checked, "prevResult": {**checked["prevResult"], "interfaces": []}}
    assert "of kind bridge, expected ipvlan" in world.fails("ipvlan", "CHECK", bare, "a")["msg"]


def test_gc_releases_unused_addresses(world: World) -> None:
    conf = leased(world, cniVersion="1.1.0")
    for pod in ("a", "b"):
        world.call("ipvlan", "ADD", conf, pod)
    assert reserved(world) == {"10.9.0.10", "10.9.0.11"}
    kept = [{"containerID": "b", "ifname": "eth0"}]
    world.call("ipvlan", "GC", {**conf, "cni.dev/valid-attachments": kept}, "b")
    assert reserved(world) == {"10.9.0.11"}
    world.call("ipvlan", "STATUS", conf, "b")
    assert "lookup master" in world.fails("ipvlan", "STATUS", {**conf, "master": "eth7"}, "b")["msg"]
    world.call("ipvlan", "DEL", conf, "b")
    assert reserved(world) == set()


# -- chained after another plugin ------------------------------------------------------------------------
def before(*names: str, **more: Any) -> dict[str, Any]:
    """A result of a previous plugin."""
    return {"cniVersion": "1.0.0", "interfaces": [{"name": name} for name in names], **more}


def test_the_previous_interface_is_the_master_and_its_addresses_are_used(world: World) -> None:
    conf = config(0, prevResult=before("eth0", ips=[{"address": "10.9.0.2/24", "interface": 0}]))
    del conf["master"], conf["ipam"]
    results = {}
    for name, directory in (("ours", None), ("stock", STOCK)):
        results[name] = world.call("ipvlan", "ADD", conf, "a", bin_dir=directory)
        assert "inet 10.9.0.2/24" in world.run("a", "ip", "addr", "show", "eth0")
        world.call("ipvlan", "DEL", conf, "a", bin_dir=directory)
        assert links(world, "a") == {"lo"}
    assert results["ours"] == results["stock"]


@pytest.mark.parametrize("names", [(), ("eth0", "far0"), ("",)])
def test_a_chain_without_a_single_interface(world: World, names: tuple[str, ...]) -> None:
    conf = config(2, prevResult=before(*names))
    del conf["master"]
    # Our plugin checks prevResult before it looks for the master.
    ours = "prevResult.interfaces[0].name: expected a string" if "" in names else "chained master failure"
    for directory, complaint in ((None, ours), (STOCK, "chained master failure")):
        assert complaint in refused(world, conf, directory)
    if "" not in names:
        assert world.call("ipvlan", "ADD", {**conf, "master": "eth0"}, "a")["ips"], "a configured master has priority"


def test_addresses_are_needed(world: World) -> None:
    conf = config(2)
    del conf["ipam"]
    assert "ipvlan needs addresses" in world.fails("ipvlan", "ADD", conf, "a")["msg"]
    assert "ipvlan needs addresses" in world.fails("ipvlan", "ADD", {**conf, "prevResult": before("eth0")}, "a")["msg"]
    assert links(world, "a") == {"lo"}


# -- mixed with the stock plugins ------------------------------------------------------------------------
def test_pods_of_ours_and_of_the_stock_plugin(world: World) -> None:
    """Pods that one plugin attached are checked and detached by the other; they talk to each other."""
    makers = {"a": None, "b": STOCK}
    results = {}
    for pod, directory in makers.items():
        results[pod] = world.call("ipvlan", "ADD", leased(world, mode="l2"), pod, bin_dir=directory)
    addresses = [result["ips"][0]["address"] for result in results.values()]
    assert addresses == ["10.9.0.10/24", "10.9.0.11/24"]
    assert talks(world, "a", "10.9.0.11") and talks(world, "b", "10.9.0.10")
    for pod, directory in (("a", STOCK), ("b", None)):
        conf = leased(world, mode="l2")
        world.call("ipvlan", "CHECK", {**conf, "prevResult": results[pod]}, pod, bin_dir=directory)
        world.call("ipvlan", "DEL", {**conf, "prevResult": results[pod]}, pod, bin_dir=directory)
    assert links(world, "a") == links(world, "b") == {"lo"}
    assert reserved(world) == set()


@pytest.mark.parametrize("version", ["0.3.1", "0.4.0", "1.0.0"])
def test_both_return_the_same_result(world: World, version: str) -> None:
    results = []
    for directory in (None, STOCK):
        conf = leased(world, cniVersion=version, mode="l3", mtu=1300)
        conf["ipam"] |= {"routes": [{"dst": "10.50.0.0/16"}], "dataDir": str(world.root / str(directory).strip("/"))}
        results.append(world.call("ipvlan", "ADD", conf, "a", bin_dir=directory))
        assert "10.50.0.0/16 via 10.9.0.1" in world.run("a", "ip", "route")
        world.call("ipvlan", "DEL", conf, "a", bin_dir=directory)
    assert results[0] == results[1]


# -- errors ----------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("more", "complaint"),
    [
        ({"mode": "bridge"}, "unknown ipvlan mode 'bridge': expected one of l2, l3, l3s"),
        ({"mode": 5}, "mode: expected a string, got 5"),
        ({"mtu": 1501}, "invalid MTU 1501, must be [0, master MTU(1500)]"),
        ({"mtu": -1}, "mtu: expected a number from 0 to 65535, got -1"),
        ({"mtu": "big"}, "mtu: expected a number from 0 to 65535, got 'big'"),
        ({"mtu": 1000}, "File exists"),
        ({"master": "eth7"}, "failed to lookup master 'eth7'"),
        ({"master": "m" * 40}, "m" * 40),
        ({"master": "lo"}, "failed to create ipvlan on 'lo'"),
        ({"master": ["eth0"]}, "eth0"),
        ({"ipam": {"type": "static", "addresses": [{"address": "10.9.0.2/40"}]}}, "10.9.0.2/40"),
        ({"ipam": {"type": "nothing-like-it"}}, "failed to find plugin"),
        ({"ipam": "static"}, "ipam: expected an object"),
        ({"prevResult": 5}, "prevResult"),
        ({"prevResult": {"interfaces": "eth0"}, "master": ""}, "prevResult.interfaces: expected a list"),
    ],
)
def test_bad_input_leaves_nothing_behind(world: World, more: dict[str, Any], complaint: str) -> None:
    if complaint == "File exists":
        world.run("a", "ip", "link", "add", "eth0", "type", "bridge")
    present = links(world, "a")
    assert complaint in refused(world, {**leased(world), **more})
    assert links(world, "a") == present
    assert links(world, "node") == {"lo", "eth0", "far0"}
    assert reserved(world) == set()


def test_masters_that_the_kernel_refuses(world: World) -> None:
    """A bridge's port is in use; both plugins report it."""
    assert world.run("node", "ip", "link", "add", "br0", "type", "bridge") == ""
    assert world.run("node", "ip", "link", "set", "eth0", "master", "br0") == ""
    for directory in (None, STOCK):
        assert "busy" in refused(world, config(2), directory)
    assert links(world, "a") == {"lo"}


def test_a_master_that_is_an_ipvlan_itself(world: World) -> None:
    """The kernel makes the new one a sibling, on the same card; the stock plugin has the same result."""
    assert world.run("node", "ip", "link", "add", "iv0", "link", "eth0", "type", "ipvlan", "mode", "l2") == ""
    for number, pod, directory in ((2, "a", None), (3, "b", STOCK)):
        world.call("ipvlan", "ADD", config(number, master="iv0"), pod, bin_dir=directory)
    with Netlink(world.node) as node, Netlink(f"{world.prefix}-a") as inside:
        assert link.link(inside, "eth0").peer == link.link(node, "eth0").index
    assert talks(world, "a", "10.9.0.3") and talks(world, "b", "10.9.0.2")


def test_a_pod_that_no_longer_exists(world: World) -> None:
    """ADD fails and keeps no address; DEL succeeds, however often it is called."""
    conf = leased(world)
    world.call("ipvlan", "ADD", conf, "a")
    netns.delete(f"{world.prefix}-a")
    assert f"{world.prefix}-a" in refused(world, conf)
    for _ in range(2):
        world.call("ipvlan", "DEL", conf, "a")
    world.call("ipvlan", "DEL", conf, "a", CNI_NETNS="")
    assert reserved(world) == set()


def test_killed_in_the_middle(world: World) -> None:
    """DEL removes everything that a process leaves when it is killed, at any moment."""
    conf = leased(world)
    for turn in range(12):
        process = world.start("ipvlan", "ADD", conf, "a")
        try:
            process.wait(0.05 + turn * 0.03)
        except subprocess.TimeoutExpired:
            process.kill()
        process.communicate()
        world.call("ipvlan", "DEL", conf, "a")
        # An interface that still has its temporary name is removed with the pod.
        left = {name for name in links(world, "a") if not name.startswith("cni")}
        assert left == {"lo"} and reserved(world) == set()
    assert world.call("ipvlan", "ADD", conf, "a")["ips"][0]["address"].startswith("10.9.0.")
    world.call("ipvlan", "DEL", conf, "a")
    assert links(world, "node") == {"lo", "eth0", "far0"}
