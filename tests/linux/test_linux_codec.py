"""The netlink codec with malformed messages."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pybernetes.linux import addr, fdb, ipmsg, link, linkmsg, monitor, neigh, route, rtnl
from pybernetes.linux.conntrack import Flow
from pybernetes.linux.errors import Busy, Exists, Missing, NetlinkError, NotSupported, ProtocolError, netlink_error

DECODERS: list[Callable[[bytes], object]] = [
    link.decode,
    addr.decode,
    route.decode,
    neigh.decode,
    fdb.decode,
    rtnl.parse_messages,
    rtnl.parse_attrs,
]


@pytest.mark.parametrize("decode", DECODERS)
@given(data=st.binary(max_size=200))
def test_garbage_gives_a_value_or_a_protocol_error(decode: Callable[[bytes], object], data: bytes) -> None:
    try:
        decode(data)
    except ProtocolError:
        pass


@given(kind=st.sampled_from([16, 17, 20, 24, 28, 99]), data=st.binary(max_size=120))
def test_a_malformed_event_becomes_a_resync(kind: int, data: bytes) -> None:
    event = monitor.decode(rtnl.Message(kind, 0, 0, data))
    assert event is None or isinstance(event, monitor.Event)


@given(st.binary(max_size=120))
def test_malformed_conntrack_entry(data: bytes) -> None:
    try:
        Flow(data)
    except ProtocolError:
        pass


@given(st.lists(st.tuples(st.integers(1, 100), st.binary(max_size=40)), max_size=8))
def test_attributes_survive_encoding_and_decoding(pairs: list[tuple[int, bytes]]) -> None:
    data = b"".join(rtnl.attr(kind, value) for kind, value in pairs)
    assert list(rtnl.iter_attrs(data)) == pairs


@given(flags=st.integers(0, 0xFFFF), payload=st.binary(max_size=60))
def test_decoding_an_error_message_never_crashes(flags: int, payload: bytes) -> None:
    try:
        rtnl.read_verdict(rtnl.Message(2, flags, 0, payload))
    except ProtocolError:
        pass


def test_errors_have_the_class_that_callers_expect() -> None:
    assert isinstance(netlink_error(17, "add", "x"), Exists)
    assert isinstance(netlink_error(19, "find", "x"), Missing)
    assert isinstance(netlink_error(16, "change", "x"), Busy)
    assert isinstance(netlink_error(95, "create ipvlan", "x"), NotSupported)
    assert type(netlink_error(22, "a", "b")) is NetlinkError
    assert str(netlink_error(22, "create veth", "v0", "bad name")) == "create veth v0: Invalid argument (bad name)"


@pytest.mark.parametrize(
    "bad", ["", "10.0.0", "10.0.0.0/33", "10.0.0.0/-1", "10.0.0.0/", "fd00::/129", "x/24", "1.2.3.4/2٣"]
)
def test_bad_prefixes_are_refused(bad: str) -> None:
    with pytest.raises(ValueError, match="expected"):
        ipmsg.split(bad)


def test_prefixes_become_canonical() -> None:
    assert ipmsg.network("10.244.1.17/16") == "10.244.0.0/16"
    assert ipmsg.network("FD00:0:0::1/64") == "fd00::/64"
    assert ipmsg.network("192.0.2.1") == "192.0.2.1/32"
    assert ipmsg.network("10.1.1.1/0") == "0.0.0.0/0"


@pytest.mark.parametrize("bad", ["", "aa:bb", "zz:zz:zz:zz:zz:zz", "aa:bb:cc:dd:ee:ff:00"])
def test_bad_macs_are_refused(bad: str) -> None:
    with pytest.raises(ValueError):
        linkmsg.mac_bytes(bad)
