"""What the original flanneld, written in Go, does to a node: its steps one by one, with `ip`, `bridge` and `iptables`.

The program itself can't be had here. What is written down are facts about it: which attributes of a VXLAN device it
compares before it keeps one, the kinds of routes and entries it makes, the order of its rules, the form of its files.
"""

import json
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pybernetes.linux import netns

DEVICE = "flannel.1"
NETWORK = "10.244.0.0/16"
MARK = "0x4000/0x4000"


@dataclass(frozen=True)
class Peer:
    """A lease, as far as the vxlan backend looks at it."""

    number: int
    mac: str

    @property
    def endpoint(self) -> str:
        return f"10.244.{self.number}.0"

    @property
    def public_ip(self) -> str:
        return f"192.0.2.{self.number}"


class Unfit(AssertionError):
    """The device is not one that the original would keep: it would delete it, and with it all routes."""


class GoFlanneld:
    """One node."""

    def __init__(self, space: str, number: int, subnet_file: Path) -> None:
        self.space = space
        self.own = Peer(number, "")
        self.subnet_file = subnet_file

    def run(self, *argv: str, check: bool = True) -> str:
        done = subprocess.run(netns.argv_in(self.space, argv), capture_output=True, text=True, check=False)
        assert not check or done.returncode == 0, f"{argv}: {done.stdout}{done.stderr}"
        return done.stdout

    def show(self, *argv: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = json.loads(self.run("ip", "-j", "-d", *argv, check=False) or "[]")
        return [each for each in found if each]

    def start(self, mac: str, peers: list[Peer]) -> str:
        """All that happens until it is running; whether the device was `created` or `kept`."""
        how = self._device(mac)
        self._address()
        self.run("ip", "link", "set", DEVICE, "up")
        self._masquerade()
        self._forward()
        for peer in peers:
            self.added(peer)
        lines = (f"NETWORK={NETWORK}", f"SUBNET=10.244.{self.own.number}.1/24", "MTU=1450", "IPMASQ=true")
        self.subnet_file.write_text("".join(f"FLANNEL_{line}\n" for line in lines))
        return how

    def mac(self) -> str:
        return str(self.show("link", "show", DEVICE)[0]["address"])

    def _device(self, mac: str) -> str:
        present = self.show("link", "show", DEVICE)
        if not present:
            words = f"ip link add {DEVICE} address {mac} mtu 1450 type vxlan id 1 dev eth0 nolearning dstport 8472"
            self.run(*words.split(), "local", self.own.public_ip)
            return "created"
        info = present[0]["linkinfo"]
        data = info["info_data"]
        compared = {
            "kind": (info["info_kind"], "vxlan"),
            "id": (data["id"], 1),
            "device": (data.get("link", "eth0"), "eth0"),
            "local": (data.get("local", self.own.public_ip), self.own.public_ip),
            "group": (data.get("group", ""), ""),
            "l2miss": (data.get("l2miss", False), False),
            "port": (data.get("port", 8472), 8472),
            "gbp": (data.get("gbp", False), False),
        }
        differ = {name: pair for name, pair in compared.items() if pair[0] != pair[1]}
        if differ:
            raise Unfit(differ)
        return "kept"

    def _address(self) -> None:
        wanted = f"10.244.{self.own.number}.0/32"
        (found,) = self.show("-4", "addr", "show", "dev", DEVICE) or [{"addr_info": []}]
        have = {f"{each['local']}/{each['prefixlen']}" for each in found["addr_info"]}
        for other in have - {wanted}:
            self.run("ip", "addr", "del", other, "dev", DEVICE)
        if wanted not in have:
            self.run("ip", "addr", "add", wanted, "dev", DEVICE)

    def _masquerade(self) -> None:
        pods = f"10.244.{self.own.number}.0/24"
        rules = [
            f"-m mark --mark {MARK} -m comment --comment 'flanneld masq' -j RETURN",
            f"-s {pods} -d {NETWORK} -m comment --comment 'flanneld masq' -j RETURN",
            f"-s {NETWORK} -d {pods} -m comment --comment 'flanneld masq' -j RETURN",
            f"! -s {NETWORK} -d {pods} -m comment --comment 'flanneld masq' -j RETURN",
            f"-s {NETWORK} ! -d 224.0.0.0/4 -m comment --comment 'flanneld masq' -j MASQUERADE --random-fully",
            f"! -s {NETWORK} -d {NETWORK} -m comment --comment 'flanneld masq' -j MASQUERADE --random-fully",
        ]
        self._rules("nat", "POSTROUTING", "FLANNEL-POSTRTG", "flanneld masq", rules)

    def _forward(self) -> None:
        rules = [f"{way} {NETWORK} -m comment --comment 'flanneld forward' -j ACCEPT" for way in ("-s", "-d")]
        self._rules("filter", "FORWARD", "FLANNEL-FWD", "flanneld forward", rules)

    def _rules(self, table: str, chain: str, target: str, comment: str, rules: list[str]) -> None:
        """The chain is emptied, then all is put in order in one transaction, the jump at the end of its chain."""
        self.run("iptables", "-w", "-t", table, "-N", target, check=False)
        self.run("iptables", "-w", "-t", table, "-F", target)
        jump = ["-m", "comment", "--comment", comment, "-j", target]
        exists = ["iptables", "-w", "-t", table, "-C", chain, *jump]
        if subprocess.run(netns.argv_in(self.space, exists), capture_output=True, check=False).returncode == 0:
            self.run("iptables", "-w", "-t", table, "-D", chain, *jump)
        self.run("iptables", "-w", "-t", table, "-A", chain, *jump)
        script = "\n".join([f"*{table}", *(f"-A {target} {rule}".replace("'", '"') for rule in rules), "COMMIT\n"])
        command = netns.argv_in(self.space, ["iptables-restore", "-w", "--noflush"])
        subprocess.run(command, input=script, text=True, check=True, capture_output=True)

    def added(self, peer: Peer) -> None:
        """A lease has come, or is there at the start."""
        self.run("ip", "neigh", "replace", peer.endpoint, "lladdr", peer.mac, "dev", DEVICE, "nud", "permanent")
        self.run("bridge", "fdb", "replace", peer.mac, "dev", DEVICE, "dst", peer.public_ip, "self", "permanent")
        self.run("ip", "route", "replace", f"{peer.endpoint}/24", "via", peer.endpoint, "dev", DEVICE, "onlink")

    def removed(self, peer: Peer) -> None:
        """A lease has gone."""
        self.run("ip", "neigh", "del", peer.endpoint, "lladdr", peer.mac, "dev", DEVICE)
        self.run("bridge", "fdb", "del", peer.mac, "dev", DEVICE, "dst", peer.public_ip, "self")
        self.run("ip", "route", "del", f"{peer.endpoint}/24", "via", peer.endpoint, "dev", DEVICE)


def annotations(number: int, mac: str) -> dict[str, str]:
    """A lease of the vxlan backend as the original writes it on a Node."""
    return {
        "flannel.alpha.coreos.com/backend-data": f'{{"VNI":1,"VtepMAC":"{mac}"}}',
        "flannel.alpha.coreos.com/backend-type": "vxlan",
        "flannel.alpha.coreos.com/kube-subnet-manager": "true",
        "flannel.alpha.coreos.com/public-ip": f"192.0.2.{number}",
    }


def etcd_value(number: int, mac: str) -> str:
    """The same in etcd."""
    return (
        f'{{"PublicIP":"192.0.2.{number}","PublicIPv6":null,"BackendType":"vxlan",'
        f'"BackendData":{{"VNI":1,"VtepMAC":"{mac}"}}}}'
    )
