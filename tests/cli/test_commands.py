"""All commands: every flag has a help text, invalid values give helpful errors, the reference is up to date."""

import importlib.util
import re
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from pybernetes.cli.main import COMMANDS, command
from pybernetes.cli.values import parse_duration
from pybernetes.cli.version import VERSION

ROOT = Path(__file__).parent.parent.parent


def walk(found: click.Command, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    """Every command with its path."""
    yield path, found
    if isinstance(found, click.Group):
        context = click.Context(found)
        for name in found.list_commands(context):
            below = found.get_command(context, name)
            assert below is not None
            yield from walk(below, (*path, name))


ALL = list(walk(command))


@pytest.mark.parametrize(("path", "found"), ALL, ids=lambda value: " ".join(value) if isinstance(value, tuple) else "")
def test_every_command_and_every_flag_has_a_help_text(path: tuple[str, ...], found: click.Command) -> None:
    assert found.help, path
    answer = CliRunner().invoke(command, [*path, "--help"])
    assert answer.exit_code == 0
    for parameter in found.params:
        if isinstance(parameter, click.Option):
            assert parameter.help, f"{path}: {parameter.opts}"
            assert parameter.opts[0] in answer.output


def test_help_lists_all_commands() -> None:
    answer = CliRunner().invoke(command, ["--help"])
    for name, (_, line) in COMMANDS.items():
        assert re.search(rf"^  {name} +{re.escape(line[:30])}", answer.output, re.MULTILINE), name


def test_the_version_is_the_packages() -> None:
    assert CliRunner().invoke(command, ["--version"]).output == f"pybernetes, version {VERSION}\n"
    assert tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"] == VERSION


def test_the_reference_is_up_to_date() -> None:
    spec = importlib.util.spec_from_file_location("cli_reference", ROOT / "tools" / "cli_reference.py")
    assert spec is not None and spec.loader is not None
    tool = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(tool)
    assert tool.TARGET.read_text() == tool.render(), "run: python tools/cli_reference.py"


def test_an_unknown_command_lists_the_known_ones() -> None:
    answer = CliRunner().invoke(command, ["upp"])
    assert answer.exit_code == 2
    assert "no command 'upp'; there are up, status" in answer.output


#: (command line, parts of the message): the flag, the value, and a valid example.
BAD = [
    ("up --nodes three", ("--nodes", "three", "integer")),
    ("up --racks x", ("--racks", "'x'")),
    ("up --api-port 70000", ("--api-port", "70000", "65535")),
    ("up --backend carrier-pigeon", ("--backend", "carrier-pigeon", "vxlan")),
    ("up --proxy-mode ipvs", ("--proxy-mode", "ipvs", "nftables")),
    ("up --simulated-nodes -1", ("--simulated-nodes", "-1")),
    ("up --frobnicate", ("--frobnicate",)),
    ("status -o yaml", ("--output", "yaml", "json")),
    ("apiserver --secure-port 70000", ("--secure-port", "70000", "65535")),
    ("apiserver --service-cluster-ip-range 10.0.0.1/24", ("--service-cluster-ip-range", "10.0.0.1/24", "host bits")),
    ("apiserver --service-node-port-range 5-3", ("--service-node-port-range", "5-3", "30000-32767")),
    ("apiserver --authorization-mode Webhook", ("--authorization-mode", "Webhook", "RBAC")),
    ("apiserver --advertise-address here", ("--advertise-address", "here", "10.0.0.1")),
    ("apiserver --client-ca-file /nonexistent", ("--client-ca-file", "/nonexistent", "No such file")),
    ("apiserver --anonymous-auth=perhaps", ("--anonymous-auth", "perhaps", "boolean")),
    ("apiserver --request-timeout 5", ("--request-timeout", "'5'", "1m30s")),
    ("controller-manager --node-monitor-grace-period 1x", ("--node-monitor-grace-period", "'1x'", "1m30s")),
    ("controller-manager --cluster-cidr pods", ("--cluster-cidr", "'pods'", "10.244.0.0/16")),
    ("scheduler --leader-elect-retry-period -2s", ("--leader-elect-retry-period", "negative")),
    ("kubelet --node-labels disk", ("--node-labels", "'disk'", "disktype=ssd")),
    ("kubelet --register-with-taints a=b:Never", ("--register-with-taints", "a=b:Never", "NoExecute")),
    ("kubelet --max-pods 0", ("--max-pods", "0")),
    ("proxy --proxy-mode ipvs", ("--proxy-mode", "ipvs", "nftables")),
    ("proxy --healthz-bind-address 10256", ("--healthz-bind-address", "10256", "0.0.0.0:10256")),
    ("flanneld --public-ip me", ("--public-ip", "'me'", "10.0.0.1")),
    ("flanneld --kube-annotation-prefix x", ("--kube-annotation-prefix", "'x'", "flannel.alpha.coreos.com")),
    ("dns --port dns", ("--port", "dns")),
]


@pytest.mark.parametrize(("line", "parts"), BAD, ids=[line for line, _ in BAD])
def test_an_invalid_value_is_refused_with_the_flag_and_a_valid_example(line: str, parts: tuple[str, ...]) -> None:
    answer = CliRunner().invoke(command, line.split())
    assert answer.exit_code == 2
    for part in parts:
        assert part in answer.output


#: Values that are valid alone but not together: (command line, parts of the one-line message).
TOGETHER = [
    ("apiserver", ("--data-dir", "--etcd-servers", "neither")),
    ("apiserver --data-dir /nonexistent --etcd-servers http://127.0.0.1:1", ("--data-dir", "both")),
    ("apiserver --data-dir /nonexistent --tls-cert-file {file}", ("--tls-cert-file needs --tls-private-key-file",)),
    ("apiserver --etcd-servers https://127.0.0.1:1 --etcd-keyfile {file}", ("--etcd-keyfile needs --etcd-certfile",)),
    ("apiserver --data-dir /nonexistent --cert-dir {dir} --token-auth-file {file}", ("--token-auth-file", "line 1")),
    (
        "apiserver --data-dir /nonexistent --cert-dir {dir} --service-account-signing-key-file {file}",
        ("--service-account-signing-key-file", "PEM"),
    ),
    ("apiserver --data-dir /nonexistent --service-cluster-ip-range 10.0.0.0/24,10.1.0.0/24", ("one of each family",)),
    ("controller-manager --allocate-node-cidrs", ("--allocate-node-cidrs needs --cluster-cidr",)),
    ("controller-manager --controllers *,-nothing", ("--controllers", "-nothing", "deployment-controller")),
    ("controller-manager --service-account-private-key-file {file}", ("--service-account-private-key-file", "PEM")),
    ("scheduler", ("--kubeconfig",)),
    ("scheduler --kubeconfig {file}", ("kubeconfig",)),
    ("kubelet --container-runtime-endpoint tcp://1.2.3.4:5", ("--container-runtime-endpoint", "unix:///run")),
    ("kubelet --container-log-max-size big", ("--container-log-max-size", "'big'", "10Mi")),
    ("kubelet --image-gc-low-threshold 90", ("image_gc_low_percent",)),
    ("flanneld --etcd-certfile {file}", ("--etcd-certfile", "--etcd-keyfile")),
    ("flanneld --etcd-endpoints 127.0.0.1:2379", ("--etcd-endpoints", "127.0.0.1:2379", "https://10.0.0.1:2379")),
    ("flanneld --kube-subnet-mgr", ("--kubeconfig-file",)),
    ("dns --forward /nonexistent/resolv.conf", ("--forward", "no such file")),
    ("dns --forward ns.example.org", ("--forward", "ns.example.org", "9.9.9.9")),
]


@pytest.mark.parametrize(("line", "parts"), TOGETHER, ids=[line for line, _ in TOGETHER])
def test_invalid_combinations_give_one_line(
    line: str,
    parts: tuple[str, ...],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    garbage = tmp_path / "garbage"
    garbage.write_text("[nothing\n")
    words = line.format(file=garbage, dir=tmp_path / "certs").split()
    code, output = run_main(words, monkeypatch, capsys)
    assert code == 1
    for part in parts:
        assert part in output
    assert output.startswith("pybernetes: ") and "Traceback" not in output


@pytest.mark.parametrize("words", [["status"], ["kubeconfig"], ["logs"], ["stop"], ["image", "load", "/dev/null"]])
def test_an_unknown_cluster_is_reported_with_the_command_that_creates_it(
    words: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    if words[0] == "image":
        words = ["image", "load", __file__]
    code, output = run_main([*words, "--name", "pbt-none"], monkeypatch, capsys)
    assert code == 1
    assert "there is no cluster 'pbt-none'" in output and "pybernetes up --name pbt-none" in output


@pytest.mark.parametrize("name", ["UPPER", "a" * 25, "a/b", "-a", ""])
def test_invalid_cluster_names_are_refused(
    name: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for words in (["up"], ["down"], ["status"]):
        code, output = run_main([*words, f"--name={name}"], monkeypatch, capsys)
        assert code == 1
        assert "cluster name" in output and repr(name) in output


def test_flags_can_be_written_as_for_go_programs() -> None:
    for line in (
        "flanneld -etcd-endpoints=nowhere",
        "flanneld --etcd_endpoints=nowhere",
        "flanneld --kube-subnet-mgr=false --etcd-endpoints=nowhere -v 4",
    ):
        answer = CliRunner().invoke(command, line.split())
        assert "'nowhere' is not an etcd URL" in str(answer.exception), line


def test_flanneld_reads_flags_from_the_environment() -> None:
    answer = CliRunner().invoke(command, ["flanneld"], env={"FLANNELD_IFACE_CAN_REACH": "nowhere"})
    assert answer.exit_code == 2 and "'--iface-can-reach': 'nowhere'" in answer.output
    answer = CliRunner().invoke(command, ["flanneld"], env={"FLANNELD_KUBE_SUBNET_MGR": "true"})
    assert "--kubeconfig-file" in str(answer.exception)


def test_flags_without_effect_give_a_warning() -> None:
    answer = CliRunner().invoke(command, ["scheduler", "--authentication-kubeconfig=/etc/x"])
    assert "--authentication-kubeconfig is accepted but has no effect" in answer.output


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("0", 0), ("1m30s", 90), ("250ms", 0.25), ("1.5h", 5400), ("1h2m3s", 3723), ("100us", 1e-4), (".5s", 0.5)],
)
def test_durations_have_gos_syntax(text: str, seconds: float) -> None:
    assert parse_duration(text) == pytest.approx(seconds)


@pytest.mark.parametrize("text", ["", "5", "s", "1m30", "1 m", "1d", "--1s", "+", "1e3s"])
def test_invalid_durations_are_refused(text: str) -> None:
    with pytest.raises(ValueError):
        parse_duration(text)


def run_main(words: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> tuple[int, str]:
    """Exit code and stderr of the program."""
    from pybernetes.cli.main import main

    monkeypatch.setattr(sys, "argv", ["pybernetes", *words])
    with pytest.raises(SystemExit) as ended:
        main()
    code = ended.value.code
    return code if isinstance(code, int) else 1, capsys.readouterr().err
