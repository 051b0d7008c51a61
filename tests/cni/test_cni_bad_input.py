"""Malformed standard input, environment or subnet.env gives the error objects of the CNI specification."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pybernetes.cni import errors, flannel, main, ranges, spec
from pybernetes.cni.errors import CniError
from pybernetes.cni.settings import Settings
from pybernetes.linux import fastjson

ENV = {
    "CNI_COMMAND": "ADD",
    "CNI_CONTAINERID": "abc",
    "CNI_NETNS": "/run/netns/no-such-namespace",
    "CNI_IFNAME": "eth0",
    "CNI_PATH": "/opt/cni/bin",
}
CONFIG = {"cniVersion": "1.1.0", "name": "cbr0", "type": "flannel"}


def run(config: Any, plugin: str = "flannel", **env: str) -> dict[str, Any]:
    stdin = config if isinstance(config, bytes) else json.dumps(config).encode()
    out, code = main.run(plugin, {**ENV, **env}, stdin)
    assert code == 1
    answer: dict[str, Any] = json.loads(out)
    return answer


@pytest.mark.parametrize("stdin", [b"", b"{", b"[1", b'{"a":1} x', b"\xff\xfe", b"nul", b"[" * 100_000, b'{"a":NaN}'])
def test_not_json(stdin: bytes) -> None:
    assert run(stdin)["code"] == errors.DECODING_FAILURE


@pytest.mark.parametrize("config", [[], 1, None, "x"])
def test_json_that_is_not_a_configuration(config: Any) -> None:
    assert run(config)["code"] == errors.DECODING_FAILURE


@pytest.mark.parametrize(
    "env, code",
    [
        ({"CNI_COMMAND": "FLY"}, errors.INVALID_ENVIRONMENT),
        ({"CNI_COMMAND": ""}, errors.INVALID_ENVIRONMENT),
        ({"CNI_CONTAINERID": ""}, errors.INVALID_ENVIRONMENT),
        ({"CNI_CONTAINERID": "../../etc"}, errors.INVALID_ENVIRONMENT),
        ({"CNI_NETNS": ""}, errors.INVALID_ENVIRONMENT),
        ({"CNI_IFNAME": "an-interface-name-too-long"}, errors.INVALID_ENVIRONMENT),
        ({"CNI_IFNAME": "a/b"}, errors.INVALID_ENVIRONMENT),
        ({"CNI_IFNAME": ".."}, errors.INVALID_ENVIRONMENT),
        ({"CNI_ARGS": "nonsense"}, errors.INVALID_ENVIRONMENT),
    ],
)
def test_bad_environment(env: dict[str, str], code: int) -> None:
    assert run(CONFIG, **env)["code"] == code


@pytest.mark.parametrize(
    "change, code",
    [
        ({"cniVersion": "9.9.9"}, errors.INCOMPATIBLE_VERSION),
        ({"cniVersion": 3}, errors.INCOMPATIBLE_VERSION),
        ({"name": ""}, errors.INVALID_CONFIG),
        ({"name": "../x"}, errors.INVALID_CONFIG),
        ({"delegate": 5}, errors.INVALID_CONFIG),
        ({"subnetFile": "/no/such/file"}, errors.TRY_AGAIN_LATER),
    ],
)
def test_bad_configuration(change: dict[str, Any], code: int) -> None:
    assert run({"subnetFile": "/no/such/file", **CONFIG, **change})["code"] == code


def test_commands_newer_than_the_configuration() -> None:
    for command, version in (("CHECK", "0.3.1"), ("GC", "1.0.0"), ("STATUS", "1.0.0")):
        answer = run({**CONFIG, "cniVersion": version}, CNI_COMMAND=command)
        assert (answer["code"], answer["cniVersion"]) == (errors.INCOMPATIBLE_VERSION, version)


def test_version_needs_nothing() -> None:
    out, code = main.run("bridge", {"CNI_COMMAND": "VERSION"}, b"")
    assert code == 0 and json.loads(out) == {"cniVersion": "1.1.0", "supportedVersions": list(spec.VERSIONS)}
    out, _ = main.run("bridge", {"CNI_COMMAND": "VERSION"}, b'{"cniVersion":"0.4.0"}')
    assert json.loads(out)["cniVersion"] == "0.4.0", "the version of the call"


def test_del_without_a_namespace_succeeds(tmp_path: Path) -> None:
    config = {**CONFIG, "dataDir": str(tmp_path)}
    assert main.run("flannel", {**ENV, "CNI_COMMAND": "DEL", "CNI_NETNS": ""}, json.dumps(config).encode()) == ("", 0)


def test_a_missing_namespace_is_named(tmp_path: Path) -> None:
    answer = run({**CONFIG, "ipam": {"type": "host-local"}}, plugin="bridge")
    assert "/run/netns/no-such-namespace" in answer["msg"]


def test_portmap_alone_is_refused() -> None:
    assert "must be called as chained plugin" in run(CONFIG, plugin="portmap")["msg"]


GOOD_ENV = "FLANNEL_NETWORK=10.5.0.0/16\nFLANNEL_SUBNET=10.5.3.1/24\nFLANNEL_MTU=1450\nFLANNEL_IPMASQ=false\n"


@pytest.mark.parametrize(
    "old, new, message",
    [
        ("FLANNEL_MTU=1450\n", "", "is missing FLANNEL_MTU"),
        ("FLANNEL_SUBNET=10.5.3.1/24\n", "", "is missing FLANNEL_SUBNET or FLANNEL_IPV6_SUBNET"),
        ("1450", "many", "many"),
        ("1450", "12", "is not an MTU"),
        ("10.5.3.1/24", "10.5.3.1/99", "prefix length"),
        ("10.5.0.0/16", "ten", "IP address"),
        ("=false", "=maybe", "expected true or false"),
    ],
)
def test_bad_subnet_env(old: str, new: str, message: str) -> None:
    with pytest.raises(CniError, match=message):
        flannel.parse_subnet_env(GOOD_ENV.replace(old, new), "subnet.env")


@given(st.text(max_size=200))
def test_garbage_in_subnet_env(text: str) -> None:
    try:
        flannel.parse_subnet_env(text, "subnet.env")
    except CniError as error:
        assert error.code == errors.INVALID_CONFIG


def _call(**config: Any) -> spec.Call:
    return spec.Call("ADD", {**CONFIG, **config}, container_id="abc", ifname="eth0")


def test_masquerading_is_done_once() -> None:
    env = flannel.parse_subnet_env(GOOD_ENV, "x")
    assert flannel.delegate_config(_call(), env)["ipMasq"] is True
    assert flannel.delegate_config(_call(delegate={"ipMasq": False}), env)["ipMasq"] is False


def test_configured_delegate_settings_are_kept() -> None:
    dual = GOOD_ENV + "FLANNEL_IPV6_NETWORK=fd00:5::/48\nFLANNEL_IPV6_SUBNET=fd00:5:0:3::1/64\n"
    ipam = {"ranges": [[{"subnet": "10.99.0.0/24"}]], "routes": [{"dst": "10.98.0.0/16"}], "resolvConf": "/x"}
    settings = {"mtu": 1300, "isGateway": False, "ipMasqBackend": "nftables", "hairpinMode": True}
    call = _call(delegate=settings, ipam=ipam, runtimeConfig={"mac": "02:00:00:00:00:01"}, cniVersion="0.3.1")
    config = flannel.delegate_config(call, flannel.parse_subnet_env(dual, "x"))
    assert {key: config[key] for key in settings} == settings
    assert (config["type"], config["cniVersion"], config["ipMasq"]) == ("bridge", "0.3.1", True)
    assert config["runtimeConfig"] == {"mac": "02:00:00:00:00:01"}
    subnets = [entry["subnet"] for entries in config["ipam"]["ranges"] for entry in entries]
    assert subnets == ["10.99.0.0/24", "10.5.3.0/24", "fd00:5:0:3::/64"]
    assert [route["dst"] for route in config["ipam"]["routes"]] == ["10.98.0.0/16", "10.5.0.0/16", "fd00:5::/48"]
    assert (config["ipam"]["type"], config["ipam"]["resolvConf"]) == ("host-local", "/x")


def test_defaults_of_the_delegate() -> None:
    config = flannel.delegate_config(_call(), flannel.parse_subnet_env(GOOD_ENV, "x"))
    assert (config["type"], config["isGateway"], config["mtu"]) == ("bridge", True, 1450)
    assert config["ipam"] == {"type": "host-local", "subnet": "10.5.3.0/24", "routes": [{"dst": "10.5.0.0/16"}]}
    other = flannel.delegate_config(_call(delegate={"type": "ptp"}), flannel.parse_subnet_env(GOOD_ENV, "x"))
    assert "isGateway" not in other and other["ipam"]["type"] == "host-local"


def test_plugins_cannot_delegate_to_themselves() -> None:
    with pytest.raises(CniError, match="cannot be flannel itself"):
        flannel.delegate_config(_call(delegate={"type": "flannel"}), flannel.parse_subnet_env(GOOD_ENV, "x"))
    answer = run({**CONFIG, "ipam": {"type": "bridge"}}, plugin="bridge", CNI_COMMAND="STATUS")
    assert (answer["code"], "no IPAM plugin" in answer["msg"]) == (errors.INVALID_CONFIG, True)


@pytest.mark.parametrize(
    "previous",
    [5, [], {"ips": 5}, {"ips": [5]}, {"ips": [{}]}, {"routes": [{"gw": "x"}]}, {"interfaces": [{"name": 5}]}],
)
@pytest.mark.parametrize("plugin", ["portmap", "tuning", "bandwidth"])
def test_a_malformed_previous_result(plugin: str, previous: Any) -> None:
    assert run({**CONFIG, "prevResult": previous}, plugin=plugin)["code"] == errors.DECODING_FAILURE


@pytest.mark.parametrize("key", ["name", "ipam"])
def test_a_delegate_must_not_set_what_flannel_sets(key: str) -> None:
    with pytest.raises(CniError, match=f"must not have '{key}' field"):
        flannel.delegate_config(_call(delegate={key: {}}), flannel.parse_subnet_env(GOOD_ENV, "x"))


@pytest.mark.parametrize(
    "config, message",
    [
        ({}, "no IP ranges specified"),
        ({"subnet": "10.0.0.0"}, "too small"),
        ({"subnet": "10.0.0.0/31"}, "too small"),
        ({"subnet": "10.0.0.1/24"}, "host bits set"),
        ({"subnet": "nonsense"}, "is not a CIDR"),
        ({"subnet": 7}, "subnet: expected a string, got 7"),
        ({"subnet": "10.0.0.0/24", "rangeStart": "10.0.1.1"}, "is not in network"),
        ({"subnet": "10.0.0.0/24", "gateway": "fd00::1"}, "is not in network"),
        ({"subnet": "10.0.0.0/24", "rangeStart": "10.0.0.9", "rangeEnd": "10.0.0.3"}, "after rangeEnd"),
        ({"ranges": [[]]}, "non-empty"),
        ({"ranges": [[{"subnet": "10.0.0.0/24"}, {"subnet": "fd00::/64"}]]}, "one family"),
        ({"ranges": [[{"subnet": "10.0.0.0/24"}], [{"subnet": "10.0.0.0/25"}]]}, "overlap"),
    ],
)
def test_bad_ranges(config: dict[str, Any], message: str) -> None:
    with pytest.raises(CniError, match=message):
        ranges.read_sets(Settings(config), Settings({}))


def test_round_robin_skips_the_gateway_and_wraps_around() -> None:
    ((one,),) = ranges.read_sets(Settings({"subnet": "10.0.0.0/29"}), Settings({}))
    order = [one.text(n) for _, n in ranges.candidates([one], "10.0.0.4")]
    assert order == ["10.0.0.5", "10.0.0.6", "10.0.0.2", "10.0.0.3", "10.0.0.4"]
    fresh = [one.text(n) for _, n in ranges.candidates([one], "")]
    assert fresh == ["10.0.0.2", "10.0.0.3", "10.0.0.4", "10.0.0.5", "10.0.0.6"]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


@given(JSON)
def test_our_json_is_json(value: Any) -> None:
    assert json.loads(fastjson.dumps(value)) == value
    assert fastjson.loads(json.dumps(value).encode()) == value
    assert json.loads(fastjson.dumps(value, sort=True)) == value


@given(st.binary(max_size=60))
def test_reading_json_never_crashes(data: bytes) -> None:
    try:
        fastjson.loads(data)
    except ValueError:
        pass


@given(st.dictionaries(st.sampled_from(["ipam", "delegate", "prevResult", "runtimeConfig", "mtu", "args"]), JSON))
@pytest.mark.parametrize("plugin", ["bridge", "flannel", "portmap", "host-local"])
def test_any_configuration_gives_a_result_or_an_error_object(plugin: str, config: dict[str, Any]) -> None:
    text = fastjson.dumps({**CONFIG, "subnetFile": "/no/such/file", **config})
    out, code = main.run(plugin, {**ENV, "CNI_COMMAND": "STATUS"}, text.encode())
    assert code in (0, 1) and (code == 0 or json.loads(out)["code"])


ANY = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=40)
COMMANDS = st.sampled_from(["ADD", "DEL", "CHECK", "GC", "STATUS", "VERSION", "add"])


@given(
    COMMANDS | ANY,
    st.dictionaries(st.sampled_from(["CNI_CONTAINERID", "CNI_NETNS", "CNI_IFNAME", "CNI_PATH", "CNI_ARGS"]), ANY),
    st.sets(st.sampled_from(sorted(ENV))),
)
def test_any_environment_gives_a_result_or_an_error_object(
    command: str, env: dict[str, str], without: set[str]
) -> None:
    config = {**CONFIG, "subnetFile": "/no/such/file", "dataDir": "/no/such/folder"}
    given = {key: value for key, value in {**ENV, "CNI_COMMAND": command, **env}.items() if key not in without}
    out, code = main.run("flannel", given, json.dumps(config).encode())
    assert code in (0, 1) and (code == 0 or json.loads(out)["code"])


@given(st.binary(max_size=200))
@pytest.mark.parametrize("plugin", ["bridge", "flannel", "portmap", "host-local"])
def test_any_input_gives_an_error_object(plugin: str, stdin: bytes) -> None:
    out, code = main.run(plugin, ENV, stdin)
    assert code == 1 and json.loads(out)["code"]


@given(st.text(st.sampled_from("FLANNEL_NETWORKSUBIPV6MTUQ=/.:0123456789abcdefalsetru\n\r\t \x00é"), max_size=300))
def test_malformed_lines_in_subnet_env(text: str) -> None:
    for combined in (text, GOOD_ENV + text, text + GOOD_ENV):
        try:
            flannel.parse_subnet_env(combined, "subnet.env")
        except CniError as error:
            assert error.code == errors.INVALID_CONFIG
