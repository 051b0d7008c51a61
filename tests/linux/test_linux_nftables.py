"""Described nftables tables in a real kernel: written, shared, compared, restored and removed."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import pybernetes
from pybernetes.linux import netns, nft
from pybernetes.linux.errors import Missing, ProtocolError
from pybernetes.linux.nftables import listing
from pybernetes.linux.nftables.batch import Batches
from pybernetes.linux.nftables.fragments import Fragment, Ruleset
from pybernetes.linux.nftables.keeper import LargeTable, SmallTables
from pybernetes.linux.nftables.netlink import Session
from pybernetes.linux.nftables.script import Script
from pybernetes.linux.nftables.statements import Drop, Goto, L4Protocol, SourceNetwork
from pybernetes.linux.nftables.table import Chain, Hook, Rule, Set, Table, rule

TABLE = Table(
    "ip",
    "pbt-policy",
    comment="a test's table",
    sets=[Set("peers", "ipv4_addr"), Set("ports", "inet_proto . inet_service", "verdict")],
    chains=[
        Chain("forward", [rule("ip saddr @peers accept", reason="peers may")], Hook("filter", "forward", "filter")),
        Chain("others"),
    ],
)


def replaced(table: Table) -> str:
    script = Script(table)
    script.replace_table()
    return str(script)


def declared(table: Table) -> str:
    script = Script(table)
    script.declare_table()
    return str(script)


def fragment(*sources: str, port: int = 80) -> Fragment:
    """A chain that drops packets from `sources`, for one port."""
    rules = tuple(Rule(L4Protocol("tcp"), SourceNetwork(s), Drop(), reason=f"source {s} is denied") for s in sources)
    return Fragment({f"deny-{port}": rules}, (), frozenset({("ports", f"tcp . {port}", f"goto deny-{port}")}))


def test_the_light_modules_import_nothing_heavy() -> None:
    parent = str(Path(pybernetes.__file__).parent.parent)
    code = (
        f"import sys; sys.path.insert(0, {parent!r})\n"
        "from pybernetes.linux.nftables import listing, script, table\n"
        "print(' '.join(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-ISE", "-c", code], capture_output=True, text=True, check=True)
    assert {"os", "re", "json", "typing", "dataclasses", "struct", "socket"}.isdisjoint(done.stdout.split())


@pytest.mark.kernel
def test_a_table_is_replaced_as_a_whole(ns: str) -> None:
    nft.apply("add table ip pbt-policy\nadd chain ip pbt-policy leftover\n", ns)
    nft.apply(replaced(TABLE), ns)
    found = listing.observe("ip", "pbt-policy", ns)
    assert found.chains == ["forward", "others"]
    assert [(chain, comment) for chain, _, comment in found.rules] == [("forward", "peers may")]


@pytest.mark.kernel
def test_declaring_a_table_keeps_what_others_added(ns: str) -> None:
    nft.apply(declared(TABLE), ns)
    nft.apply('add rule ip pbt-policy others accept comment "theirs"\nadd chain ip pbt-policy mine\n', ns)
    nft.apply("add rule ip pbt-policy forward drop\n", ns)
    nft.apply(declared(TABLE), ns)
    found = listing.observe("ip", "pbt-policy", ns)
    assert set(found.chains) == {"forward", "others", "mine"}
    assert {(chain, comment) for chain, _, comment in found.rules} == {("forward", "peers may"), ("others", "theirs")}


@pytest.mark.kernel
def test_rules_are_found_and_removed_by_their_comment(ns: str) -> None:
    def work() -> None:
        nft.apply(declared(TABLE))
        for owner in ("net-a1", "net-a2", "other-a1"):
            nft.apply(f'add rule ip pbt-policy others accept comment "{owner}, and more"\n')
        listing.delete_rules("ip", "pbt-policy", "net-", keep=("net-a2",))
        left = [comment for _, _, comment in listing.observe("ip", "pbt-policy").rules]
        assert left == ["peers may", "net-a2, and more", "other-a1, and more"]
        listing.delete_rules("ip", "no-such-table", "net-")

    netns.run_in(ns, work)


@pytest.mark.kernel
def test_elements_are_listed_as_scripts_write_them(ns: str) -> None:
    script = Script(TABLE)
    script.declare_table()
    script.add_elements("ports", [("tcp . 80", "goto others"), ("sctp . 81", "jump others"), ("udp . 82", "drop")])
    nft.apply(str(script), ns)
    found = listing.observe("ip", "pbt-policy", ns)
    expected = [("ports", "sctp . 81", "others"), ("ports", "tcp . 80", "others"), ("ports", "udp . 82", "")]
    assert sorted(found.elements) == expected


@pytest.mark.kernel
def test_a_rule_with_a_reason_is_the_same_through_nft_and_netlink(ns: str) -> None:
    delta = Ruleset().update({"a": fragment("10.0.0.0/8", "192.0.2.7/32")})
    script = Script(TABLE)
    script.replace_table()
    delta.write(script)
    nft.apply(str(script), ns)
    by_nft = nft.list_text("ip", "pbt-policy", ns)
    assert by_nft is not None and 'drop comment "source 10.0.0.0/8 is denied"' in by_nft
    nft.apply(replaced(TABLE), ns)
    with Session(ns) as session:
        session.commit(Batches("ip", "pbt-policy").requests(delta))
    assert nft.list_text("ip", "pbt-policy", ns) == by_nft


def test_a_statement_in_nfts_language_has_no_netlink_form() -> None:
    delta = Ruleset().update({"a": Fragment({"c": (rule("ct state new drop"),)})})
    with pytest.raises(ProtocolError, match="only nft can write 'ct state new drop'"):
        Batches("ip", "t").requests(delta)


def test_a_comment_is_truncated_to_the_limit_of_nft() -> None:
    assert Rule(Drop(), reason='say "no"').reason == "say no"
    assert len(Rule(Drop(), reason="é" * 100).reason.encode()) == 126


@pytest.mark.kernel
async def test_a_large_table_changes_one_fragment_at_a_time(ns: str) -> None:
    table = LargeTable(TABLE, ns)
    try:
        assert await table.apply({"a": fragment("10.0.0.0/8"), "b": fragment("10.1.0.0/16", port=81)})
        assert not await table.apply({"a": fragment("10.0.0.0/8")})
        assert await table.apply({"a": fragment("10.2.0.0/16"), "b": None})
        found = listing.observe("ip", "pbt-policy", ns)
        assert found.chains == ["forward", "others", "deny-80"]
        assert [comment for _, _, comment in found.rules] == ["peers may", "source 10.2.0.0/16 is denied"]
        assert nft.delete_table("ip", "pbt-policy", ns) and not await table.exists()
        with pytest.raises(Missing):
            await table.apply({"a": fragment("10.3.0.0/16")})
        assert await table.apply({})
        assert [comment for _, _, comment in listing.observe("ip", "pbt-policy", ns).rules][1:] == [
            "source 10.3.0.0/16 is denied"
        ]
    finally:
        table.close()


@pytest.mark.kernel
def test_small_tables_are_written_again_after_another_program_changed_them(ns: str) -> None:
    other = Table("ip6", "pbt-policy6", chains=[Chain("c", [rule("ip6 saddr fd00::/8 accept")])])
    tables = SmallTables([("ip", "pbt-policy"), ("ip6", "pbt-policy6")], ns)
    assert tables.ensure([TABLE, other]) == (True, [])
    assert tables.ensure([TABLE, other]) == (False, [])
    nft.apply("flush chain ip6 pbt-policy6 c\n", ns)
    assert tables.ensure([TABLE, other]) == (True, [])
    assert len(listing.observe("ip6", "pbt-policy6", ns).rules) == 1
    assert tables.ensure([TABLE]) == (True, ["pbt-policy6"])
    assert tables.remove() == ["pbt-policy"]
    assert nft.list_tables(ns) == []


def test_two_owners_of_one_key_of_a_map() -> None:
    rules = Ruleset()
    delta = rules.update(
        {"a": fragment("10.0.0.0/8"), "b": Fragment({}, (), frozenset({("ports", "tcp . 80", "drop")}))}
    )
    assert delta.add_elements == [("ports", "tcp . 80", "drop")]
    delta = rules.update({"b": None})
    assert (delta.remove_elements, delta.add_elements) == (
        [("ports", "tcp . 80", "drop")],
        [("ports", "tcp . 80", "goto deny-80")],
    )
    assert Goto("x") == Goto("x") and Rule(Goto("x")) != Rule(Goto("y"))
