"""Every flag of flanneld: names and spellings of Go flanneld, environment variables, and the options that they set."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner

from pybernetes.cli import flanneld
from pybernetes.cli.flags import collect
from pybernetes.cli.flanneld_flags import Flags
from pybernetes.cli.flanneld_serve import options
from pybernetes.cli.version import VERSION
from pybernetes.flannel.options import FlannelOptions

#: Flags of Go flanneld (v0.28), including those of klog, each with a value that is not its default.
GO_FLAGS = {
    "etcd-endpoints": "https://192.0.2.1:2379,https://192.0.2.2:2379",
    "etcd-prefix": "/other/network",
    "etcd-keyfile": __file__,
    "etcd-certfile": __file__,
    "etcd-cafile": __file__,
    "etcd-username": "flannel",
    "etcd-password": "secret",
    "iface": "eth7",
    "iface-regex": "^eth[0-9]{1,2}$",
    "iface-can-reach": "192.0.2.254",
    "subnet-file": "/run/other/subnet.env",
    "public-ip": "198.51.100.7",
    "public-ipv6": "2001:db8::7",
    "subnet-lease-renew-margin": "30",
    "ip-masq": "true",
    "ip-masq-fully-random-disable": "true",
    "kube-subnet-mgr": "true",
    "kube-api-url": "https://192.0.2.9:6443",
    "kube-annotation-prefix": "other.example.com/second",
    "kubeconfig-file": __file__,
    "healthz-ip": "127.0.0.1",
    "healthz-port": "8471",
    "iptables-resync": "9",
    "iptables-forward-rules": "false",
    "ip-blackhole-route": "true",
    "net-config-path": "/etc/other.json",
    "set-node-network-unavailable": "false",
    "vmodule": "vxlan=4",
    "log-backtrace-at": "main.go:7",
}
#: The daemon's option that a flag sets.
ENDS: dict[str, tuple[str, Any]] = {
    "iface": ("selection.names", ("eth7",)),
    "iface-regex": ("selection.patterns", ("^eth[0-9]{1,2}$",)),
    "iface-can-reach": ("selection.can_reach", "192.0.2.254"),
    "public-ip": ("selection.public_ips", {4: "198.51.100.7"}),
    "public-ipv6": ("selection.public_ips", {6: "2001:db8::7"}),
    "subnet-file": ("subnet_file", Path("/run/other/subnet.env")),
    "net-config-path": ("net_conf", Path("/etc/other.json")),
    "ip-masq": ("ip_masq", True),
    "ip-masq-fully-random-disable": ("random_ports", False),
    "iptables-forward-rules": ("forward_rules", False),
    "iptables-resync": ("rules_seconds", 9.0),
    "ip-blackhole-route": ("blackhole", True),
    "set-node-network-unavailable": ("set_condition", False),
    "kube-annotation-prefix": ("annotation_prefix", "other.example.com/second"),
}


@pytest.fixture(autouse=True)
def _no_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in GO_FLAGS:
        monkeypatch.delenv(variable(name), raising=False)


def variable(name: str) -> str:
    return "FLANNELD_" + name.upper().replace("-", "_")


def parsed(*argv: str) -> Flags:
    """The flags of a command line."""
    with flanneld.command.make_context("flanneld", list(argv)) as context:
        values = {name: value for name, value in context.params.items() if name not in ("log_level", "v")}
        flags, _ = collect(Flags, values)
        assert isinstance(flags, Flags)
        return flags


def test_every_flag_of_go_flanneld_is_known() -> None:
    ours = {option.removeprefix("--") for parameter in flanneld.command.params for option in parameter.opts}
    assert {*GO_FLAGS, "version", "v"} <= ours


@pytest.mark.parametrize("name", GO_FLAGS)
def test_every_spelling_and_the_variable_give_the_same_value(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    value, field = GO_FLAGS[name], name.replace("-", "_")
    found = [
        getattr(parsed(*argv), field) for argv in ([f"--{name}={value}"], [f"-{name}={value}"], [f"--{field}={value}"])
    ]
    monkeypatch.setenv(variable(name), value)
    found.append(getattr(parsed(), field))
    assert all(one == found[0] for one in found) and found[0] is not None
    monkeypatch.delenv(variable(name))
    assert found[0] != getattr(parsed(), field), "it is not the default"


@pytest.mark.parametrize("name", ENDS)
def test_flags_set_the_options_of_the_daemon(name: str) -> None:
    where, expected = ENDS[name]
    found: Any = options(parsed(f"--{name}={GO_FLAGS[name]}"), "node-1")
    default: Any = options(parsed(), "node-1")
    for part in where.split("."):
        found, default = getattr(found, part), getattr(default, part)
    assert found == expected and found != default


def test_the_command_line_takes_precedence_over_the_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FLANNELD_HEALTHZ_PORT", "8471")
    assert parsed("--healthz-port=8472").healthz_port == 8472
    monkeypatch.setenv("FLANNELD_HEALTHZ_PORT", "")
    assert parsed().healthz_port == 0, "an empty variable counts as unset"


def test_switches_and_repeated_flags(monkeypatch: pytest.MonkeyPatch) -> None:
    assert parsed("-ip-masq").ip_masq and parsed("--ip-masq", "--kube-subnet-mgr").kube_subnet_mgr
    assert not parsed("--ip-masq=false").ip_masq
    assert parsed("--iface=eth7", "-iface", "10.4.7.21", "--iface=a,b").iface == ("eth7", "10.4.7.21", "a", "b")
    assert parsed("--iface-regex=^a{1,2}", "--iface-regex=b,c").iface_regex == ("^a{1,2}", "b,c")
    monkeypatch.setenv("FLANNELD_IFACE_REGEX", "^10[.]4 {0,1}")
    assert parsed().iface_regex == ("^10[.]4 {0,1}",)


@pytest.mark.parametrize(
    ("flag", "says"),
    [
        ("--subnet-lease-renew-margin=1440", "1<=x<=1439"),
        ("--subnet-lease-renew-margin=0", "1<=x<=1439"),
        ("--iptables-resync=0", "x>=1"),
        ("--healthz-port=70000", "0<=x<=65535"),
        ("--public-ip=300.1.1.1", "is not an IP address; write one such as 10.0.0.1"),
        ("--iface-can-reach=gateway", "is not an IP address"),
        ("--etcd-cafile=/nowhere/ca.pem", "/nowhere/ca.pem"),
        ("--ip-masq=perhaps", "perhaps"),
        ("--kube-annotation-prefix=x", "'x' can't begin an annotation; write one such as flannel.alpha.coreos.com"),
        ("--kube-annotation-prefix=a.b/c/d", "can't begin an annotation"),
        ("--frobnicate", "No such option"),
    ],
)
def test_errors_name_the_flag_and_a_valid_example(flag: str, says: str) -> None:
    with pytest.raises(click.UsageError) as refused:
        parsed(flag)
    assert says in refused.value.format_message() and flag.partition("=")[0] in refused.value.format_message()


@pytest.mark.parametrize("spelling", ["--version", "-version"])
def test_version(spelling: str) -> None:
    result = CliRunner().invoke(flanneld.command, [spelling], env={"FLANNELD_VERSION": "v0.28.0"})
    assert (result.exit_code, result.output) == (0, f"pybernetes flanneld, version {VERSION}\n")


def test_a_version_in_the_environment_is_ignored(monkeypatch: pytest.MonkeyPatch) -> None:
    """Installers keep the version to install in FLANNELD_VERSION."""
    monkeypatch.setenv("FLANNELD_VERSION", "v0.28.0")
    assert parsed().healthz_port == 0


def test_certificate_and_key_need_each_other() -> None:
    argv = [sys.executable, "-m", "pybernetes.cli.main", "flanneld", f"--etcd-certfile={__file__}"]
    refused = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert refused.returncode == 1 and "--etcd-certfile and --etcd-keyfile need each other" in refused.stderr


def test_defaults_are_those_of_go_flanneld() -> None:
    found = options(parsed(), "node-1")
    assert found == FlannelOptions(node_name="node-1", ip_masq=False, resync_seconds=5.0)
    assert (found.rules_seconds, found.random_ports, found.forward_rules, found.set_condition) == (
        5.0,
        True,
        True,
        True,
    )
    flags = parsed()
    assert (flags.healthz_ip, flags.etcd_prefix) == ("0.0.0.0", "/coreos.com/network")
