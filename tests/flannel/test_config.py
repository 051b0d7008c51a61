"""The network config: defaults, Go's spelling, and invalid values."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pybernetes.flannel.backends import BACKENDS, make
from pybernetes.flannel.config import ConfigError, NetworkConfig, parse

KNOWN = frozenset(BACKENDS)


def read(text: str) -> NetworkConfig:
    return parse(text, KNOWN)


def test_defaults() -> None:
    config = read('{"Network": "10.244.0.0/16"}')
    (family,) = config.families
    assert (config.backend, family.subnet_len) == ("vxlan", 24)
    assert (str(family.subnet_min), str(family.subnet_max)) == ("10.244.1.0", "10.244.255.0")


def test_a_narrow_network_is_divided_in_four() -> None:
    assert read('{"Network": "10.244.0.0/23"}').families[0].subnet_len == 25


def test_dual_stack() -> None:
    config = read('{"Network": "10.5.0.0/16", "EnableIPv6": true, "IPv6Network": "fd00:10:244::/48"}')
    assert [f.version for f in config.families] == [4, 6]
    assert config.families[1].subnet_len == 64


def test_keys_without_regard_to_case() -> None:
    config = read('{"network": "172.7.0.0/16", "Backend": {"Type": "VxLAN", "Directrouting": true}}')
    assert config.backend == "vxlan"
    assert config.options == {"directrouting": True}


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("{", "not JSON"),
        ("[]", "must be a JSON object"),
        ("{}", "Network is required"),
        ('{"Network": "10.244.0.0"}', "Network must be an IPv4 network"),
        ('{"Network": "fd00::/48"}', "Network must be an IPv4 network"),
        ('{"Network": 7}', "Network must be an IPv4 network"),
        ('{"Network": "10.0.0.0/31"}', "too small"),
        ('{"Network": "10.244.0.0/16", "SubnetLen": 16}', "SubnetLen must lie between 17 and 30"),
        ('{"Network": "10.244.0.0/16", "SubnetLen": "x"}', "SubnetLen must be a number"),
        ('{"Network": "10.244.0.0/16", "SubnetMin": "10.9.0.0"}', "SubnetMin 10.9.0.0 is not inside"),
        ('{"Network": "10.244.0.0/16", "SubnetMin": "10.244.1.7"}', "not on a subnet boundary; 10.244.1.0 would be"),
        ('{"Network": "10.244.0.0/16", "SubnetMin": "10.244.9.0", "SubnetMax": "10.244.3.0"}', "must not be above"),
        ('{"Network": "10.244.0.0/16", "EnableIPv4": false}', "no address family"),
        ('{"Network": "10.244.0.0/16", "EnableIPv6": true}', "IPv6Network is required"),
        ('{"Network": "10.244.0.0/16", "Backend": {"Type": "gre"}}', "Backend.Type must be one of"),
        ('{"Network": "10.244.0.0/16", "Backend": []}', "Backend must be an object"),
        ('{"Network": "10.244.0.0/16", "EnableNFTables": 1}', "EnableNFTables must be true or false"),
    ],
)
def test_errors_name_the_key_and_the_value(text: str, says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        read(text)


@pytest.mark.parametrize("options", [{"vni": "x"}, {"vni": 2**24}, {"port": -1}, {"directrouting": "yes"}])
def test_backend_options_are_checked(options: dict[str, object]) -> None:
    with pytest.raises(ConfigError, match=r"Backend\."):
        make("vxlan", options)


@given(st.text(max_size=200))
def test_garbage_is_a_config_error(text: str) -> None:
    with pytest.raises(ConfigError):
        read(text)
