"""IPIP and WireGuard devices, without a backend."""

import base64
import os
from collections.abc import Iterator

import pytest

from pybernetes.flannel.backends.wireguard.key_file import public_of
from pybernetes.linux import link, netns
from pybernetes.linux.errors import Exists, Missing, NetlinkError
from pybernetes.linux.rtnl import Netlink
from pybernetes.linux.wireguard import Endpoint, Peer, Wireguard

PRIVATE = base64.b64encode(bytes([8, *range(1, 31), 64])).decode()
KEYS = [base64.b64encode(n.to_bytes(2, "big") * 16).decode() for n in range(1, 301)]


@pytest.fixture
def nl() -> Iterator[Netlink]:
    name = f"pbt-dev-{os.getpid()}"
    netns.create(name)
    with Netlink(name) as made:
        yield made
    netns.delete(name)


def test_ipip_with_every_pair_of_endpoints(nl: Netlink) -> None:
    before = link.link(nl, "tunl0")
    assert before.ipip == link.IpipInfo()
    for name, local, remote in (
        ("t1", "192.0.2.1", ""),
        ("t2", "", "192.0.2.2"),
        ("t3", "192.0.2.1", "192.0.2.2"),
    ):
        made = link.add_ipip(nl, name, local=local, remote=remote, mtu=1400, up=True)
        assert (made.kind, made.mtu, made.up, made.ipip) == ("ipip", 1400, True, link.IpipInfo(local, remote))
    with pytest.raises(Exists):
        link.add_ipip(nl, "t4", local="192.0.2.1")
    with pytest.raises(Exists):
        link.add_ipip(nl, "t5")
    for name in ("t1", "t2", "t3"):
        link.delete(nl, name)
    assert link.link(nl, "tunl0") == before


def test_a_wireguard_device_reads_back_as_it_was_set(nl: Netlink) -> None:
    made = link.add_wireguard(nl, "wg0", mtu=1420)
    assert (made.kind, made.mtu, made.up) == ("wireguard", 1420, False)
    with Wireguard(nl.netns) as wg:
        assert wg.device("wg0").public_key == ""
        wg.configure("wg0", private_key=PRIVATE, listen_port=51820)
        full = Peer(
            KEYS[0],
            Endpoint("192.0.2.2", 51820),
            frozenset({"10.244.2.0/24", "fd00:244:0:2::/64"}),
            keepalive=25,
            psk=KEYS[1],
        )
        bare = Peer(KEYS[1], Endpoint("2001:db8::2", 51821))
        wg.set_peers("wg0", [full, bare])
        device = wg.device("wg0")
        assert (device.private_key, device.public_key) == (PRIVATE, public_of(PRIVATE))
        assert device.listen_port == 51820
        assert set(device.peers) == {full, bare}
        changed = Peer(KEYS[0], Endpoint("192.0.2.3", 1), frozenset({"10.244.3.0/24"}))
        wg.set_peers("wg0", [changed])
        assert set(wg.device("wg0").peers) == {changed, bare}
        wg.remove_peers("wg0", [KEYS[1], KEYS[2]])
        assert wg.device("wg0").peers == (changed,)
        wg.set_peers("wg0", [bare], only=True)
        assert wg.device("wg0").peers == (bare,)
        wg.set_peers("wg0", [], only=True)
        assert wg.device("wg0").peers == ()


def test_more_peers_than_fit_one_message(nl: Netlink) -> None:
    link.add_wireguard(nl, "wg0")
    peers = [
        Peer(key, Endpoint("192.0.2.9", n), frozenset({f"10.{n >> 8}.{n & 255}.0/24"})) for n, key in enumerate(KEYS, 1)
    ]
    many = Peer(KEYS[0], None, frozenset(f"10.9.{n >> 8}.{n & 255}/32" for n in range(2000)))
    with Wireguard(nl.netns) as wg:
        wg.set_peers("wg0", peers)
        assert set(wg.device("wg0").peers) == set(peers)
        wg.set_peers("wg0", [many], only=True)
        assert wg.device("wg0").peers == (many,)


def test_errors_name_the_operation_and_the_device(nl: Netlink) -> None:
    link.add_bridge(nl, "br0")
    with Wireguard(nl.netns) as wg:
        with pytest.raises(Missing, match="wg9"):
            wg.device("wg9")
        with pytest.raises(NetlinkError, match="br0"):
            wg.device("br0")
        with pytest.raises(Missing, match="set peers of wg9"):
            wg.set_peers("wg9", [Peer(KEYS[0])])
