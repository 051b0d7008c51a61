"""`--config` of kubelet and kube-proxy: files as kubeadm writes them; flags take precedence."""

from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner

from pybernetes.cli import kubelet, proxy
from pybernetes.cli.config_file import KUBELET, PROXY, flatten
from pybernetes.cli.flags import component
from pybernetes.cli.main import command

KUBELET_FILE = """
apiVersion: kubelet.config.k8s.io/v1beta1
kind: KubeletConfiguration
authentication:
  anonymous: {enabled: false}
  x509: {clientCAFile: CA}
cgroupDriver: systemd
clusterDNS: [10.96.0.10, "fd00::a"]
clusterDomain: example.test
kubeReserved: {cpu: 100m, memory: 200Mi}
maxPods: 30
registerWithTaints:
- {key: dedicated, value: db, effect: NoSchedule}
staticPodPath: /etc/kubernetes/manifests
syncFrequency: 0s
imageMinimumGCAge: 3m0s
"""
PROXY_FILE = """
apiVersion: kubeproxy.config.k8s.io/v1alpha1
kind: KubeProxyConfiguration
bindAddress: 0.0.0.0
clientConnection: {kubeconfig: CA}
clusterCIDR: 10.244.0.0/16,fd00:244::/56
mode: iptables
iptables: {minSyncPeriod: 2s, masqueradeAll: true}
"""


def parse(module: Any, flags: list[str]) -> tuple[Any, str]:
    """The flags as the component gets them, and the output."""
    got: list[Any] = []

    def run(parsed: Any, level: str) -> None:
        """Keep them."""
        got.append(parsed)

    file = {kubelet: KUBELET, proxy: PROXY}[module]
    answer = CliRunner().invoke(component("x", module.Flags, run, file=file), flags)
    assert answer.exit_code == 0, answer.output
    return got[0], answer.output


@pytest.fixture
def files(tmp_path: Path) -> tuple[Path, Path]:
    """Both files, with the path of an existing file."""
    (tmp_path / "ca").write_text("x")
    for name, text in (("kubelet.yaml", KUBELET_FILE), ("proxy.yaml", PROXY_FILE)):
        (tmp_path / name).write_text(text.replace(": CA}", f": {tmp_path / 'ca'}}}"))
    return tmp_path / "kubelet.yaml", tmp_path / "proxy.yaml"


def test_a_kubelets_file_is_read_and_flags_take_precedence(files: tuple[Path, Path]) -> None:
    flags, output = parse(
        kubelet, [f"--config={files[0]}", "--max-pods=40", "--hostname-override=n", "--node-ip=192.0.2.1"]
    )
    config = kubelet.settings(flags)
    assert config.cluster_dns == ("10.96.0.10", "fd00::a")
    assert config.cluster_domain == "example.test"
    assert config.max_pods == 40
    assert config.reserved == {"cpu": "100m", "memory": "200Mi"}
    assert [(t.key, t.value, t.effect) for t in config.taints] == [("dedicated", "db", "NoSchedule")]
    assert config.static_pod_path == Path("/etc/kubernetes/manifests")
    assert config.client_ca_file == files[0].parent / "ca"
    assert config.image_minimum_age == 180 and config.sync_period == 60
    assert "cgroupDriver is accepted but has no effect" in output


def test_a_proxys_file_is_read(files: tuple[Path, Path]) -> None:
    flags, output = parse(proxy, ["--config", str(files[1]), "--hostname-override=n"])
    options = proxy.settings(flags)
    assert options.mode == "iptables" and options.masquerade_all and options.min_sync_seconds == 2
    assert options.cluster_cidrs == ("10.244.0.0/16", "fd00:244::/56") and options.versions == (4, 6)
    assert "bindAddress is accepted" in output


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("[", "cannot read"),
        ("just text", "is not a KubeletConfiguration"),
        (
            "kind: KubeProxyConfiguration\napiVersion: kubeproxy.config.k8s.io/v1alpha1\n",
            "is not a KubeletConfiguration",
        ),
        ("kind: KubeletConfiguration\napiVersion: v1\n", "kubelet.config.k8s.io/..."),
        ("kind: KubeletConfiguration\napiVersion: kubelet.config.k8s.io/v1beta1\nmaxPods: many\n", "--max-pods"),
        (
            "kind: KubeletConfiguration\napiVersion: kubelet.config.k8s.io/v1beta1\nclusterDNS: [here]\n",
            "--cluster-dns",
        ),
    ],
)
def test_an_invalid_file_is_refused(text: str, part: str, tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    path.write_text(text)
    answer = CliRunner().invoke(command, ["kubelet", f"--config={path}"])
    assert answer.exit_code == 2
    assert part in " ".join(answer.output.split())


def test_every_field_maps_to_a_flag() -> None:
    for file, module in ((KUBELET, kubelet), (PROXY, proxy)):
        names = {parameter.name for parameter in module.command.params if isinstance(parameter, click.Option)}
        assert set(file.fields.values()) <= names


def test_empty_fields_are_skipped() -> None:
    assert flatten({"a": "", "b": None, "c": {}, "d": {"e": [], "f": 1}, "g": False}) == {"d.f": "1", "g": "false"}
