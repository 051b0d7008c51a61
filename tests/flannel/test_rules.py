"""Masquerade and forward rules in real namespaces: the rules, external changes, and packets."""

import asyncio
import fcntl
import ipaddress
import os
import socket
import subprocess
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from pybernetes.flannel.masquerade import PodNetwork, Wanted
from pybernetes.flannel.rules import ConfiguredRules, IptablesRules, NftRules, configured
from pybernetes.linux import netns
from pybernetes.linux.iptables import Iptables

pytestmark = [pytest.mark.kernel, pytest.mark.slow]

V4 = PodNetwork(ipaddress.ip_network("172.7.0.0/16"), ipaddress.ip_network("172.7.21.0/24"))
V6 = PodNetwork(ipaddress.ip_network("fd00:7::/48"), ipaddress.ip_network("fd00:7:0:21::/64"))
#: docker's rule as guides to flannel change it, so that nodes see other nodes' pods under their addresses.
GUIDE = "-s 172.7.21.0/24 ! -d 172.7.0.0/16 ! -o docker0 -j MASQUERADE"


@pytest.fixture
def node() -> Iterator[str]:
    name = f"pbt-{uuid.uuid4().hex[:8]}"
    netns.create(name)
    yield name
    netns.delete(name)


def run(where: str, command: str) -> str:
    """The output of a command in a namespace; a tab in it stands for a space within an argument."""
    words = [word.replace("\t", " ") for word in command.split(" ")]
    return subprocess.run(netns.argv_in(where, words), capture_output=True, text=True, check=True).stdout


def listed(where: str, chain: str, table: str = "nat", tool: str = "iptables") -> list[str]:
    return [line for line in run(where, f"{tool} -t {table} -S {chain}").splitlines() if line.startswith("-A")]


def iptables_rules(where: str, backend: str = "nft") -> IptablesRules:
    return IptablesRules(masquerade=True, forward=True, backend=backend, netns=where)


POSTRTG = """\
-A FLANNEL-POSTRTG -m mark --mark 0x4000/0x4000 -m comment --comment "flanneld masq" -j RETURN
-A FLANNEL-POSTRTG -s {here} -d {pods} -m comment --comment "flanneld masq" -j RETURN
-A FLANNEL-POSTRTG -s {pods} -d {here} -m comment --comment "flanneld masq" -j RETURN
-A FLANNEL-POSTRTG ! -s {pods} -d {here} -m comment --comment "flanneld masq" -j RETURN
-A FLANNEL-POSTRTG -s {pods} ! -d {multicast} -m comment --comment "flanneld masq" -j MASQUERADE --random-fully
-A FLANNEL-POSTRTG ! -s {pods} -d {pods} -m comment --comment "flanneld masq" -j MASQUERADE --random-fully
"""


@pytest.mark.parametrize("backend", ["nft", "legacy"])
async def test_the_rules_are_those_of_go_flannel(node: str, backend: str) -> None:
    await iptables_rules(node, backend).ensure(Wanted((V4, V6), nftables=False))
    for net, tool, multicast in ((V4, "iptables", "224.0.0.0/4"), (V6, "ip6tables", "ff00::/8")):
        command = f"{tool}-{backend}"
        want = POSTRTG.format(here=net.subnet, pods=net.network, multicast=multicast).splitlines()
        assert listed(node, "FLANNEL-POSTRTG", tool=command) == want
        jump = '-A POSTROUTING -m comment --comment "flanneld masq" -j FLANNEL-POSTRTG'
        assert listed(node, "POSTROUTING", tool=command) == [jump]
        assert listed(node, "FORWARD", "filter", command) == [
            '-A FORWARD -m comment --comment "flanneld forward" -j FLANNEL-FWD'
        ]
        assert listed(node, "FLANNEL-FWD", "filter", command) == [
            f'-A FLANNEL-FWD -s {net.network} -m comment --comment "flanneld forward" -j ACCEPT',
            f'-A FLANNEL-FWD -d {net.network} -m comment --comment "flanneld forward" -j ACCEPT',
        ]


async def test_source_ports_need_not_be_random(node: str) -> None:
    for nftables in (True, False):
        rules = configured(masquerade=True, forward=False, random=False, netns=node)
        await rules.ensure(Wanted((V4,), nftables=nftables))
    assert "fully-random" not in run(node, "nft list ruleset") and "--random" not in run(node, "iptables-save")
    assert any(line.endswith("-j MASQUERADE") for line in listed(node, "FLANNEL-POSTRTG"))
    assert "FLANNEL-FWD" not in run(node, "iptables-save")


@pytest.mark.parametrize(
    "damage",
    [
        "iptables -t nat -F",
        "iptables -t nat -F FLANNEL-POSTRTG",
        "iptables -t nat -D FLANNEL-POSTRTG 3",
        "iptables -t nat -D POSTROUTING -m comment --comment flanneld\tmasq -j FLANNEL-POSTRTG",
        "iptables -t filter -F FORWARD",
        "iptables -t nat -I FLANNEL-POSTRTG 2 -j MASQUERADE",
        "ip6tables -t nat -F",
        "nft flush ruleset",
    ],
)
async def test_external_changes_are_repaired_and_other_rules_left_alone(node: str, damage: str) -> None:
    rules, wanted = iptables_rules(node), Wanted((V4, V6), nftables=False)
    for theirs in (f"iptables -t nat -A POSTROUTING {GUIDE}", "iptables -A FORWARD -i eth7 -j DROP"):
        run(node, theirs)
    await rules.ensure(wanted)
    before = counted(node)
    assert await rules.ensure(wanted) == [], "nothing to do"
    run(node, damage)
    theirs_then = [line for line in counted(node) if "FLANNEL" not in line and line.startswith("-A")]
    assert await rules.ensure(wanted)
    assert [line for line in counted(node) if "FLANNEL" in line] == [line for line in before if "FLANNEL" in line]
    assert [line for line in counted(node) if "FLANNEL" not in line and line.startswith("-A")] == theirs_then


def counted(where: str) -> list[str]:
    """All rules, without comments and packet counts."""
    lines = (run(where, "iptables-save") + run(where, "ip6tables-save")).splitlines()
    return [line.partition(" [")[0] for line in lines if line[0] in ":-*"]


async def test_reordered_rules_are_put_in_order(node: str) -> None:
    rules, wanted = iptables_rules(node), Wanted((V4,), nftables=False)
    await rules.ensure(wanted)
    before = listed(node, "FLANNEL-POSTRTG")
    moved = before[4].removeprefix("-A FLANNEL-POSTRTG ").replace('"flanneld masq"', "flanneld\tmasq")
    run(node, f"iptables -t nat -I FLANNEL-POSTRTG {moved}")
    run(node, "iptables -t nat -D FLANNEL-POSTRTG 6")
    assert listed(node, "FLANNEL-POSTRTG") == [before[4], *before[:4], before[5]]
    await rules.ensure(wanted)
    assert listed(node, "FLANNEL-POSTRTG") == before


async def test_flanneld_waits_for_the_lock(node: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only the legacy backend has a lock. The test uses a separate lock file: the machine shares the usual one."""
    monkeypatch.setenv("XTABLES_LOCKFILE", str(tmp_path / "xtables.lock"))
    rules = iptables_rules(node, "legacy")
    lock = os.open(tmp_path / "xtables.lock", os.O_CREAT | os.O_RDWR, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        task = asyncio.create_task(rules.ensure(Wanted((V4,), nftables=False)), name="rules")
        _, waiting = await asyncio.wait({task}, timeout=0.5)
        assert waiting, "another process holds the lock"
        fcntl.flock(lock, fcntl.LOCK_UN)
        assert await asyncio.wait_for(task, 30)
    finally:
        os.close(lock)
    assert len(listed(node, "FLANNEL-POSTRTG", tool="iptables-legacy")) == 6


async def test_switching_between_the_two_leaves_nothing_over(node: str) -> None:
    run(node, f"iptables -t nat -A POSTROUTING {GUIDE}")
    run(node, "nft add table ip theirs")
    rules = configured(masquerade=True, forward=True, netns=node)
    for nftables in (True, False, True, False):
        await rules.ensure(Wanted((V4, V6), nftables=nftables))
        tables, saved = run(node, "nft list tables"), "\n".join(counted(node))
        assert ("flannel-ipv4" in tables, "flannel-ipv6" in tables) == (nftables, nftables)
        assert ("FLANNEL" in saved) != nftables
        assert "table ip theirs" in tables and GUIDE in saved


async def test_rules_of_a_previous_run_are_removed_too(node: str) -> None:
    await iptables_rules(node, "legacy").ensure(Wanted((V4,), nftables=False))
    await iptables_rules(node, "nft").ensure(Wanted((V4, V6), nftables=False))
    await configured(masquerade=True, forward=True, netns=node).ensure(Wanted((V4,), nftables=True))
    assert "FLANNEL" not in run(node, "iptables-legacy-save") + "\n".join(counted(node))
    again = configured(masquerade=True, forward=False, netns=node)
    await again.ensure(Wanted((V4, V6), nftables=True))
    await again.ensure(Wanted((V6,), nftables=True))
    assert "flannel-ipv4" not in run(node, "nft list tables"), "a family that is no longer configured"


RECEIVE = """
import socket, sys
s = socket.socket(socket.AF_INET6 if ":" in sys.argv[1] else socket.AF_INET, socket.SOCK_DGRAM)
s.bind((sys.argv[1], 7)); s.settimeout(20); print("bound", flush=True); print(s.recvfrom(9)[1][0])
"""


@pytest.fixture
def far(node: str) -> Iterator[tuple[str, str]]:
    """A pod on the node, and beyond it one namespace that has a pod of another node and an outside address."""
    pod, outside = f"{node}-p", f"{node}-o"
    for name, mine in ((pod, "1"), (outside, "9")):
        netns.create(name)
        subprocess.run(f"ip -n {node} link add v{mine} type veth peer name eth0 netns {name}".split(), check=True)
        for where, dev in ((node, f"v{mine}"), (name, "eth0"), (name, "lo")):
            subprocess.run(f"ip -n {where} link set dev {dev} up".split(), check=True)
    lines = [
        (node, "addr add 172.7.21.1/24 dev v1"),
        (pod, "addr add 172.7.21.5/24 dev eth0"),
        (pod, "route add default via 172.7.21.1"),
        (node, "addr add 192.0.2.1/24 dev v9"),
        (outside, "addr add 192.0.2.9/24 dev eth0"),
        (outside, "addr add 172.7.22.5/32 dev lo"),
        (node, "route add 172.7.22.0/24 via 192.0.2.9"),
        (outside, "route add 172.7.21.0/24 via 192.0.2.1"),
        (node, "-6 addr add fd00:7:0:21::1/64 dev v1 nodad"),
        (pod, "-6 addr add fd00:7:0:21::5/64 dev eth0 nodad"),
        (pod, "-6 route add default via fd00:7:0:21::1"),
        (node, "-6 addr add 2001:db8::1/64 dev v9 nodad"),
        (outside, "-6 addr add 2001:db8::9/64 dev eth0 nodad"),
        (outside, "-6 addr add fd00:7:0:22::5/128 dev lo nodad"),
        (node, "-6 route add fd00:7:0:22::/64 via 2001:db8::9"),
        (outside, "-6 route add fd00:7:0:21::/64 via 2001:db8::1"),
    ]
    for where, line in lines:
        subprocess.run(["ip", "-n", where, *line.split()], check=True)
    for key in ("ipv4/ip_forward", "ipv6/conf/all/forwarding"):
        netns.run_in(node, lambda key=key: Path(f"/proc/sys/net/{key}").write_text("1"))  # type: ignore[misc]
    yield pod, outside
    netns.delete(pod)
    netns.delete(outside)


def seen_as(source: str, target: str, address: str) -> str:
    """The source address under which a datagram to `address` arrives."""
    argv = netns.argv_in(target, ["python3", "-c", RECEIVE, address])
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as receiver:
        assert receiver.stdout and receiver.stdout.readline() == "bound\n"
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        with netns.run_in(source, lambda: socket.socket(family, socket.SOCK_DGRAM)) as sender:
            sender.sendto(b"x", (address, 7))
            return receiver.stdout.readline().strip()


@pytest.mark.parametrize("nftables", [True, False])
async def test_pods_see_each_other_and_the_world_sees_the_node(node: str, far: tuple[str, str], nftables: bool) -> None:
    pod, outside = far
    run(node, f"iptables -t nat -I POSTROUTING {GUIDE}")
    run(node, "iptables -P FORWARD ACCEPT")
    await configured(masquerade=True, forward=True, netns=node).ensure(Wanted((V4, V6), nftables=nftables))
    expected = {
        "172.7.22.5": "172.7.21.5",
        "192.0.2.9": "192.0.2.1",
        "fd00:7:0:22::5": "fd00:7:0:21::5",
        "2001:db8::9": "2001:db8::1",
    }
    got = {address: await asyncio.to_thread(seen_as, pod, outside, address) for address in expected}
    assert got == expected


JOIN = """
import socket, sys
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.bind(("", 7)); s.settimeout(20)
group = socket.inet_aton("224.0.0.77") + socket.inet_aton("192.0.2.9")
s.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, group)
print("bound", flush=True); print(s.recvfrom(9)[1][0], flush=True); print(s.recvfrom(9)[1][0])
"""


@pytest.mark.parametrize("nftables", [True, False])
async def test_multicast_keeps_its_source(node: str, far: tuple[str, str], nftables: bool) -> None:
    await configured(masquerade=True, forward=True, netns=node).ensure(Wanted((V4,), nftables=nftables))
    argv = netns.argv_in(far[1], ["python3", "-c", JOIN])
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as receiver:  # noqa: ASYNC220 - a few milliseconds
        assert receiver.stdout and receiver.stdout.readline() == "bound\n"
        with netns.run_in(node, lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) as sender:
            sender.bind(("172.7.21.1", 0))
            sender.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton("192.0.2.1"))
            sender.sendto(b"x", ("224.0.0.77", 7))
            assert receiver.stdout.readline() == "172.7.21.1\n"
            sender.sendto(b"x", ("192.0.2.9", 7))
            assert receiver.stdout.readline() == "192.0.2.1\n"


async def test_without_iptables_it_is_nftables(node: str) -> None:
    absent = iptables_rules(node, "absent")
    await ConfiguredRules(NftRules(masquerade=True, forward=True, netns=node), absent).ensure(Wanted((V4,), False))
    assert "flannel-ipv4" in run(node, "nft list tables")


@pytest.mark.parametrize("backend", ["nft", "legacy"])
def test_reading_creates_nothing(node: str, backend: str) -> None:
    iptables = Iptables(4, backend=backend, netns=node)
    assert not iptables.listing("nat", "FLANNEL-POSTRTG")
    assert "nat" not in run(node, "cat /proc/net/ip_tables_names") and not run(node, "nft list tables")
    run(node, f"iptables-{backend} -t nat -N MINE")
    assert iptables.listing("nat", "MINE") == ["-N MINE"] and iptables.listing("nat", "OTHER") is None
