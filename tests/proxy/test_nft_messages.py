"""`nft list` shows the same for rules written as netlink messages and by nft; invalid input is rejected."""

import os
import re
import uuid
from collections.abc import Iterator
from dataclasses import replace

import pytest

from pybernetes.linux import netns, nft
from pybernetes.linux.errors import LinuxError, Missing, ProtocolError
from pybernetes.linux.nftables import expressions, netlink
from pybernetes.linux.nftables.batch import Batches
from pybernetes.linux.nftables.fragments import Delta, Ruleset
from pybernetes.linux.nftables.script import Script
from pybernetes.proxy import nftables
from pybernetes.proxy.family import TABLE, Family
from pybernetes.proxy.model import Endpoint, VirtualServer
from pybernetes.proxy.nft_renderer import NftRenderer
from pybernetes.proxy.options import ProxyOptions

kernel = pytest.mark.kernel
FAMILIES = [Family(4, ("10.244.0.0/16", "10.128.0.0/9")), Family(6, ("fd00:10:244::/56", "fd00:8::/13"), True)]
ADDRESS = {4: "10.{}.0.{}", 6: "fd00:{}::{}"}


def _ip(family: Family, net: int, host: int) -> str:
    return ADDRESS[family.version].format(net, host)


def _ends(family: Family, count: int, first: int = 1, local: bool = False) -> tuple[Endpoint, ...]:
    return tuple(Endpoint(_ip(family, 244, first + n), 8080 + n, local) for n in range(count))


def _server(family: Family, number: int, count: int, **more: object) -> VirtualServer:
    ends = _ends(family, count)
    plain = VirtualServer("d", f"s{number}", "http", "tcp", 80, _ip(family, 96, number), endpoints=ends)
    return replace(plain, **more)  # type: ignore[arg-type]


def every_form(family: Family) -> list[VirtualServer]:
    """Virtual servers that together need every kind of rule, map and verdict."""
    local = _ends(family, 2, 7, local=True)
    outside = (_ip(family, 203, 9),)
    ranges = ("192.0.2.0/24", "198.51.100.9/32") if family.version == 4 else ("fd01::/16", "fd02::1/128", "fd03::/27")
    return [
        _server(family, 1, 0, node_port=30001),
        _server(family, 2, 1, node_port=30002, external_ips=outside),
        _server(family, 3, 3, protocol="udp"),
        _server(family, 4, 2, protocol="sctp", internal_local=True),
        _server(family, 5, 2, affinity_seconds=10800, node_port=30005),
        _server(family, 6, 2, external_local=True, node_port=30006, local_endpoints=local),
        _server(family, 7, 2, external_local=True, node_port=30007),
        _server(family, 8, 2, source_ranges=ranges, node_port=30008, local_endpoints=local, internal_local=True),
        _server(family, 10, 12),
        _server(family, 9, 2, source_ranges=("0.0.0.0/0" if family.version == 4 else "::/0",), node_port=30009),
    ]


@pytest.fixture
def space() -> Iterator[str]:
    name = f"pbt-{os.getpid()}-{uuid.uuid4().hex[:4]}"
    netns.create(name)
    yield name
    netns.delete(name)


def _listing(space: str, family: Family) -> dict[str, object]:
    """The table as nft shows it, chains by name; without the order in which objects were added."""
    text = nft.list_text(family.word, TABLE, space)
    assert text is not None
    blocks = re.findall(r"^\t(?:set|map|chain) (\S+) \{\n(.*?)^\t\}", text, re.DOTALL | re.MULTILINE)
    return {name: sorted(re.split(r",\s+", body)) if "elements" in body else body for name, body in blocks}


def base(family: Family) -> str:
    script = Script(nftables.base(family))
    script.replace_table()
    return str(script)


def render(delta: Delta, family: Family) -> str:
    script = Script(nftables.base(family))
    delta.write(script)
    return str(script)


def _both(space: str, family: Family, deltas: list[Delta]) -> tuple[dict[str, object], dict[str, object]]:
    nft.apply(base(family), space)
    for delta in deltas:
        nft.apply(render(delta, family), space)
    by_nft = _listing(space, family)
    nft.apply(base(family), space)
    messages = Batches(family.word, TABLE)
    with netlink.Session(space) as session:
        for delta in deltas:
            session.commit(messages.requests(delta))
    return by_nft, _listing(space, family)


@kernel
@pytest.mark.parametrize("family", FAMILIES, ids=["ipv4", "ipv6"])
def test_each_kind_of_rule_is_listed_like_one_written_by_nft(space: str, family: Family) -> None:
    rules = Ruleset()
    delta = rules.update({s.key: nftables.fragment(s, family) for s in every_form(family)})
    by_nft, by_us = _both(space, family, [delta])
    assert by_us == by_nft
    assert len(by_nft) > 30


@kernel
@pytest.mark.parametrize("family", FAMILIES, ids=["ipv4", "ipv6"])
def test_changes_and_removals_give_the_same_table(space: str, family: Family) -> None:
    rules = Ruleset()
    servers = every_form(family)
    deltas = [rules.update({s.key: nftables.fragment(s, family) for s in servers})]
    other = _ends(family, 4, 40)
    deltas.append(rules.update({s.key: nftables.fragment(replace(s, endpoints=other), family) for s in servers}))
    deltas.append(rules.update({s.key: None for s in servers[::2]}))
    by_nft, by_us = _both(space, family, deltas)
    assert by_us == by_nft
    with netlink.Session(space) as session:
        session.commit(Batches(family.word, TABLE).requests(rules.update({s.key: None for s in servers})))
    assert not [name for name in _listing(space, family) if "d/s" in name or name.startswith("affinity")]


@kernel
def test_many_endpoints_and_elements_need_several_messages(space: str) -> None:
    family = FAMILIES[1]
    ends = tuple(Endpoint(f"fd00:244::{n:x}", 80) for n in range(1, 2500))
    server = _server(family, 1, 0, endpoints=ends, node_port=30001)
    by_nft, by_us = _both(space, family, [Ruleset().update({server.key: nftables.fragment(server, family)})])
    assert by_us == by_nft


@kernel
def test_a_rejected_batch_changes_nothing_and_names_the_object(space: str) -> None:
    family = FAMILIES[0]
    nft.apply(base(family), space)
    before = _listing(space, family)
    server = _server(family, 1, 2)
    delta = Ruleset().update({server.key: nftables.fragment(server, family)})
    delta.remove_chains.append("never-made")
    with netlink.Session(space) as session:
        with pytest.raises(Missing, match=r"flush chain never-made in table kube-proxy: No such file"):
            session.commit(Batches(family.word, TABLE).requests(delta))
        assert _listing(space, family) == before
        delta.remove_chains.clear()
        session.commit(Batches(family.word, TABLE).requests(delta))
    assert _listing(space, family) != before


@kernel
async def test_after_a_failed_change_everything_is_written_again(space: str) -> None:
    family = FAMILIES[0]
    servers = every_form(family)
    renderer = NftRenderer(ProxyOptions(node_name="me", cluster_cidrs=family.pod_cidrs, netns=space), 4)
    try:
        await renderer.apply([(None, s) for s in servers])
        before = _listing(space, family)
        nft.apply("flush ruleset", space)
        changed = replace(servers[1], endpoints=_ends(family, 5))
        with pytest.raises(Missing):
            await renderer.apply([(servers[1], changed)])
        assert await renderer.apply([(changed, servers[1])])
        assert _listing(space, family) == before
        assert not await renderer.apply([])
        assert await renderer.apply([(servers[1], changed)])
    finally:
        renderer.close()


@kernel
def test_a_batch_full_of_errors_is_an_error(space: str) -> None:
    table = netlink.Messages(expressions.IPV4, "not-there")
    with netlink.Session(space) as session:
        for _ in range(2):  # the first one leaves replies unread
            with pytest.raises(Missing, match="add chain c0 in table not-there"):
                session.commit([table.add_chain(f"c{n}") for n in range(20_000)])
        session.commit([])


@pytest.mark.parametrize("bad", ["", "10.0.0", "10.0.0.1/24", "web", "10.0.0.1\n", "fd00::g", "\0"])
def test_a_malformed_address_is_rejected_before_anything_is_sent(bad: str) -> None:
    family = FAMILIES[0]
    for server in (
        _server(family, 1, 0, endpoints=(Endpoint(bad, 80),)),
        _server(family, 1, 0, endpoints=(Endpoint(bad, 80),) * 9),
        _server(family, 1, 1, cluster_ip=bad),
        _server(family, 1, 1, source_ranges=(bad + "/x",), node_port=30001),
    ):
        with pytest.raises(LinuxError):
            Batches(family.word, TABLE).requests(Ruleset().update({server.key: nftables.fragment(server, family)}))


@pytest.mark.parametrize("port", [-1, 65536])
def test_an_invalid_port_is_rejected(port: int) -> None:
    with pytest.raises(ProtocolError):
        expressions.port(port)
