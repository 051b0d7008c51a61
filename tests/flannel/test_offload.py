"""A network card that writes wrong checksums inside a VXLAN: offload is disabled, and stays disabled."""

import asyncio
import ipaddress
import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from pybernetes.flannel.background.offload import Offload, Prober, Tunnel, answers, syn, verdict
from pybernetes.flannel.background.reach import checksum
from pybernetes.flannel.daemon import Flanneld
from pybernetes.flannel.interface import Selection
from pybernetes.flannel.kernel.drift import KernelDrift
from pybernetes.flannel.leases.lease import FamilyLease, Lease
from pybernetes.flannel.options import FlannelOptions
from pybernetes.flannel.rules import NftRules
from pybernetes.linux import ethtool, link, netns
from pybernetes.linux.errors import Missing
from pybernetes.linux.rtnl import Netlink

from .bgp_world import Board, BoardManager, until
from .broken_card import Pair, pair, tunnel

OWN = {4: ("10.244.1.0", "10.244.2.0"), 6: ("fd00:244:0:1::", "fd00:244:0:2::")}


@pytest.fixture
def nodes() -> Iterator[Pair]:
    with pair() as made:
        yield made


def looked_after(nodes: Pair, version: int = 4) -> tuple[Offload, Tunnel]:
    """The offload check of the first node, and its tunnel to the second."""
    device = tunnel(nodes.spaces[0], 1, 2, version)
    tunnel(nodes.spaces[1], 2, 1, version)
    own, end = OWN[version]
    name = "flannel.1" if version == 4 else "flannel-v6.1"
    rng = random.Random(1)
    found = Tunnel(name, device, 2, own, (end,))
    offload = Offload(Prober(nodes.spaces[0], rng), rng, nodes.spaces[0])
    offload.see([found])
    return offload, found


SERVER = """
import socket, sys, time
server = socket.create_server((sys.argv[1], 7), family=int(sys.argv[2])); print(1, flush=True)
while True: server.accept()
"""
CLIENT = "import socket, sys; socket.create_connection((sys.argv[1], 7), 2.5)"


async def connects(nodes: Pair, version: int = 4) -> bool:
    """Whether TCP works from the first to the second node through the tunnel."""
    end, family = OWN[version][1], {4: "2", 6: "10"}[version]
    argv = netns.argv_in(nodes.spaces[1], ["python3", "-c", SERVER, end, family])
    server = await asyncio.create_subprocess_exec(*argv, stdout=asyncio.subprocess.PIPE)
    try:
        assert server.stdout is not None
        await server.stdout.readline()
        argv = netns.argv_in(nodes.spaces[0], ["python3", "-c", CLIENT, end])
        return await (await asyncio.create_subprocess_exec(*argv, stderr=asyncio.subprocess.DEVNULL)).wait() == 0
    finally:
        server.kill()
        await server.wait()


@pytest.mark.kernel
@pytest.mark.slow
@pytest.mark.parametrize("version", [4, 6])
async def test_a_broken_card_is_found_and_its_offload_disabled(
    nodes: Pair, version: int, caplog: pytest.LogCaptureFixture
) -> None:
    offload, found = looked_after(nodes, version)
    assert not await connects(nodes, version), "the fault that users see"
    assert not await offload.round(), "the round has a result for every peer"
    assert ethtool.tx_checksum(found.name, nodes.spaces[0]) is False
    assert await connects(nodes, version)
    assert "computes wrong checksums" in caplog.text and f"ethtool -K {found.name}" in caplog.text
    assert offload.switched_off == {found.name: 1.0}


@pytest.mark.kernel
@pytest.mark.slow
async def test_offload_stays_disabled(nodes: Pair) -> None:
    offload, found = looked_after(nodes)
    await offload.round()
    where = nodes.spaces[0]
    ethtool.set_tx_checksum(found.name, True, where)
    assert offload.see([found]) == [
        "checksum offload of flannel.1 disabled again: the network card computes them wrong"
    ]
    assert offload.see([found]) == []
    with Netlink(where) as nl:
        link.delete(nl, found.name)
    again = tunnel(where, 1, 2)
    assert len(offload.see([Tunnel("flannel.1", again, 2, found.own, found.ends)])) == 1, "also on a replaced device"
    assert await connects(nodes)


@pytest.mark.kernel
@pytest.mark.slow
async def test_a_correct_card_is_left_alone(nodes: Pair, caplog: pytest.LogCaptureFixture) -> None:
    nodes.card.broken = False
    offload, found = looked_after(nodes)
    assert not await offload.round()
    assert nodes.card.offloaded, "the kernel left checksums to it"
    assert ethtool.tx_checksum(found.name, nodes.spaces[0])
    assert await connects(nodes) and not caplog.records
    nodes.card.broken = True
    assert not await offload.round(), "once is enough"
    assert ethtool.tx_checksum(found.name, nodes.spaces[0]) and not caplog.records


@pytest.mark.kernel
@pytest.mark.slow
async def test_a_peer_that_answers_nothing_proves_nothing(nodes: Pair) -> None:
    offload, found = looked_after(nodes)
    rules = "table ip f { chain i { type filter hook input priority 0; tcp dport 1 drop; }; }"
    process = await asyncio.create_subprocess_exec(
        *netns.argv_in(nodes.spaces[1], ["nft", "-f", "-"]), stdin=asyncio.subprocess.PIPE
    )
    await process.communicate(rules.encode())
    assert await offload.round(), "it is unknown"
    assert ethtool.tx_checksum(found.name, nodes.spaces[0])


@pytest.mark.kernel
def test_the_setting_is_read_back(nodes: Pair) -> None:
    where = nodes.spaces[0]
    tunnel(where, 1, 2)
    for on in (False, True):
        ethtool.set_tx_checksum("flannel.1", on, where)
        assert ethtool.tx_checksum("flannel.1", where) is on
    assert ethtool.tx_checksum("none", where) is None
    with pytest.raises(Missing, match="set checksum offload of none"):
        ethtool.set_tx_checksum("none", False, where)


@pytest.mark.parametrize(
    ("by_device", "by_hand", "says"),
    [(3, 3, "right"), (1, 0, "right"), (0, 3, "wrong"), (0, 2, "unknown"), (0, 0, "unknown")],
)
def test_verdicts(by_device: int, by_hand: int, says: str) -> None:
    assert verdict(by_device, by_hand) == says


@pytest.mark.parametrize("packet", [b"", b"\x45", b"\x4f" + bytes(19), bytes(200), b"\xff" * 40])
def test_garbage_is_no_answer(packet: bytes) -> None:
    assert answers(4, packet) is None and answers(6, packet) is None


def test_the_raw_packet_has_a_right_checksum() -> None:
    header = syn("192.0.2.1", "192.0.2.2", 20001, 7)
    ends = bytes([192, 0, 2, 1, 192, 0, 2, 2])
    assert checksum(ends + bytes([0, 6, 0, len(header)]) + header) == 0


@pytest.mark.kernel
@pytest.mark.slow
async def test_the_daemon_finds_the_fault_and_keeps_offload_disabled(nodes: Pair, tmp_path: Path) -> None:
    where = nodes.spaces[0]
    tunnel(nodes.spaces[1], 2, 1)
    leases = {
        name: Lease(name, "vxlan", (FamilyLease(ipaddress.ip_network(subnet), ipaddress.ip_address(public), data),))
        for name, subnet, public, data in (
            ("a", "10.244.1.0/24", "192.0.2.1", {"VNI": 1, "VtepMAC": "02:00:00:00:00:01"}),
            ("b", "10.244.2.0/24", "192.0.2.2", {"VNI": 1, "VtepMAC": "02:00:00:00:00:02"}),
        )
    }
    board = Board({"a": '{"Network": "10.244.0.0/16", "Backend": {"Type": "vxlan"}}'}, leases)
    daemon = Flanneld(
        FlannelOptions(
            node_name="a", subnet_file=tmp_path / "subnet.env", selection=Selection(names=("eth0",)), netns=where
        ),
        BoardManager(board, "a", 1),
        rules=NftRules(masquerade=True, forward=True, netns=where),
        drift=KernelDrift(where),
        actors=[],
        rng=random.Random(1),
    )
    task = asyncio.create_task(daemon.run(), name="flanneld")
    try:
        await until(lambda: ethtool.tx_checksum("flannel.1", where) is False, 120)
        assert await connects(nodes)
        await until(lambda: b'checksum_offload_disabled{device="flannel.1"} 1.0' in daemon.metrics.expose())
        ethtool.set_tx_checksum("flannel.1", True, where)
        await until(lambda: ethtool.tx_checksum("flannel.1", where) is False, 30)
        with Netlink(where) as nl:
            link.delete(nl, "flannel.1")
        await until(lambda: ethtool.tx_checksum("flannel.1", where) is False, 30)
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
