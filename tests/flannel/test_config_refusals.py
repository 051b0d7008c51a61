"""The network config: every kind of mistake, and the options that backends check."""

import logging

import pytest

from pybernetes.flannel.backends import BACKENDS, make
from pybernetes.flannel.config import ConfigError, NetworkConfig, parse
from pybernetes.flannel.config_reader import ConfigReader

from .bgp_world import Board, BoardManager

SIX = '"EnableIPv4": false, "EnableIPv6": true'


def read(text: str) -> NetworkConfig:
    return parse(text, frozenset(BACKENDS))


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('"x"', "must be a JSON object, found"),
        ("null", "must be a JSON object, found null"),
        ('{"Network": "10.244.0.0/16"', "not JSON"),
        ('{"Network": null}', "Network is required"),
        ('{"Network": "10.244.0.0/33"}', "Network must be an IPv4 network"),
        ('{"Network": " 10.244.0.0/16"}', "Network must be an IPv4 network"),
        ('{"Network": "10.244.0.0/29"}', "10.244.0.0/29 is too small"),
        ('{"Network": "10.244.0.0/16", "SubnetLen": 24.5}', "SubnetLen must be a number, found 24.5"),
        ('{"Network": "10.244.0.0/16", "SubnetLen": true}', "SubnetLen must be a number, found true"),
        ('{"Network": "10.244.0.0/16", "SubnetLen": -3}', "between 17 and 30 for 10.244.0.0/16, found -3"),
        ('{"Network": "10.244.0.0/16", "SubnetLen": 99999999999999999999}', "found 99999999999999999999"),
        ('{"Network": "10.244.0.0/16", "SubnetMin": 5}', "SubnetMin must be an IPv4 address inside 10.244.0.0/16"),
        ('{"Network": "10.244.0.0/16", "SubnetMax": "10.245.0.0"}', "SubnetMax 10.245.0.0 is not inside"),
        ('{"Network": "10.244.0.0/16", "SubnetMax": "fd00::"}', "SubnetMax must be an IPv4 address"),
        ('{"Network": "10.244.0.0/16", "EnableIPv4": "true"}', 'EnableIPv4 must be true or false, found "true"'),
        ('{"Network": "10.244.0.0/16", "EnableNFTables": "yes"}', 'EnableNFTables must be true or false, found "yes"'),
        ('{"Network": "10.244.0.0/16", "Backend": "vxlan"}', "Backend must be an object with a Type"),
        ('{"Network": "10.244.0.0/16", "Backend": {"Type": 7}}', "Backend.Type must be one of .*vxlan.* found 7"),
        (f"{{{SIX}}}", "IPv6Network is required"),
        (f'{{{SIX}, "IPv6Network": "10.244.0.0/16"}}', "IPv6Network must be an IPv6 network"),
        (f'{{{SIX}, "IPv6Network": "fd00::/126"}}', "fd00::/126 is too small"),
        (f'{{{SIX}, "IPv6Network": "fd00::/48", "IPv6SubnetLen": 48}}', "IPv6SubnetLen must lie between 49 and 126"),
        (
            f'{{{SIX}, "IPv6Network": "fd00::/48", "IPv6SubnetMin": "10.0.0.0"}}',
            "IPv6SubnetMin must be an IPv6 address",
        ),
        (f'{{{SIX}, "IPv6Network": "fd00::/48", "IPv6SubnetMin": "fd01::"}}', "IPv6SubnetMin fd01:: is not inside"),
        (
            f'{{{SIX}, "IPv6Network": "fd00::/48", "IPv6SubnetMax": "fd00::7"}}',
            "not on a subnet boundary; fd00:: would be",
        ),
    ],
)
def test_invalid_values_are_refused(text: str, says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        read(text)


@pytest.mark.parametrize(
    ("kind", "name", "value"),
    [
        ("vxlan", "VNI", "1"),
        ("vxlan", "VNI", -1),
        ("vxlan", "VNI", True),
        ("vxlan", "VNI", 1.5),
        ("vxlan", "Port", 65536),
        ("vxlan", "GBP", "yes"),
        ("vxlan", "DirectRouting", 1),
        ("vxlan", "Learning", "true"),
        ("vxlan", "MTU", "1400"),
        ("vxlan", "MTU", -1),
        ("vxlan", "MTU", 10),
        ("vxlan", "VNI", 16_777_215),
        ("udp", "Port", "x"),
        ("udp", "Port", 70000),
        ("ipip", "DirectRouting", "yes"),
        ("wireguard", "ListenPort", "x"),
        ("wireguard", "ListenPortV6", 70000),
        ("wireguard", "MTU", []),
        ("wireguard", "MTU", 575),
        ("wireguard", "Mode", "both"),
        ("wireguard", "PSK", "short"),
        ("wireguard", "PersistentKeepaliveInterval", -1),
        ("bgp", "ASNumber", "x"),
        ("bgp", "Peers", 5),
        ("extension", "PreStartupCommand", 5),
        ("extension", "SubnetAddCommand", []),
    ],
)
def test_options_of_backends(kind: str, name: str, value: object) -> None:
    with pytest.raises(ConfigError, match=rf"Backend\.{name} must"):
        make(kind, {name.lower(): value})


def test_null_leaves_the_default() -> None:
    config = read(
        '{"Network": "10.244.0.0/16", "EnableIPv4": null, "SubnetLen": null, "Backend": {"Type": "vxlan", "VNI": null}}'
    )
    assert config.families[0].subnet_len == 24 and config.options == {}
    assert read('{"Network": "10.244.0.0/16", "Backend": null}').backend == "vxlan"


def test_ipv6_alone() -> None:
    (family,) = read(f'{{{SIX}, "IPv6Network": "fd00::/62"}}').families
    assert (family.version, family.subnet_len) == (6, 64)
    assert (str(family.subnet_min), str(family.subnet_max)) == ("fd00:0:0:1::", "fd00:0:0:3::")


def test_unknown_keys_are_logged(caplog: pytest.LogCaptureFixture) -> None:
    text = '{"Network": "10.244.0.0/16", "Bakend": {"Type": "host-gw"}, "subnetLEN": 25}'
    assert read(text).unknown == ("Bakend",)
    reader = ConfigReader(BoardManager(Board({"me": text}), "me", 1), BACKENDS)
    with caplog.at_level(logging.WARNING):
        assert reader.read() == reader.read()
    assert [record.getMessage() for record in caplog.records] == ["network config has unknown keys: Bakend"]
