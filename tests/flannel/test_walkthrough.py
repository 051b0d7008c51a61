"""A session with two nodes and etcd: `pybernetes flanneld` as a process, examined with the usual tools.

Addresses, commands, output and log lines are those that guides to flannel show.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

import pybernetes.cni
from cni.cni_world import World
from pybernetes.linux import addr, link, netns, sysctl
from pybernetes.linux.rtnl import Netlink

pytestmark = [pytest.mark.kernel, pytest.mark.slow]
FLANNELD = Path(sys.executable).with_name("pybernetes")
ETCD = "http://10.4.7.2:2379"


def until(true: Callable[[], object], what: Callable[[], str], seconds: float = 20.0) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, what()
        time.sleep(0.02)


@dataclass
class Machine:
    """One node: its CNI environment, and flanneld as supervisord would run it."""

    number: int
    world: World
    log: Path
    process: subprocess.Popen[bytes] | None = None
    read: int = field(default=0)

    @property
    def address(self) -> str:
        return f"10.4.7.{self.number}"

    def run(self, command: str) -> str:
        return self.world.run("node", *command.split())

    def start(self) -> None:
        self.read = len(self.log.read_text()) if self.log.exists() else 0
        argv = [str(FLANNELD), "flanneld", f"--etcd-endpoints={ETCD}", "--iface=eth0", "--ip-masq"]
        argv += [f"--subnet-file={self.world.subnet_file}", "--healthz-port=2401"]
        with self.log.open("ab") as log:
            self.process = netns.popen_in(self.world.node, argv, stdout=log, stderr=log)

    def stop(self, number: int = signal.SIGTERM) -> int:
        assert self.process
        self.process.send_signal(number)
        code = self.process.wait(timeout=20)
        self.process = None
        return code

    @property
    def logged(self) -> str:
        """The log since the last start."""
        return self.log.read_text()[self.read :]

    def logs(self, *patterns: str) -> None:
        """Wait for log lines in this order; other lines may come between."""
        pattern = re.compile(".*".join(patterns), re.DOTALL)
        until(lambda: pattern.search(self.logged), lambda: f"no {patterns} in\n{self.logged}")

    def shows(self, command: str, *lines: str) -> None:
        """Wait until a command's output has each of these lines."""
        wanted = [re.compile(line, re.MULTILINE) for line in lines]
        until(lambda: all(w.search(self.run(command)) for w in wanted), lambda: self.run(command))


@dataclass
class Place:
    """Two machines and an etcd on one segment."""

    machines: list[Machine]
    switch: str

    def etcdctl(self, *words: str) -> str:
        argv, env = ["etcdctl", f"--endpoints={ETCD}", *words], {"ETCDCTL_API": "3"}
        process = netns.popen_in(self.switch, argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=env)
        return process.communicate()[0].decode()

    def configure(self, backend: dict[str, object]) -> None:
        text = json.dumps({"Network": "172.7.0.0/16", "Backend": backend})
        assert "OK" in self.etcdctl("put", "/coreos.com/network/config", text)


def _plug(switch: str, machine: Machine) -> None:
    """The machine's eth0, on the switch."""
    peer = netns.open_fd(machine.world.node)
    try:
        with Netlink(switch) as nl:
            link.add_veth(nl, f"port{machine.number}", "eth0", peer_netns=peer)
            link.set_master(nl, f"port{machine.number}", link.link(nl, "br0").index)
            link.set_up(nl, f"port{machine.number}")
    finally:
        os.close(peer)
    with Netlink(machine.world.node) as nl:
        link.set_up(nl, "lo")
        link.set_up(nl, "eth0")
        addr.add(nl, link.link(nl, "eth0").index, f"{machine.address}/24")
    sysctl.write("net.ipv4.ip_forward", "1", netns=machine.world.node)


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    tag = f"pbt-{os.getpid()}"
    switch, machines = f"{tag}-switch", []
    netns.create(switch)
    etcd: subprocess.Popen[bytes] | None = None
    try:
        with Netlink(switch) as nl:
            link.set_up(nl, "lo")
            addr.add(nl, link.add_bridge(nl, "br0", up=True).index, "10.4.7.2/24")
        plugins = tmp_path / "bin"
        pybernetes.cni.install(plugins)
        for number in (21, 22):
            (tmp_path / str(number)).mkdir()
            world = World(tmp_path / str(number), plugins, f"{tag}-{number}")
            machine = Machine(number, world, tmp_path / f"{number}.log")
            machines.append(machine)
            world.subnet_file.write_text(f"FLANNEL_NETWORK=172.7.0.0/16\nFLANNEL_SUBNET=172.7.{number}.1/24\n")
            _plug(switch, machine)
        argv = [shutil.which("etcd") or "etcd", f"--data-dir={tmp_path / 'etcd'}", "--log-level=error", "--logger=zap"]
        argv += [f"--listen-client-urls={ETCD}", f"--advertise-client-urls={ETCD}"]
        with (tmp_path / "etcd.log").open("wb") as log:
            etcd = netns.popen_in(switch, argv, stdout=log, stderr=log)
        made = Place(machines, switch)
        until(lambda: "is healthy" in made.etcdctl("endpoint", "health"), (tmp_path / "etcd.log").read_text)
        yield made
    finally:
        for process in [etcd, *(machine.process for machine in machines)]:
            if process is not None:
                process.kill()
                process.wait()
        for machine in machines:
            machine.world.close()
        netns.delete(switch)


#: The header of a klog line.
HEAD = r"[IWE]\d{4} \d\d:\d\d:\d\d\.\d{6} +\d+ [\w.]+:\d+\] "


def pod(machine: Machine, name: str) -> str:
    """Attach a pod to the machine as old kubelets did; returns its address."""
    machine.world.make(name)
    result = machine.world.call("flannel", "ADD", machine.world.flannel("0.3.1"), name)
    return str(result["ips"][0]["address"]).split("/")[0]


def test_two_nodes_from_host_gw_to_vxlan_and_back(place: Place) -> None:
    first, second = place.machines
    place.configure({"Type": "host-gw"})
    for machine in place.machines:
        machine.start()

    # The first start, with the subnet that the node had before.
    first.logs(
        HEAD + r"Start healthz server on 0\.0\.0\.0:2401",
        HEAD + r"Created subnet manager: Etcd Local Manager with Previous Subnet: 172\.7\.21\.0/24",
        r"Found network config - Backend type: host-gw",
        r"Using interface with name eth0 and address 10\.4\.7\.21",
        r"Using 10\.4\.7\.21 as external address",
        r"Found previously leased subnet \(172\.7\.21\.0/24\), reusing",
        r"Allocated lease \(172\.7\.21\.0/24\) to current node \(10\.4\.7\.21\)",
        r"Wrote subnet file to .*subnet\.env",
        r"Running backend\.",
    )
    first.logs(r"Waiting for 2[23]h\S* to renew lease")
    first.logs(r"Subnet added: 172\.7\.22\.0/24 via 10\.4\.7\.22")
    first.shows("ip route", r"^172\.7\.22\.0/24 via 10\.4\.7\.22 dev eth0 proto 70 ?$")
    assert "flannel.1" not in first.run("ip link")
    leases = place.etcdctl("get", "--prefix", "/coreos.com/network/subnets/", "--keys-only").split()
    assert leases == [f"/coreos.com/network/subnets/172.7.{number}.0-24" for number in (21, 22)]
    assert first.world.subnet_file.read_text() == (
        "FLANNEL_NETWORK=172.7.0.0/16\nFLANNEL_SUBNET=172.7.21.1/24\nFLANNEL_MTU=1500\nFLANNEL_IPMASQ=true\n"
    )

    # Pods reach each other; the source address is the pod's.
    until(lambda: "172.7.22.1" in second.world.subnet_file.read_text(), lambda: second.logged)
    here, there = pod(first, "web-1"), pod(second, "web-2")
    assert (here, there) == ("172.7.21.2", "172.7.22.2")
    first.shows("ip route", r"^172\.7\.21\.0/24 dev cni0 proto kernel scope link src 172\.7\.21\.1")
    routes = first.world.run("web-1", "ip", "route")
    assert re.search(r"^default via 172\.7\.21\.1 dev eth0", routes, re.MULTILINE), routes
    assert re.search(r"^172\.7\.21\.0/24 dev eth0 .*scope link src 172\.7\.21\.2", routes, re.MULTILINE), routes
    assert re.search(r"^172\.7\.0\.0/16 via 172\.7\.21\.1 dev eth0", routes, re.MULTILINE), routes
    (kept,) = (first.world.root / "flannel").iterdir()
    assert kept.name == "web-1"
    assert json.loads(kept.read_text()) == {
        "cniVersion": "0.3.1", "hairpinMode": True, "ipMasq": False, "isDefaultGateway": True, "isGateway": True,
        "mtu": 1500, "name": "cbr0", "type": "bridge",
        "ipam": {
            "type": "host-local", "dataDir": str(first.world.root / "networks"),
            "subnet": "172.7.21.0/24", "routes": [{"dst": "172.7.0.0/16"}],
        },
    }  # fmt: skip
    assert "0% packet loss" in first.world.run("web-1", "ping", "-c2", "-i0.1", "-W2", there)
    assert sees(second, from_machine=first, target=there) == here

    # Stop, change the backend, start. No route has to be deleted by hand.
    for machine in place.machines:
        assert machine.stop() == 0
    first.shows("ip route", r"^172\.7\.22\.0/24 via 10\.4\.7\.22 dev eth0")
    assert "0% packet loss" in first.world.run("web-1", "ping", "-c2", "-i0.1", "-W2", there)
    place.configure({"Type": "VxLAN"})
    for machine in place.machines:
        machine.start()
    first.logs(
        r"Found network config - Backend type: vxlan",
        r"VXLAN config: VNI=1 Port=8472 GBP=false Learning=false DirectRouting=false",
        r"Found lease \(172\.7\.21\.0/24\) for current IP \(10\.4\.7\.21\), reusing",
    )
    first.shows("ip route", r"^172\.7\.22\.0/24 via 172\.7\.22\.0 dev flannel\.1 proto 70 onlink")
    first.shows("route -n", r"^172\.7\.22\.0 +172\.7\.22\.0 +255\.255\.255\.0 +UG .* flannel\.1$")
    mac = json.loads(second.run("ip -j link show dev flannel.1"))[0]["address"]
    first.shows("ip neigh show dev flannel.1", rf"^172\.7\.22\.0 lladdr {mac} PERMANENT")
    first.shows("bridge fdb show dev flannel.1", rf"^{mac} dst 10\.4\.7\.22 self permanent")
    first.shows("ip -d link show dev flannel.1", r"mtu 1450", r"vxlan id 1 local 10\.4\.7\.21 dev eth0 .*dstport 8472")
    assert "FLANNEL_MTU=1450\n" in first.world.subnet_file.read_text()
    until(lambda: "0% packet loss" in first.world.run("web-1", "ping", "-c1", "-W1", there), lambda: first.logged)
    assert sees(second, from_machine=first, target=there) == here

    # kill -9, and a change to DirectRouting while everything runs.
    first.stop(signal.SIGKILL)
    first.start()
    place.configure({"Type": "vxlan", "Directrouting": True})
    first.shows("ip route", r"^172\.7\.22\.0/24 via 10\.4\.7\.22 dev eth0 proto 70 ?$")
    second.shows("ip route", r"^172\.7\.21\.0/24 via 10\.4\.7\.21 dev eth0 proto 70 ?$")
    assert "0% packet loss" in first.world.run("web-1", "ping", "-c2", "-i0.1", "-W2", there)

    # And back; the objects of vxlan are removed.
    place.configure({"Type": "host-gw"})
    until(lambda: "flannel.1" not in first.run("ip link"), lambda: first.logged, seconds=40)
    assert "0% packet loss" in first.world.run("web-1", "ping", "-c2", "-i0.1", "-W2", there)


_SERVE = """
import socket
server = socket.create_server(("0.0.0.0", 8080))
print("ready", flush=True)
print(server.accept()[1][0], flush=True)
"""


def sees(machine: Machine, *, from_machine: Machine, target: str) -> str:
    """The source address that the pod on `machine` sees when the pod on the other one connects."""
    space = f"{machine.world.prefix}-web-2"
    process = netns.popen_in(space, [sys.executable, "-c", _SERVE], stdout=subprocess.PIPE)
    assert process.stdout
    assert process.stdout.readline() == b"ready\n"
    from_machine.world.run(
        "web-1", sys.executable, "-c", f"import socket; socket.create_connection(('{target}', 8080))"
    )
    return process.communicate(timeout=20)[0].decode().strip()
