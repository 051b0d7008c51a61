"""Nodes change from Go flanneld to ours and back while pods talk; and both share one network.

`go_flannel.py` performs the steps of Go flanneld. Pods are attached by the stock plugins. Leases are on Nodes in a real
API server, with IPv4 alone or with both families, or in a real etcd.
"""

import asyncio
import ipaddress
import json
import os
import subprocess
import uuid
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from cni.cni_world import STOCK
from pybernetes import cni
from pybernetes.flannel.subnet_file import previous_subnets
from pybernetes.linux import netns

from .go_flannel import GoFlanneld, Peer, WouldReplaceDevice
from .go_world import (
    CONFIG,
    DEVICE,
    DUAL,
    NETWORK,
    Machine,
    World,
    add_ipv6,
    families_of,
    leases_of,
)
from .test_daemon import prepare, until

pytestmark = [pytest.mark.kernel, pytest.mark.slow]


def stock(machine: Machine, command: str) -> None:
    """Call the stock `bridge` and `host-local` as flannel's CNI plugin does, and write its state file."""
    config = {
        "cniVersion": "0.3.1",
        "name": "cbr0",
        "type": "bridge",
        "hairpinMode": True,
        "isDefaultGateway": True,
        "isGateway": True,
        "ipMasq": False,
        "mtu": 1450,
        "ipam": {
            "type": "host-local",
            "subnet": f"10.244.{machine.number}.0/24",
            "routes": [{"dst": NETWORK}],
            "dataDir": str(machine.folder / "networks"),
        },
    }
    text = json.dumps(config)
    call(machine, STOCK / "bridge", command, text)
    (machine.folder / "flannel").mkdir(exist_ok=True)
    (machine.folder / "flannel" / "pod").write_text(text)


def call(machine: Machine, plugin: Path, command: str, config: str) -> None:
    env = {
        "CNI_COMMAND": command,
        "CNI_CONTAINERID": "pod",
        "CNI_NETNS": f"/run/netns/{machine.pod}",
        "CNI_IFNAME": "eth0",
        "CNI_PATH": str(STOCK),
        "PATH": os.environ["PATH"],
    }
    argv = netns.argv_in(machine.space, [str(plugin)])
    done = subprocess.run(argv, input=config, capture_output=True, text=True, env=env, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture(params=["nodes", "etcd", "dual"])
async def world(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[World]:
    """Two nodes with Go flanneld, and a pod on each."""
    tag = f"pbt-{os.getpid()}-{uuid.uuid4().hex[:4]}"
    numbers = (1, 2)
    async with AsyncExitStack() as stack:
        for name in ("0", *(f"{kind}{number}" for number in numbers for kind in ("", "pod"))):
            stack.callback(netns.delete, f"{tag}-{name}")
        prepare(f"{tag}-0", [f"{tag}-{number}" for number in numbers])
        leases = await leases_of(request.param, tmp_path, stack)
        machines = []
        for number in numbers:
            folder = tmp_path / f"node-{number}"
            folder.mkdir()
            (folder / "net-conf.json").write_text(json.dumps(DUAL if request.param == "dual" else CONFIG))
            space, pod = f"{tag}-{number}", f"{tag}-pod{number}"
            netns.create(pod)
            go = GoFlanneld(space, number, folder / "subnet.env", families_of(request.param))
            machines.append(Machine(number, space, pod, folder, leases, go))
            stock(machines[-1], "ADD")
            if request.param == "dual":
                add_ipv6(space, number)
            stack.push_async_callback(machines[-1].stop_ours)
        made = World(machines, leases)
        await made.all_go()
        yield made


async def test_node_by_node_to_ours_and_back(world: World) -> None:
    """No packet is lost, no object is there twice, and Go flanneld keeps the objects that ours left."""
    before = [machine.kernel() for machine in world.machines]
    leases = [await world.leases.text(machine.number) for machine in world.machines]
    for kernel, own in zip(before, world.macs, strict=True):
        assert kernel["device"][1] == own.mac and len(kernel["routes"]) == 1
    async with world.unbroken():
        for machine in world.machines:
            await machine.start_ours()
        ours = [machine.kernel() for machine in world.machines]
        for machine in world.machines:
            await machine.stop_ours()
            others = [peer for peer in world.macs if peer.number != machine.number]
            assert await machine.start_go("0e:ff:ff:ff:ff:ff", others) == "kept"
    # Exactly the same: device and its index, routes, entries, rules of the same chains, the file.
    assert ours == before
    assert [machine.kernel() for machine in world.machines] == before
    assert [await world.leases.text(machine.number) for machine in world.machines] == leases


async def test_pods_of_the_stock_plugins_are_detached_by_ours(world: World) -> None:
    machine = world.machines[0]
    await machine.start_ours()
    cni.install(machine.folder / "bin")
    config = {
        "cniVersion": "0.3.1",
        "name": "cbr0",
        "type": "flannel",
        "subnetFile": str(machine.folder / "subnet.env"),
        "dataDir": str(machine.folder / "flannel"),
        "ipam": {"dataDir": str(machine.folder / "networks")},
        "delegate": {"hairpinMode": True, "isDefaultGateway": True},
    }
    call(machine, machine.folder / "bin/flannel", "DEL", json.dumps(config))
    assert not machine.go.show("link", "show", "type", "veth", "master", "cni0")
    assert not list((machine.folder / "networks/cbr0").glob("10.*")) and not list(
        (machine.folder / "flannel").iterdir()
    )
    call(machine, machine.folder / "bin/flannel", "ADD", json.dumps(config))
    assert len(list((machine.folder / "networks/cbr0").glob("10.*"))) == 1


async def test_both_kinds_share_one_network(world: World) -> None:
    go, ours = world.machines
    await ours.start_ours()
    async with world.unbroken():
        # A node with Go flanneld joins and leaves: our flanneld follows its lease.
        await world.leases.write(7, "0e:11:22:33:44:07")
        await until(lambda: len(ours.kernel()["routes"]) == 2)
        assert "10.244.7.0 0e:11:22:33:44:07" in ours.kernel()["neighbours"]
        await world.leases.delete(7)
        await until(lambda: len(ours.kernel()["routes"]) == 1)
    # The other direction: Go flanneld can read the lease that ours wrote.
    mine = Peer(ours.number, "0e:11:22:33:44:02")
    await asyncio.to_thread(go.go.removed, mine)
    await asyncio.to_thread(go.go.added, mine)
    async with world.unbroken():
        pass  # pings are answered


async def test_routes_of_go_flannel_to_deleted_nodes(world: World) -> None:
    machine = world.machines[0]
    before = machine.kernel()
    await asyncio.to_thread(machine.go.added, Peer(9, "0e:11:22:33:44:09"))
    others = ("198.51.100.0/24", "via", "192.0.2.2"), ("198.51.101.0/24", "via", "10.244.2.0", "dev", DEVICE, "onlink")
    for words in others:
        machine.go.run("ip", "route", "add", *words)
    assert len(machine.kernel()["routes"]) == 3
    async with world.unbroken():
        await machine.start_ours()
        await until(lambda: len(machine.kernel()["routes"]) == 2)
    for words in others:
        assert machine.go.show("route", "show", words[0]), "a route of another program stays"
        machine.go.run("ip", "route", "del", *words)
    assert machine.kernel() == before


async def test_a_device_with_other_properties_is_replaced_and_announced(world: World) -> None:
    """Go flanneld would not keep this device either; ours announces the MAC of the new one."""
    machine = world.machines[0]
    words = f"ip link add {DEVICE} type vxlan id 1 dev eth0 nolearning dstport 4789 local 192.0.2.1"
    machine.go.run("ip", "link", "del", DEVICE)
    machine.go.run(*words.split())
    with pytest.raises(WouldReplaceDevice, match="port"):
        machine.go.start("0e:11:22:33:44:01", [])
    await machine.start_ours()
    assert machine.go.mac() in str(await world.leases.text(1))
    assert machine.go.start("", world.macs[1:]) == "kept"


async def test_rules_of_go_flannel_are_removed_with_nftables(world: World) -> None:
    machine = world.machines[0]
    path = machine.folder / "net-conf.json"
    wanted = {**json.loads(path.read_text()), "EnableNFTables": True}
    path.write_text(json.dumps(wanted))
    await world.leases.configure(wanted)
    async with world.unbroken():
        await machine.start_ours()
        await until(lambda: not machine.kernel()["rules"])
    assert machine.kernel()["tables"] == len(machine.go.families)


def test_the_subnet_file_of_go_flannel_is_read(tmp_path: Path) -> None:
    text = f"FLANNEL_NETWORK={NETWORK}\nFLANNEL_SUBNET=10.244.1.1/24\nFLANNEL_MTU=1450\nFLANNEL_IPMASQ=true\n"
    (tmp_path / "subnet.env").write_text(text)
    assert previous_subnets(tmp_path / "subnet.env") == {4: ipaddress.ip_network("10.244.1.0/24")}


async def test_plain_routes_of_go_flannel_are_taken_over(world: World) -> None:
    """The host-gw backend: Go flanneld's routes are on the node's interface, as are routes of other programs."""
    for machine, own in zip(world.machines, world.macs, strict=True):
        other = next(peer for peer in world.macs if peer != own)
        machine.go.removed(other)
        for family in machine.go.families:
            machine.go.run("ip", "link", "del", family.device)
            machine.go.run(
                "ip", "route", "replace", other.subnet(family), "via", other.public_ip(family), "dev", "eth0"
            )
    await world.configure("host-gw")
    await world.write_host_gw_leases()

    def routes(machine: Machine) -> list[list[str]]:
        found = machine.go.run("ip", "route", "show") + machine.go.run("ip", "-6", "route", "show")
        return [line.split() for line in found.splitlines() if " via " in line]

    before = [[line[:5] for line in routes(machine)] for machine in world.machines]
    async with world.unbroken():
        for machine in world.machines:
            await machine.start_ours()
    for machine, were in zip(world.machines, before, strict=True):
        now = routes(machine)
        assert [line[:5] for line in now] == were and all("70" in line for line in now), now
        await machine.stop_ours()
