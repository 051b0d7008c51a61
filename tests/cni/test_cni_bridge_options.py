"""Every setting of the bridge plugin takes effect in the kernel, or is refused with what was expected."""

from __future__ import annotations

import json
import socket
from typing import Any

import pytest

from cni.cni_world import World
from pybernetes.cni import bridge_config, spec
from pybernetes.cni.bridge_config import BridgeConfig
from pybernetes.cni.errors import CniError
from pybernetes.cni.settings import Settings
from pybernetes.linux import addr, link, netns
from pybernetes.linux.rtnl import Netlink


@pytest.mark.parametrize(
    "change, message",
    [
        ({"hairpinMode": True, "promiscMode": True}, "at the same time"),
        ({"isGateway": "yes"}, "isGateway: expected true or false, got 'yes'"),
        ({"portIsolation": 1}, "portIsolation: expected true or false"),
        ({"mtu": "1500"}, "mtu: expected a number from 0 to 65535, got '1500'"),
        ({"mtu": 70000}, "mtu: expected a number from 0 to 65535, got 70000"),
        ({"vlan": 4095}, "vlan: expected a number from 0 to 4094"),
        ({"vlan": True}, "vlan: expected a number from 0 to 4094"),
        ({"vlan": 5, "vlanTrunk": [{"id": 6}]}, "vlan and vlanTrunk at the same time"),
        ({"vlanTrunk": {}}, "vlanTrunk: expected a list of objects"),
        ({"vlanTrunk": None}, None),
        ({"vlanTrunk": "x"}, "vlanTrunk: expected a list"),
        ({"vlanTrunk": [5]}, r"vlanTrunk\[0\]: expected an object, got 5"),
        ({"vlanTrunk": [{"minID": 5}]}, "maxID is missing"),
        ({"vlanTrunk": [{"maxID": 5}]}, "minID is missing"),
        ({"vlanTrunk": [{"minID": 5, "maxID": 4}]}, "minID is greater than maxID"),
        ({"vlanTrunk": [{"id": 0}]}, r"vlanTrunk\[0\].id: expected a number from 1 to 4094, got 0"),
        (
            {"vlanTrunk": [{"minID": 1, "maxID": 5000}]},
            r"maxID: expected a number from 1 to 4094, got 5000",
        ),
        ({"disableContainerInterface": True}, "cannot use IPAM when disableContainerInterface"),
        ({"ipMasqBackend": "pf"}, "ipMasqBackend: expected"),
        ({"runtimeConfig": {"mac": "nonsense"}}, "invalid MAC address"),
        ({"args": {"cni": {"mac": 5}}}, "args.cni.mac: expected a string, got 5"),
        ({"bridge": 5}, "bridge: expected a string, got 5"),
    ],
)
def test_invalid_settings(change: dict[str, Any], message: str | None) -> None:
    call = spec.Call("ADD", {"name": "n", "type": "bridge", "ipam": {"type": "host-local"}, **change})
    if message is None:
        assert BridgeConfig(call).vlans == []
        return
    with pytest.raises(CniError, match=message) as caught:
        BridgeConfig(call)
    assert caught.value.code == 7


def test_a_trunk_is_a_sorted_set() -> None:
    trunk = [{"minID": 10, "maxID": 12}, {"id": 5}, {"id": 11}, {"minID": 2, "maxID": 2, "id": 7}]
    assert bridge_config.read_trunk(Settings({"t": trunk}).sections("t")) == [2, 5, 7, 10, 11, 12]


def test_precedence_of_requested_macs() -> None:
    def mac(**config: Any) -> str:
        return bridge_config.requested_mac(spec.Call("ADD", config, args={"MAC": "02:00:00:00:00:01"}))

    assert mac() == "02:00:00:00:00:01"
    assert mac(args={"cni": {"mac": "02:00:00:00:00:02"}}) == "02:00:00:00:00:02"
    both = {"args": {"cni": {"mac": "02:00:00:00:00:02"}}, "runtimeConfig": {"mac": "02:00:00:00:00:03"}}
    assert mac(**both) == "02:00:00:00:00:03"


@pytest.mark.kernel
def test_ports_have_the_configured_settings(world: World) -> None:
    world.make("a")
    config = world.bridge(portIsolation=True, mtu=1400)
    result = world.call("bridge", "ADD", config, "a")
    port = json.loads(world.run("node", "bridge", "-d", "-j", "link", "show", "dev", result["interfaces"][1]["name"]))
    assert (port[0]["hairpin"], port[0]["isolated"], port[0]["mtu"]) == (True, True, 1400)
    world.make("b")
    plain = world.call("bridge", "ADD", world.bridge(hairpinMode=False), "b")
    port = json.loads(world.run("node", "bridge", "-d", "-j", "link", "show", "dev", plain["interfaces"][1]["name"]))
    assert (port[0]["hairpin"], port[0]["isolated"]) == (False, False)


@pytest.mark.kernel
def test_layer_two_only(world: World) -> None:
    """Without IPAM a pod gets an interface without addresses; it may even stay down."""
    for pod in ("a", "b"):
        world.make(pod)
    config = world.bridge(isDefaultGateway=False, ipam={})
    result = world.call("bridge", "ADD", config, "a")
    assert "ips" not in result
    world.call("bridge", "CHECK", {**config, "prevResult": result}, "a")
    down = {**config, "disableContainerInterface": True}
    result = world.call("bridge", "ADD", down, "b")
    with Netlink(f"{world.prefix}-a") as one, Netlink(f"{world.prefix}-b") as other:
        assert link.link(one, "eth0").up and not link.link(other, "eth0").up
    world.call("bridge", "CHECK", {**down, "prevResult": result}, "b")
    for pod in ("a", "b"):
        world.call("bridge", "DEL", config, pod)


@pytest.mark.kernel
def test_a_gateway_without_a_default_route(world: World) -> None:
    world.make("a")
    config = world.bridge(isDefaultGateway=False, isGateway=True)
    config["ipam"]["ranges"][0][0]["gateway"] = "172.20.1.254"
    result = world.call("bridge", "ADD", config, "a")
    assert result["ips"][0]["gateway"] == "172.20.1.254" and "routes" not in result
    with Netlink(world.node) as node:
        assert [a.cidr for a in addr.addresses(node, link.link(node, "cni0").index, 4)] == ["172.20.1.254/24"]
    assert "default" not in world.run("a", "ip", "route")


def _send_as(world: World, pod: str, mac: str) -> None:
    """Send a broadcast frame of an experimental EtherType with a chosen source MAC."""

    def send() -> None:
        with socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as sock:
            sock.bind(("eth0", 0))
            sock.send(b"\xff" * 6 + bytes.fromhex(mac.replace(":", "")) + b"\x88\xb5" + b"x" * 50)

    netns.run_in(f"{world.prefix}-{pod}", send)


@pytest.mark.kernel
@pytest.mark.slow
def test_frames_with_another_mac_are_dropped(world: World) -> None:
    for pod in ("a", "b"):
        world.make(pod)
    config = world.bridge("1.1.0", macspoofchk=True)
    result = world.call("bridge", "ADD", config, "a")
    world.call("bridge", "ADD", world.bridge(), "b")
    world.call("bridge", "CHECK", {**config, "prevResult": result}, "a")

    def listener() -> socket.socket:
        sock = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(0x88B5))
        sock.bind(("eth0", 0x88B5))
        sock.settimeout(10)
        return sock

    with netns.run_in(f"{world.prefix}-b", listener) as heard:
        _send_as(world, "a", "02:de:ad:be:ef:00")
        _send_as(world, "a", result["interfaces"][2]["mac"])
        assert heard.recv(100)[6:12].hex(":") == result["interfaces"][2]["mac"], "the forged one came first, and never"
    assert "1 received" in world.run("a", "ping", "-c1", "-W2", "172.20.1.1")

    collect = {**config, "cni.dev/valid-attachments": [{"containerID": "a", "ifname": "eth0"}]}
    world.call("bridge", "GC", collect, "x")
    assert "drop" in world.run("node", "nft", "list", "ruleset")
    world.call("bridge", "GC", {**collect, "name": "another", "cni.dev/valid-attachments": []}, "x")
    assert "drop" in world.run("node", "nft", "list", "ruleset"), "GC of another network keeps it"
    for _ in range(2):
        world.call("bridge", "DEL", config, "a")
    assert "drop" not in world.run("node", "nft", "list", "ruleset")
    assert world.fails("bridge", "CHECK", {**config, "prevResult": result}, "a")["code"] in (100, 101, 102)


@pytest.mark.kernel
@pytest.mark.slow
@pytest.mark.parametrize("backend", ["iptables", "nftables"])
def test_masquerading_is_added_and_removed(world: World, backend: str) -> None:
    for pod in ("a", "b"):
        world.make(pod)
    config = world.bridge("1.1.0", ipMasq=True, ipMasqBackend=backend)
    for pod in ("a", "b"):
        world.call("bridge", "ADD", config, pod)

    def rules() -> list[str]:
        text = world.run("node", "iptables-save", "-t", "nat") + world.run("node", "nft", "list", "ruleset")
        return [line for line in text.splitlines() if "masquerade" in line.lower() and "172.20.1." in line]

    def whose(ip: str) -> bool:
        return ip in world.run("node", "iptables-save", "-t", "nat") + world.run("node", "nft", "list", "ruleset")

    assert whose("172.20.1.2") and whose("172.20.1.3")
    collect = {**config, "cni.dev/valid-attachments": [{"containerID": "b", "ifname": "eth0"}]}
    world.call("bridge", "GC", {**collect, "name": "another"}, "x")
    assert whose("172.20.1.2"), "GC of another network keeps it"
    world.call("bridge", "GC", collect, "x")
    assert not whose("172.20.1.2") and whose("172.20.1.3")
    for _ in range(2):
        world.call("bridge", "DEL", config, "b")
    assert not whose("172.20.1.3") and rules() == []


@pytest.mark.kernel
@pytest.mark.slow
def test_duplicate_address_detection(world: World) -> None:
    world.make("a")
    world.make("b")
    config = world.bridge(enabledad=True, hairpinMode=False)
    config["ipam"]["ranges"] = [[{"subnet": "fd00:9::/64"}]]
    result = world.call("bridge", "ADD", config, "a")
    assert result["ips"][0]["address"] == "fd00:9::2/64"
    assert "tentative" not in world.run("a", "ip", "-6", "addr")
    other = {**config, "name": "other", "ipam": {**config["ipam"], "dataDir": str(world.root / "other")}}
    answer = world.fails("bridge", "ADD", other, "b")
    assert "fd00:9::2/64 is in use by another host" in answer["msg"]
    assert list((world.root / "other" / "other").glob("fd00*")) == []


@pytest.mark.kernel
def test_status_includes_the_ipam_plugin(world: World) -> None:
    world.call("bridge", "STATUS", world.bridge("1.1.0"), "x")
    broken = world.bridge("1.1.0")
    broken["ipam"]["ranges"] = []
    assert "no IP ranges" in world.fails("bridge", "STATUS", broken, "x")["msg"]


@pytest.mark.kernel
def test_flannel_is_ready_when_its_bridge_is(world: World) -> None:
    world.call("flannel", "STATUS", world.flannel("1.1.0"), "x")
    answer = world.fails("flannel", "STATUS", world.flannel("1.1.0", mtu="big"), "x")
    assert (answer["code"], "mtu: expected a number" in answer["msg"]) == (50, True)
    world.subnet_file.unlink()
    assert world.fails("flannel", "STATUS", world.flannel("1.1.0"), "x")["code"] == 50
