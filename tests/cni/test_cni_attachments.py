"""Pods attached and detached in the real kernel, by the launchers that a runtime starts."""

from __future__ import annotations

import json
import signal
import subprocess
import time
from ipaddress import ip_interface
from typing import Any

import pytest

from cni.cni_world import STOCK, World
from pybernetes.linux import addr, bridge, link, netns, route
from pybernetes.linux.rtnl import Netlink

pytestmark = pytest.mark.kernel

STOCK_NOTE = (
    '{"cniVersion":"0.3.1","hairpinMode":true,"ipMasq":false,"ipam":{"routes":[{"dst":"172.20.0.0/16"}],'
    '"subnet":"172.20.1.0/24","type":"host-local"},"isDefaultGateway":true,"isGateway":true,"mtu":1450,'
    '"name":"cbr0","type":"bridge"}'
)


def test_attach_and_detach(world: World) -> None:
    world.make("a")
    result = world.call("flannel", "ADD", world.flannel("0.3.1"), "a")
    note = json.loads((world.root / "flannel" / "a").read_text())
    note["ipam"].pop("dataDir")
    assert json.dumps(note, separators=(",", ":")) == STOCK_NOTE
    assert result["ips"] == [{"version": "4", "address": "172.20.1.2/24", "gateway": "172.20.1.1", "interface": 2}]
    assert result["routes"] == [{"dst": "172.20.0.0/16"}, {"dst": "0.0.0.0/0", "gw": "172.20.1.1"}]
    assert [i["name"] for i in result["interfaces"]][::2] == ["cni0", "eth0"]
    with Netlink(f"{world.prefix}-a") as pod, Netlink(world.node) as node:
        eth0 = link.link(pod, "eth0")
        assert (eth0.mtu, eth0.up, eth0.mac) == (1450, True, result["interfaces"][2]["mac"])
        assert {(r.dst, r.gateway) for r in route.routes(pod, family=4, table=254)} == {
            ("0.0.0.0/0", "172.20.1.1"),
            ("172.20.0.0/16", "172.20.1.1"),
            ("172.20.1.0/24", ""),
        }
        cni0 = link.link(node, "cni0")
        (port,) = link.links(node, master=cni0.index)
        assert port.hairpin and port.up and port.name == result["interfaces"][1]["name"]
        noted = bridge.parse_alias(port.alias)
        assert noted is not None and (noted.container_id, noted.mac) == ("a", cni0.mac)
        assert [a.cidr for a in addr.addresses(node, cni0.index, 4)] == ["172.20.1.1/24"]
    assert "1 received" in world.run("a", "ping", "-c1", "-W1", "172.20.1.1")
    for _ in range(2):
        world.call("flannel", "DEL", world.flannel("0.3.1"), "a")
        assert world.addresses == set() and list((world.root / "flannel").iterdir()) == []
    with Netlink(world.node) as node:
        assert [found.name for found in link.links(node)] == ["lo", "cni0"]
        assert link.link(node, "cni0").mac == cni0.mac


def test_pods_communicate_and_a_deleted_bridge_is_restored(world: World) -> None:
    for pod in ("a", "b"):
        world.make(pod)
        world.call("flannel", "ADD", world.flannel(), pod)
    assert "1 received" in world.run("a", "ping", "-c1", "-W1", "172.20.1.3")
    with Netlink(world.node) as node:
        link.delete(node, "cni0")
        assert len(bridge.restore(node, "cni0", ["172.20.1.1/24"], mtu=1450)) == 2
    assert "1 received" in world.run("a", "ping", "-c1", "-W1", "172.20.1.3")
    assert "1 received" in world.run("a", "ping", "-c1", "-W1", "172.20.1.1")


def test_dual_stack(world: World) -> None:
    world.write_subnet_env(FLANNEL_IPV6_NETWORK="fd00:20::/48", FLANNEL_IPV6_SUBNET="fd00:20:0:1::1/64")
    for pod in ("a", "b"):
        world.make(pod)
        result = world.call("flannel", "ADD", world.flannel(), pod)
    assert [ip["address"] for ip in result["ips"]] == ["172.20.1.3/24", "fd00:20:0:1::3/64"]
    assert {r["dst"] for r in result["routes"]} == {"172.20.0.0/16", "fd00:20::/48", "0.0.0.0/0", "::/0"}
    assert "1 received" in world.run("a", "ping", "-c1", "-W1", "fd00:20:0:1::3")
    # A bridge that is new to a multicast group may miss the first solicitation; the kernel sends another after 1 s.
    assert "1 received" in world.run("a", "ping", "-c1", "-W4", "fd00:20:0:1::1")
    world.call("flannel", "CHECK", {**world.flannel(), "prevResult": result}, "b")
    world.call("flannel", "DEL", world.flannel(), "b")
    assert world.addresses == {"172.20.1.2", "fd00:20:0:1::2"}


def test_loopback(world: World) -> None:
    world.make("a")
    with Netlink(f"{world.prefix}-a") as pod:
        link.set_down(pod, "lo")
    config = {"cniVersion": "1.0.0", "name": "lo", "type": "loopback"}
    result = world.call("loopback", "ADD", config, "a", CNI_IFNAME="lo")
    assert [ip["address"] for ip in result["ips"]] == ["127.0.0.1/8", "::1/128"]
    world.call("loopback", "CHECK", {**config, "prevResult": result}, "a", CNI_IFNAME="lo")
    world.call("loopback", "DEL", config, "a", CNI_IFNAME="lo")
    world.call("loopback", "DEL", config, "gone", CNI_IFNAME="lo")
    assert world.fails("loopback", "CHECK", {**config, "prevResult": result}, "a", CNI_IFNAME="lo")["code"] == 102


@pytest.mark.slow
def test_parallel_pods_never_share_an_address(world: World) -> None:
    pods = [f"p{i}" for i in range(16)]
    for pod in pods:
        world.make(pod)
    running = [world.start("flannel", "ADD", world.flannel(), pod) for pod in pods]
    results = [json.loads(process.communicate()[0]) for process in running]
    assert {r.returncode for r in running} == {0}
    ips = [result["ips"][0]["address"].partition("/")[0] for result in results]
    assert len(set(ips)) == 16 and set(ips) == world.addresses


def test_check_reports_changes(world: World) -> None:
    world.make("a")
    config = world.flannel()
    result = world.call("flannel", "ADD", config, "a")
    config["prevResult"] = result
    world.call("flannel", "CHECK", config, "a")
    world.run("a", "ip", "route", "del", "172.20.0.0/16")
    assert "route to 172.20.0.0/16 is missing" in world.fails("flannel", "CHECK", config, "a")["msg"]
    world.run("node", "ip", "link", "set", result["interfaces"][1]["name"], "nomaster")
    world.run("a", "ip", "route", "add", "172.20.0.0/16", "via", "172.20.1.1")
    assert "is not a port of cni0" in world.fails("flannel", "CHECK", config, "a")["msg"]
    world.run("a", "ip", "addr", "flush", "dev", "eth0")
    assert "address 172.20.1.2/24 is missing" in world.fails("flannel", "CHECK", config, "a")["msg"]
    world.run("a", "ip", "link", "del", "eth0")
    assert "interface eth0 is missing" in world.fails("flannel", "CHECK", config, "a")["msg"]


def test_a_failed_second_add_keeps_the_first(world: World) -> None:
    world.make("a")
    world.call("flannel", "ADD", world.flannel(), "a")
    assert "already exists" in world.fails("flannel", "ADD", world.flannel(), "a")["msg"]
    assert world.addresses == {"172.20.1.2"}
    assert "1 received" in world.run("a", "ping", "-c1", "-W1", "172.20.1.1")


def test_a_failed_add_leaves_nothing(world: World) -> None:
    world.make("a")
    bad = world.bridge()
    bad["ipam"]["routes"] = [{"dst": "192.0.2.0/24", "gw": "198.51.100.1"}]
    assert "add route" in world.fails("bridge", "ADD", bad, "a")["msg"]
    assert world.addresses == set()
    with Netlink(world.node) as node:
        assert [found.name for found in link.links(node)] == ["lo", "cni0"]


def test_gc_removes_what_a_crash_left(world: World) -> None:
    config = world.flannel("1.1.0")
    for pod in ("keep", "dead"):
        world.make(pod)
        world.call("flannel", "ADD", config, pod)
    netns.delete(f"{world.prefix}-dead")
    (world.root / "networks" / "cbr0" / "172.20.1.9").write_text("")  # left by a stock plugin that was killed
    valid = [{"containerID": "keep", "ifname": "eth0"}]
    world.call("flannel", "GC", {**config, "cni.dev/valid-attachments": valid}, "x")
    assert world.addresses == {"172.20.1.2"}
    assert [p.name for p in (world.root / "flannel").iterdir()] == ["keep"]
    assert world.fails("flannel", "GC", config, "x")["code"] == 7
    world.call("flannel", "STATUS", config, "x")


@pytest.mark.slow
def test_del_cleans_up_after_add_was_killed_at_any_time(world: World) -> None:
    world.make("timed")
    started = time.monotonic()
    world.call("flannel", "ADD", world.flannel(), "timed")
    duration = time.monotonic() - started
    world.call("flannel", "DEL", world.flannel(), "timed")
    for step in range(12):
        pod = world.make(f"k{step}").removeprefix(f"{world.prefix}-")
        process = world.start("flannel", "ADD", world.flannel(), pod)
        try:
            process.wait(duration * (step + 1) / 12)
        except subprocess.TimeoutExpired:
            pass
        process.send_signal(signal.SIGKILL)
        process.communicate()
        world.call("flannel", "DEL", world.flannel(), pod)
    assert world.addresses == set()
    assert [p for p in (world.root / "flannel").iterdir() if not p.name.startswith(".")] == []
    with Netlink(world.node) as node:
        assert {found.name for found in link.links(node)} <= {"lo", "cni0"}


@pytest.mark.parametrize("maker, remover", [("ours", "stock"), ("stock", "ours")])
def test_stock_plugins_are_interchangeable(world: World, maker: str, remover: str) -> None:
    directories = {"ours": world.bin_dir, "stock": STOCK}
    config = world.bridge(ipMasq=True)
    results = {}
    for pod, who in (("a", maker), ("b", remover), ("c", maker)):
        world.make(pod)
        results[pod] = world.call("bridge", "ADD", config, pod, bin_dir=directories[who])
    assert world.addresses == {"172.20.1.2", "172.20.1.3", "172.20.1.4"}
    assert "1 received" in world.run("a", "ping", "-c1", "-W1", "172.20.1.3")
    world.call("bridge", "CHECK", {**config, "prevResult": results["a"]}, "a", bin_dir=directories[remover])
    for pod in ("a", "b", "c"):
        world.call("bridge", "DEL", config, pod, bin_dir=directories[remover])
    assert world.addresses == set()
    assert "CNI-" not in world.run("node", "iptables-save", "-t", "nat")
    with Netlink(world.node) as node:
        assert [found.name for found in link.links(node)] == ["lo", "cni0"]


def _shape(result: dict[str, Any]) -> dict[str, Any]:
    """A result without the values that differ from run to run."""
    return {
        "interfaces": [sorted(set(i) - {"mtu"}) for i in result["interfaces"]],
        "ips": [{**ip, "address": ip_interface(ip["address"]).network.with_prefixlen} for ip in result["ips"]],
        "routes": result.get("routes"),
        "dns": result["dns"],
        "cniVersion": result["cniVersion"],
    }


@pytest.mark.parametrize("version", ["0.3.0", "0.3.1", "0.4.0", "1.0.0"])
def test_results_have_the_form_of_the_stock_plugins(world: World, version: str) -> None:
    for pod in ("a", "b"):
        world.make(pod)
    config = world.bridge(version)
    ours = world.call("bridge", "ADD", config, "a")
    theirs = world.call("bridge", "ADD", config, "b", bin_dir=STOCK)
    assert _shape(ours) == _shape(theirs)


def test_a_requested_mac(world: World) -> None:
    world.make("a")
    config = world.bridge(runtimeConfig={"mac": "02:11:22:33:44:55"})
    assert world.call("bridge", "ADD", config, "a")["interfaces"][2]["mac"] == "02:11:22:33:44:55"


def test_promiscuous_bridge(world: World) -> None:
    world.make("a")
    world.call("bridge", "ADD", world.bridge(hairpinMode=False, promiscMode=True), "a")
    with Netlink(world.node) as node:
        assert link.link(node, "cni0").promiscuity >= 1


def test_vlan_works_or_names_the_missing_kernel_feature(world: World) -> None:
    world.make("a")
    process = world.start("bridge", "ADD", world.bridge(vlan=100), "a")
    out, _ = process.communicate()
    if process.returncode:
        assert json.loads(out)["msg"] == "'vlan' needs a kernel with CONFIG_BRIDGE_VLAN_FILTERING"
        assert world.addresses == set()
    else:
        assert "100 PVID" in world.run("node", "bridge", "vlan")


def test_another_address_on_the_bridge(world: World) -> None:
    for pod in ("a", "b"):
        world.make(pod)
    world.call("bridge", "ADD", world.bridge(), "a")
    moved = world.bridge()
    moved["ipam"]["ranges"] = [[{"subnet": "172.20.9.0/24"}]]
    assert "already has an IP address different" in world.fails("bridge", "ADD", moved, "b")["msg"]
    world.call("bridge", "ADD", {**moved, "forceAddress": True}, "b")
    with Netlink(world.node) as node:
        index = link.link(node, "cni0").index
        assert [a.cidr for a in addr.addresses(node, index, 4)] == ["172.20.9.1/24"]


def test_an_external_delegate_is_executed(world: World) -> None:
    """Our flannel delegates to the stock ptp in CNI_PATH, which runs its own host-local."""
    world.make("a")
    mixed = world.root / "mixed"
    mixed.mkdir()
    for name, source in (("flannel", world.bin_dir), ("dummy-ptp", STOCK), ("host-local", STOCK)):
        (mixed / name).symlink_to(source / name.removeprefix("dummy-"))
    config = world.flannel(type="dummy-ptp")
    config["delegate"] = {"type": "dummy-ptp"}
    result = world.call("flannel", "ADD", config, "a", bin_dir=mixed)
    assert result["ips"][0]["address"].startswith("172.20.1.")
    world.call("flannel", "DEL", config, "a", bin_dir=mixed)
    assert world.addresses == set()
    config["delegate"] = {"type": "nowhere"}
    assert "failed to find plugin 'nowhere'" in world.fails("flannel", "ADD", config, "a")["msg"]
