"""nftables batches: their bytes, invalid input, malformed replies, and error messages."""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pybernetes.linux import netns, nft, rtnl
from pybernetes.linux.errors import LinuxError, Missing, ProtocolError
from pybernetes.linux.nftables import expressions, netlink
from pybernetes.linux.nftables.expressions import ChoiceMap, Entry, Verdict

TABLE = netlink.Messages(expressions.IPV4, "t")


@pytest.fixture
def space() -> Iterator[str]:
    name = f"pbt-{os.getpid()}-{uuid.uuid4().hex[:4]}"
    netns.create(name)
    nft.apply("table ip t { set s { type ipv4_addr; }; chain a { }; chain b { }; }\n", name)
    yield name
    netns.delete(name)


def _chains(space: str) -> set[str]:
    objects = nft.list_table("ip", "t", space) or []
    return {entry["chain"]["name"] for entry in objects if "chain" in entry}


def test_a_batch_is_framed_and_its_last_request_asks_for_an_answer() -> None:
    data = netlink.encode([TABLE.add_chain("x"), TABLE.delete_chain("y")])
    messages = rtnl.parse_messages(data)
    assert [m.type for m in messages] == [16, 10 << 8 | 3, 10 << 8 | 5, 17]
    assert [bool(m.flags & rtnl.NLM_F_ACK) for m in messages] == [False, False, True, False]
    assert [m.sequence for m in messages] == [0, 1, 2, 3]


@pytest.mark.kernel
def test_a_batch_is_applied_completely_or_not_at_all(space: str) -> None:
    with netlink.Session(space) as session:
        session.commit([TABLE.add_chain("c"), TABLE.add_rule("c", [expressions.verdict(Verdict())])])
        assert "c" in _chains(space)
        with pytest.raises(Missing, match="delete chain gone in table t"):
            session.commit([TABLE.add_chain("d"), TABLE.delete_chain("gone"), TABLE.add_chain("e")])
        assert _chains(space) == {"a", "b", "c"}
        session.commit([TABLE.flush_chain("c"), TABLE.delete_chain("c")])
    assert _chains(space) == {"a", "b"}


@pytest.mark.kernel
def test_a_loop_of_chains_is_rejected_by_name(space: str) -> None:
    nft.apply("add chain ip t top { type nat hook output priority 0; }\nadd rule ip t top goto a\n", space)
    loop = [TABLE.add_rule(chain, [expressions.verdict(Verdict(to))]) for chain, to in (("a", "b"), ("b", "a"))]
    with netlink.Session(space) as session, pytest.raises(LinuxError, match=r"(rule to chain b|the batch)"):
        session.commit(loop)


@pytest.mark.kernel
def test_a_name_in_use(space: str) -> None:
    choices = ChoiceMap("s", 1, [Entry(expressions.number(0), Verdict("a"))])
    with netlink.Session(space) as session, pytest.raises(LinuxError, match="map s in table t"):
        session.commit(list(TABLE.add_choices(choices)))


@pytest.mark.kernel
def test_a_missing_namespace_fails() -> None:
    with pytest.raises(Missing):
        netlink.Session("pbt-never-made")


@given(st.text(max_size=20))
def test_text_becomes_data_or_a_protocol_error(word: str) -> None:
    for reader in (expressions.address, expressions.protocol, expressions.match_source, expressions.match_protocol):
        try:
            assert isinstance(reader(word), bytes)
        except ProtocolError:
            pass


@given(st.lists(st.tuples(st.integers(0, 99), st.integers(0, 5), st.binary(max_size=40)), max_size=6))
def test_malformed_replies_are_errors(answers: list[tuple[int, int, bytes]]) -> None:
    requests = [TABLE.add_chain("x"), TABLE.add_chain("y")]
    good = rtnl.Message(rtnl.NLMSG_ERROR, 0, len(requests), bytes(4))
    netlink._judge([good], requests)
    messages = [rtnl.Message(kind, 0, sequence, data) for kind, sequence, data in answers]
    try:
        netlink._judge(messages, requests)
    except LinuxError:
        return
    assert any(m.type == rtnl.NLMSG_ERROR and m.sequence == len(requests) for m in messages)


@given(st.lists(st.binary(max_size=200), min_size=1, max_size=600))
def test_long_lists_are_split_into_several_messages(keys: list[bytes]) -> None:
    requests = list(TABLE.add_elements("s", [Entry(key * 5) for key in keys]))
    assert requests
    for request in requests:
        assert len(request.body) < 65_536
        rtnl.parse_attrs(request.body, 4)
