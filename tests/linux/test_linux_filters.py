"""nftables, iptables, ipset and conntrack in the real kernel."""

from __future__ import annotations

import socket

import pytest

from pybernetes.linux import conntrack, ipset, iptables, netns, nft
from pybernetes.linux.errors import ToolError

pytestmark = pytest.mark.kernel


def test_nft_tables(ns: str) -> None:
    nft.apply("table inet t {\n chain c {\n }\n}\n", ns)
    assert nft.list_tables(ns) == [("inet", "t")]
    listed = nft.list_table("inet", "t", ns)
    assert listed is not None and [next(iter(entry)) for entry in listed] == ["table", "chain"]
    assert "chain c" in (nft.list_text("inet", "t", ns) or "")
    assert nft.delete_table("inet", "t", ns) and not nft.delete_table("inet", "t", ns)
    assert nft.list_table("inet", "t", ns) is None and nft.list_text("inet", "t", ns) is None


def test_an_invalid_script_names_its_line_and_changes_nothing(ns: str) -> None:
    with pytest.raises(nft.NftError, match="line 3: add rule inet t c nonsense"):
        nft.apply("add table inet t\nadd chain inet t c\nadd rule inet t c nonsense\n", ns)
    assert nft.list_tables(ns) == []


@pytest.mark.parametrize("backend", iptables.BACKENDS)
@pytest.mark.parametrize("family", [4, 6])
def test_iptables(ns: str, backend: str, family: int) -> None:
    tables = iptables.Iptables(family, backend=backend, netns=ns)
    assert tables.available()
    rule = ["-j", "PBT"]
    tables.restore("*filter\n:PBT - [0:0]\n-A PBT -j RETURN\nCOMMIT\n")
    assert "PBT" in tables.chains("filter")
    assert tables.ensure_rule("filter", "FORWARD", rule) and not tables.ensure_rule("filter", "FORWARD", rule)
    assert iptables.detect(ns) == backend or family == 6
    assert tables.delete_rule("filter", "FORWARD", rule) and not tables.delete_rule("filter", "FORWARD", rule)
    with pytest.raises(ToolError):
        tables.restore("*filter\n-A NOWHERE -j NOTHING\nCOMMIT\n")


def test_ipset_is_replaced_in_one_step(ns: str) -> None:
    ipset.replace("s", "hash:ip", ["10.0.0.1", "10.0.0.2"], netns=ns)
    ipset.replace("s", "hash:ip", ["10.0.0.3"], netns=ns)
    assert ipset.names(ns) == ["s"] and ipset.members("s", ns) == {"10.0.0.3"}
    assert ipset.destroy("s", ns) and not ipset.destroy("s", ns)


def test_only_matching_conntrack_entries_are_deleted(ns: str) -> None:
    nft.apply("table ip t {\n chain c {\n type filter hook output priority 0\n ct state new accept\n }\n}\n", ns)

    def send() -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            for port in (5353, 5354):
                sock.sendto(b"x", ("127.0.0.1", port))

    netns.run_in(ns, send)
    assert conntrack.delete(protocol=conntrack.UDP, dport=5353, netns=ns) == 1
    assert conntrack.delete(protocol=conntrack.UDP, dport=5353, netns=ns) == 0
    (left,) = conntrack.flows(ns, 4)
    assert (left.dst, left.dport, left.reply_src, left.reply_sport) == ("127.0.0.1", 5354, "127.0.0.1", 5354)
    assert conntrack.delete(netns=ns) == 0
