"""Compare what `filters` computes for a packet with what the kernel does with it."""

import os
import socket
import uuid
from collections.abc import Iterator

import pytest

from pybernetes.insight import observe
from pybernetes.insight.filters import Packet, bases
from pybernetes.insight.snat import masquerade
from pybernetes.linux import addr, link, netns, nft, route, sysctl, tool
from pybernetes.linux.iptables import Iptables
from pybernetes.linux.rtnl import Netlink

pytestmark = [pytest.mark.kernel, pytest.mark.slow]

HERE, THERE, NODE = {4: "10.244.1.2", 6: "fd00:1::2"}, {4: "10.244.2.2", 6: "fd00:2::2"}, "192.0.2.9"
#: (pod's side, its addresses, name of the link on the node, the node's addresses)
SIDES = (
    ("here", HERE, "cni0", ("10.244.1.1/24", "fd00:1::1/64")),
    ("there", THERE, "eth0", ("10.244.2.1/24", "fd00:2::1/64")),
)


@pytest.fixture
def node() -> Iterator[dict[str, str]]:
    """Three namespaces: a node (`node`) with a pod on each side (`here` and `there`)."""
    tag = f"pbt-{os.getpid()}-{uuid.uuid4().hex[:4]}"
    names = {side: f"{tag}-{side}" for side in ("here", "node", "there")}
    try:
        for name in names.values():
            netns.create(name)
            sysctl.write("net.ipv6.conf.default.accept_dad", 0, name)
            sysctl.write("net.ipv4.ip_forward", 1, name)
            sysctl.write("net.ipv6.conf.all.forwarding", 1, name)
        for side, ips, near, gateways in SIDES:
            _join(names, side, ips, near, gateways)
        yield names
    finally:
        for name in names.values():
            if netns.exists(name):
                netns.delete(name)


def _join(names: dict[str, str], side: str, ips: dict[int, str], near: str, gateways: tuple[str, ...]) -> None:
    fd = netns.open_fd(names[side])
    try:
        with Netlink(names["node"]) as nl, Netlink(names[side]) as inner:
            link.add_veth(nl, near, "eth0", peer_netns=fd)
            for which, name, cidrs in (
                (nl, near, gateways),
                (inner, "eth0", tuple(f"{ip}/{24 if v == 4 else 64}" for v, ip in ips.items())),
            ):
                index = link.link(which, name).index
                link.set_up(which, index)
                for cidr in cidrs:
                    addr.add(which, index, cidr)
            for gateway, dst in zip(gateways, ("0.0.0.0/0", "::/0"), strict=True):
                route.replace(inner, route.Route(dst, link.link(inner, "eth0").index, gateway.partition("/")[0]))
    finally:
        os.close(fd)


def sent(names: dict[str, str], version: int) -> str:
    """The source address with which a datagram arrives; empty if it does not arrive."""
    family = socket.AF_INET if version == 4 else socket.AF_INET6
    with netns.enter(names["there"]):
        receiver = socket.socket(family, socket.SOCK_DGRAM)
    with netns.enter(names["here"]):
        sender = socket.socket(family, socket.SOCK_DGRAM)
    with receiver, sender:
        receiver.bind((THERE[version], 0))
        receiver.settimeout(0.2)
        for _ in range(3):
            try:
                sender.sendto(b"x", receiver.getsockname())
                return str(receiver.recvfrom(16)[1][0])
            except (TimeoutError, PermissionError, ConnectionRefusedError):
                continue
    return ""


def forward(policy: str, *rules: str, family: str = "inet") -> str:
    body = "\n".join(rules)
    picky = "ip6 saddr != fd00:1::2" if family == "ip6" else "ip saddr != 10.244.1.2"
    return (
        f"table {family} fw {{\nset pods {{ type ipv4_addr; flags interval; elements = {{ 10.244.0.0/16 }}; }}\n"
        f"chain trusted {{ accept; }}\nchain picky {{ {picky} return; drop; }}\n"
        f"chain f {{ type filter hook forward priority 0; policy {policy};\n{body}\n}}\n}}\n"
    )


def postrouting(*rules: str) -> str:
    return "table ip n {\nchain p { type nat hook postrouting priority 100;\n" + "\n".join(rules) + "\n}\n}\n"


NFT = [
    forward("accept"),
    forward("drop"),
    forward("drop", "ct state established,related accept"),
    forward("drop", "ct state vmap { established : accept, invalid : drop, new : jump trusted }"),
    forward("drop", "ct state new accept"),
    forward("drop", 'iifname "cni0" accept'),
    forward("drop", 'iifname { "cni0", "docker0" } oifname "eth*" accept'),
    forward("drop", 'oifname "cni0" accept'),
    forward("drop", "ip saddr @pods accept"),
    forward("drop", "ip saddr != @pods accept"),
    forward("drop", "ip daddr 10.244.0.0/16 counter accept"),
    forward("drop", "meta mark & 0x4000 == 0x4000 accept"),
    forward("accept", "ip saddr 10.244.1.0/24 ip daddr { 10.244.2.2, 10.244.3.3 } drop"),
    forward("accept", "ip6 saddr fd00:1::/64 drop"),
    forward("accept", "jump picky"),
    forward("accept", "goto trusted", "drop"),
    forward("accept", "jump trusted", "drop"),
    forward("accept", "ip saddr 10.244.1.2 reject"),
    forward("accept", "drop", family="ip6"),
    forward("accept") + forward("drop").replace("table inet fw", "table ip fw2"),
    postrouting("ip saddr 10.244.1.0/24 masquerade"),
    postrouting("ip daddr 10.244.0.0/16 return", "masquerade"),
    postrouting('oifname "eth0" snat to 10.244.2.1'),
]


@pytest.mark.parametrize("version", [4, 6])
@pytest.mark.parametrize("script", NFT)
def test_nftables(node: dict[str, str], script: str, version: int) -> None:
    nft.apply(script, node["node"])
    agree(node, version)


IPTABLES = [
    "-P FORWARD DROP",
    "-P FORWARD DROP; -A FORWARD -s 10.244.0.0/16 -j ACCEPT",
    "-P FORWARD DROP; -A FORWARD ! -s 10.244.0.0/16 -j ACCEPT",
    "-P FORWARD DROP; -A FORWARD -i cni+ -o eth0 -m comment --comment a_note -j ACCEPT",
    "-P FORWARD DROP; -A FORWARD -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT",
    "-P FORWARD DROP; -A FORWARD -m conntrack --ctstate NEW,ESTABLISHED -j ACCEPT",
    "-N PODS; -A PODS -d 10.244.2.0/24 -j ACCEPT; -A FORWARD -j PODS; -A FORWARD -j DROP",
    "-N PODS; -A PODS -s 10.244.1.2 -j RETURN; -A PODS -j ACCEPT; -A FORWARD -j PODS; -A FORWARD -j DROP",
    "-N PODS; -A FORWARD -j DROP; -A FORWARD -j PODS; -A PODS -j ACCEPT",
    "-N PODS; -A FORWARD -g PODS; -A FORWARD -j DROP",
    "-A FORWARD -m mark ! --mark 0x4000/0x4000 -j DROP",
    "-A FORWARD -m mark --mark 0x4000/0x4000 -j DROP",
    "-A FORWARD -j REJECT",
    "-t nat -A POSTROUTING -s 10.244.0.0/16 -j MASQUERADE --random-fully",
    "-t nat -A POSTROUTING -d 10.244.0.0/16 -j RETURN; -t nat -A POSTROUTING -j MASQUERADE",
    "-t nat -A POSTROUTING -o eth0 -j SNAT --to-source 10.244.2.1",
]


@pytest.mark.parametrize("backend", ["nft", "legacy"])
@pytest.mark.parametrize("script", IPTABLES)
def test_iptables(node: dict[str, str], script: str, backend: str) -> None:
    iptables = Iptables(4, backend=backend, netns=node["node"])
    for line in script.split("; "):
        iptables.run(*line.split())
    assert observe.kernel(node["node"], rules=True).iptables
    agree(node, 4)


def agree(names: dict[str, str], version: int) -> None:
    """Compare the computed result with what arrives."""
    kernel = observe.kernel(names["node"], rules=True)
    packet = Packet(HERE[version], THERE[version], in_link="cni0", out_link="eth0")
    found = [base.decide() for base in bases(kernel, "forward", "filter", packet)]
    dropped = any(verdict.verdict in ("drop", "reject") for verdict in found)
    seen = sent(names, version)
    assert all(verdict.sure for verdict in found)
    assert dropped is not bool(seen), found
    if seen:
        assert masquerade(kernel, packet).changed is (seen != HERE[version])


def test_an_unknown_match_makes_the_verdict_uncertain(node: dict[str, str]) -> None:
    iptables = Iptables(4, netns=node["node"])
    iptables.run("-P", "FORWARD", "DROP")
    iptables.run("-A", "FORWARD", "-p", "tcp", "--dport", "80", "-j", "ACCEPT")
    nft.apply(forward("drop", "tcp dport 80 limit rate 5/second accept"), node["node"])
    kernel = observe.kernel(node["node"], rules=True)
    found = [base.decide() for base in bases(kernel, "forward", "filter", Packet(HERE[4], THERE[4]))]
    assert [(verdict.verdict, verdict.sure) for verdict in found] == [("drop", False)] * 2


def test_reading_creates_no_tables(node: dict[str, str]) -> None:
    assert observe.kernel(node["node"], rules=True).iptables == {}
    assert tool.run(["cat", "/proc/thread-self/net/ip_tables_names"], netns=node["node"]) == b""
