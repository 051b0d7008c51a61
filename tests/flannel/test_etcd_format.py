"""Keys and values of leases in etcd, as Go flannel writes them."""

import ipaddress
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pybernetes.flannel.leases.backend_data import TEXT
from pybernetes.flannel.leases.etcd.format import key_of, lease_of, parse_key, parse_value, value_of
from pybernetes.flannel.leases.lease import FamilyLease, Lease, LeaseError
from pybernetes.flannel.subnet_file import SubnetFile, previous_subnets, write

NET = ipaddress.ip_network
IP = ipaddress.ip_address

V4 = FamilyLease(NET("10.5.34.0/24"), IP("192.0.2.7"), {"VNI": 1, "VtepMAC": "82:4b:b6:2f:54:4e"})
V6 = FamilyLease(NET("fd00:5:0:22::/64"), IP("2001:db8::7"), {"VNI": 1, "VtepMAC": "82:4b:b6:2f:54:4f"})


@pytest.mark.parametrize(
    ("parts", "key", "value"),
    [
        (
            (V4,),
            "10.5.34.0-24",
            '{"PublicIP":"192.0.2.7","PublicIPv6":null,"BackendType":"vxlan",'
            '"BackendData":{"VNI":1,"VtepMAC":"82:4b:b6:2f:54:4e"}}',
        ),
        (
            (V4, V6),
            "10.5.34.0-24&fd00:5:0:22::-64",
            '{"PublicIP":"192.0.2.7","PublicIPv6":"2001:db8::7","BackendType":"vxlan",'
            '"BackendData":{"VNI":1,"VtepMAC":"82:4b:b6:2f:54:4e"},'
            '"BackendV6Data":{"VNI":1,"VtepMAC":"82:4b:b6:2f:54:4f"}}',
        ),
        (
            (V6,),
            "0.0.0.0-0&fd00:5:0:22::-64",
            '{"PublicIP":"0.0.0.0","PublicIPv6":"2001:db8::7","BackendType":"vxlan",'
            '"BackendV6Data":{"VNI":1,"VtepMAC":"82:4b:b6:2f:54:4f"}}',
        ),
    ],
)
def test_a_lease_there_and_back(parts: tuple[FamilyLease, ...], key: str, value: str) -> None:
    lease = Lease(key, "vxlan", parts)
    assert key_of({part.subnet.version: part.subnet for part in parts}) == key
    assert value_of(lease) == value.encode()
    assert lease_of(key, parse_key(key), parse_value(value.encode())) == lease


def test_what_old_versions_wrote() -> None:
    record = parse_value(
        b'{"PublicIP":"10.37.7.195","BackendType":"VXLAN","BackendData":{"VtepMAC":"82:4b:b6:2f:54:4e"}}'
    )
    assert (record.backend, record.public) == ("vxlan", {4: IP("10.37.7.195")})
    assert parse_value(b'{"publicip":"10.37.7.195"}').backend == ""


def test_data_that_is_a_string() -> None:
    lease = Lease("10.5.1.0-24", "extension", (FamilyLease(NET("10.5.1.0/24"), IP("192.0.2.1"), {TEXT: "a key"}),))
    assert json.loads(value_of(lease))["BackendData"] == "a key"
    assert parse_value(value_of(lease)).data[4] == {TEXT: "a key"}


@pytest.mark.parametrize("key", ["", "x", "10.5.34.0", "10.5.34.1-24", "10.5.34.0-33", "10.5.34.0-24&", "300.1.1.0-24",
                                 "0.0.0.0-0", "10.5.34.0-24&fd00::1-64", "10.5.34.0-24/x"])  # fmt: skip
def test_bad_keys(key: str) -> None:
    with pytest.raises(LeaseError, match="the key"):
        parse_key(key)


@pytest.mark.parametrize(
    ("value", "says"),
    [
        (b"", "not JSON"),
        (b"\xff\xfe", "not JSON"),
        (b"[" * 100_000, "not JSON"),
        (b"[]", "must be a JSON object"),
        (b"{}", "no PublicIP"),
        (b'{"PublicIP":7}', "PublicIP '7'"),
        (b'{"PublicIP":"::1"}', "PublicIP '::1'"),
        (b'{"PublicIP":"127.0.0.1"}', "PublicIP '127.0.0.1'"),
        (b'{"PublicIP":"192.0.2.1","BackendData":[1]}', "BackendData must be a JSON object"),
    ],
)
def test_bad_values(value: bytes, says: str) -> None:
    with pytest.raises(LeaseError, match=says):
        parse_value(value)


@given(st.binary(max_size=100), st.text(max_size=40))
def test_garbage_is_a_lease_error(value: bytes, key: str) -> None:
    for read in (lambda: parse_value(value), lambda: parse_key(key)):
        with pytest.raises(LeaseError):
            read()


def test_the_previous_subnet_is_read_from_the_file(tmp_path: Path) -> None:
    path = tmp_path / "subnet.env"
    families = {4: ("10.5.0.0/16", "10.5.34.1/24"), 6: ("fd00:5::/48", "fd00:5:0:22::1/64")}
    write(path, SubnetFile(families, 1450, True))
    assert previous_subnets(path) == {4: NET("10.5.34.0/24"), 6: NET("fd00:5:0:22::/64")}


@given(st.binary(max_size=200))
def test_a_malformed_subnet_file_counts_as_none(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    path = tmp_path_factory.getbasetemp() / "garbled.env"
    path.write_bytes(content)
    assert previous_subnets(path) == {}


@pytest.mark.parametrize(
    "line", ["FLANNEL_SUBNET=", "FLANNEL_SUBNET=10.5.34.1/99", "FLANNEL_SUBNET=fd00::1/64", "FLANNEL"]
)
def test_a_subnet_file_with_nonsense(tmp_path: Path, line: str) -> None:
    (tmp_path / "subnet.env").write_text(line)
    assert previous_subnets(tmp_path / "subnet.env") == {}
    assert previous_subnets(tmp_path / "missing") == {}
