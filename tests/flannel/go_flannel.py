"""Performs the steps of Go flanneld on a node, one by one, with `ip`, `bridge` and `iptables`.

The program is not available on this machine. This module records facts about it: which attributes of a VXLAN device it
compares before it keeps one, the kinds of routes and entries it makes, the order of its rules, the format of its files.
"""

import json
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pybernetes.linux import netns

MARK = "0x4000/0x4000"


@dataclass(frozen=True)
class Family:
    """IPv4 or IPv6; `{n}` stands for a node's number."""

    version: int
    device: str
    network: str
    subnet: str
    length: int
    public: str
    multicast: str
    keys: tuple[str, str]
    """Suffixes of the annotations: backend data, public address"""

    @property
    def full(self) -> int:
        return 32 if self.version == 4 else 128

    @property
    def iptables(self) -> str:
        return "iptables" if self.version == 4 else "ip6tables"


V4 = Family(
    4, "flannel.1", "10.244.0.0/16", "10.244.{n}.0", 24, "192.0.2.{n}", "224.0.0.0/4", ("backend-data", "public-ip")
)
V6 = Family(
    6, "flannel-v6.1", "fd00:244::/48", "fd00:244:0:{n}::", 64, "fd00:89::{n}", "ff00::/8",
    ("backend-v6-data", "public-ipv6"),
)  # fmt: skip


@dataclass(frozen=True)
class Peer:
    """The parts of a lease that the vxlan backend uses. Here both families have the same MAC, which does no harm."""

    number: int
    mac: str

    def endpoint(self, family: Family) -> str:
        return family.subnet.format(n=self.number)

    def subnet(self, family: Family) -> str:
        return f"{self.endpoint(family)}/{family.length}"

    def public_ip(self, family: Family) -> str:
        return family.public.format(n=self.number)


class WouldReplaceDevice(AssertionError):
    """Go flanneld would not keep this device: it would delete it, and with it all routes."""


class GoFlanneld:
    """One node."""

    def __init__(self, space: str, number: int, subnet_file: Path, families: Sequence[Family] = (V4,)) -> None:
        self.space = space
        self.own = Peer(number, "")
        self.subnet_file = subnet_file
        self.families = families

    def run(self, *argv: str, check: bool = True) -> str:
        done = subprocess.run(netns.argv_in(self.space, argv), capture_output=True, text=True, check=False)
        assert not check or done.returncode == 0, f"{argv}: {done.stdout}{done.stderr}"
        return done.stdout

    def show(self, *argv: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = json.loads(self.run("ip", "-j", "-d", *argv, check=False) or "[]")
        return [each for each in found if each]

    def start(self, mac: str, peers: list[Peer]) -> str:
        """All steps until it is running. Returns whether its devices were `created` or `kept`."""
        (how,) = {self._device(family, mac) for family in self.families}
        lines = []
        for family in self.families:
            self._address(family)
            self.run("ip", "link", "set", family.device, "up")
            self._masquerade(family)
            self._forward(family)
            prefix = "" if family.version == 4 else "IPV6_"
            first = f"{self.own.endpoint(family).removesuffix('0')}1/{family.length}"
            lines += [f"{prefix}NETWORK={family.network}", f"{prefix}SUBNET={first}"]
        for peer in peers:
            self.added(peer)
        lines += ["MTU=1450", "IPMASQ=true"]
        self.subnet_file.write_text("".join(f"FLANNEL_{line}\n" for line in lines))
        return how

    def mac(self) -> str:
        return str(self.show("link", "show", V4.device)[0]["address"])

    def _device(self, family: Family, mac: str) -> str:
        present = self.show("link", "show", family.device)
        local = self.own.public_ip(family)
        if not present:
            words = f"ip link add {family.device} address {mac} mtu 1450 type vxlan id 1 dev eth0 nolearning"
            self.run(*words.split(), "dstport", "8472", "local", local)
            return "created"
        info = present[0]["linkinfo"]
        data = info["info_data"]
        compared = {
            "kind": (info["info_kind"], "vxlan"),
            "id": (data["id"], 1),
            "device": (data.get("link", "eth0"), "eth0"),
            "local": (data.get("local", data.get("local6", local)), local),
            "group": (data.get("group", ""), ""),
            "l2miss": (data.get("l2miss", False), False),
            "port": (data.get("port", 8472), 8472),
            "gbp": (data.get("gbp", False), False),
        }
        differ = {name: pair for name, pair in compared.items() if pair[0] != pair[1]}
        if differ:
            raise WouldReplaceDevice(differ)
        return "kept"

    def _address(self, family: Family) -> None:
        wanted = f"{self.own.endpoint(family)}/{family.full}"
        found = self.show(f"-{family.version}", "addr", "show", "dev", family.device, "scope", "global")
        have = {f"{each['local']}/{each['prefixlen']}" for one in found for each in one["addr_info"] if each}
        for other in have - {wanted}:
            self.run("ip", "addr", "del", other, "dev", family.device)
        if wanted not in have:
            self.run("ip", "addr", "add", wanted, "dev", family.device)

    def _masquerade(self, family: Family) -> None:
        all_pods, pods = family.network, self.own.subnet(family)
        rules = [
            f"-m mark --mark {MARK} -m comment --comment 'flanneld masq' -j RETURN",
            f"-s {pods} -d {all_pods} -m comment --comment 'flanneld masq' -j RETURN",
            f"-s {all_pods} -d {pods} -m comment --comment 'flanneld masq' -j RETURN",
            f"! -s {all_pods} -d {pods} -m comment --comment 'flanneld masq' -j RETURN",
            f"-s {all_pods} ! -d {family.multicast} -m comment --comment 'flanneld masq' -j MASQUERADE --random-fully",
            f"! -s {all_pods} -d {all_pods} -m comment --comment 'flanneld masq' -j MASQUERADE --random-fully",
        ]
        self._rules(family, "nat", "POSTROUTING", "FLANNEL-POSTRTG", "flanneld masq", rules)

    def _forward(self, family: Family) -> None:
        rules = [f"{way} {family.network} -m comment --comment 'flanneld forward' -j ACCEPT" for way in ("-s", "-d")]
        self._rules(family, "filter", "FORWARD", "FLANNEL-FWD", "flanneld forward", rules)

    def _rules(self, family: Family, table: str, chain: str, target: str, comment: str, rules: list[str]) -> None:
        """Flush the chain, then add all rules in one transaction, with the jump at the end of its chain."""
        words = [family.iptables, "-w", "-t", table]
        self.run(*words, "-N", target, check=False)
        self.run(*words, "-F", target)
        jump = [chain, "-m", "comment", "--comment", comment, "-j", target]
        self.run(*words, "-D", *jump, check=False)
        self.run(*words, "-A", *jump)
        script = "\n".join([f"*{table}", *(f"-A {target} {rule}".replace("'", '"') for rule in rules), "COMMIT\n"])
        command = netns.argv_in(self.space, [f"{family.iptables}-restore", "-w", "--noflush"])
        subprocess.run(command, input=script, text=True, check=True, capture_output=True)

    def added(self, peer: Peer) -> None:
        """A lease was added, or exists at the start."""
        for family in self.families:
            on, mac, end = ["dev", family.device], peer.mac, peer.endpoint(family)
            self.run("ip", "neigh", "replace", end, "lladdr", mac, *on, "nud", "permanent")
            self.run("bridge", "fdb", "replace", mac, *on, "dst", peer.public_ip(family), "self", "permanent")
            self.run("ip", "route", "replace", peer.subnet(family), "via", end, *on, "onlink")

    def removed(self, peer: Peer) -> None:
        """A lease was removed."""
        for family in self.families:
            on, end = ["dev", family.device], peer.endpoint(family)
            self.run("ip", "neigh", "del", end, "lladdr", peer.mac, *on)
            self.run("bridge", "fdb", "del", peer.mac, *on, "dst", peer.public_ip(family), "self")
            self.run("ip", "route", "del", peer.subnet(family), "via", end, *on)


def annotations(number: int, mac: str, families: Sequence[Family]) -> dict[str, str]:
    """A lease as Go flanneld writes it on a Node: of the vxlan backend with a MAC, of host-gw without."""
    notes = {"backend-type": "vxlan" if mac else "host-gw", "kube-subnet-manager": "true"}
    for family in families:
        data, public = family.keys
        notes[data] = f'{{"VNI":1,"VtepMAC":"{mac}"}}' if mac else "null"
        notes[public] = family.public.format(n=number)
    return {f"flannel.alpha.coreos.com/{key}": value for key, value in notes.items()}


def etcd_value(number: int, mac: str) -> str:
    """A lease as Go flanneld writes it to etcd."""
    backend = f'"vxlan","BackendData":{{"VNI":1,"VtepMAC":"{mac}"}}' if mac else '"host-gw"'
    return f'{{"PublicIP":"192.0.2.{number}","PublicIPv6":null,"BackendType":{backend}}}'
