"""How the flags of `up` change the processes that it starts."""

from pathlib import Path

import pytest

from pybernetes.cluster.errors import ConfigError
from pybernetes.cluster.layout import Layout
from pybernetes.cluster.pod_network import has_external_network, net_conf, net_conf_path, require_managed_network
from pybernetes.cluster.registry import NodeRecord
from pybernetes.cluster.up import UpOptions, _write_network_config, process_specs


def _argv(options: UpOptions, process: str) -> str:
    nodes = [NodeRecord("node-1", 0, 2)]
    specs = {spec.name: spec for spec in process_specs(Layout("dev", 0), nodes, options)}
    return " ".join(specs[process].argv)


def test_the_grace_period_reaches_the_controllers() -> None:
    assert _argv(UpOptions(name="dev"), "control-plane").endswith("--node-monitor-grace-period 50s")
    options = UpOptions(name="dev", node_monitor_grace_period=12.5)
    assert _argv(options, "control-plane").endswith("--node-monitor-grace-period 12.5s")


def test_the_proxy_mode_reaches_the_nodes() -> None:
    assert "--proxy-mode iptables node-1" in _argv(UpOptions(name="dev", proxy_mode="iptables"), "node-node-1")


def test_simulated_nodes_run_in_a_separate_process() -> None:
    assert _argv(UpOptions(name="dev", simulated_nodes=7), "simulated-nodes").endswith("7")


class TestExternalPodNetwork:
    def layout(self, folder: Path, backend: str = "") -> Layout:
        layout = Layout("dev", 0, state_root=folder / "s", run_root=folder / "r")
        if backend:
            net_conf_path(layout).parent.mkdir(parents=True)
            net_conf_path(layout).write_text(net_conf(layout, backend))
        return layout

    def test_it_is_persistent_and_changes_the_processes(self, tmp_path: Path) -> None:
        nodes = [NodeRecord("node-1", 0, 2)]
        for backend in ("none", "vxlan"):
            layout = self.layout(tmp_path / backend, backend)
            specs = {spec.name: spec for spec in process_specs(layout, nodes, UpOptions(name="dev"))}
            for name in ("containerd-node-1", "node-node-1"):
                assert ("nsenter" in specs[name].argv) == has_external_network(layout) == (backend == "none")
            assert "nsenter" not in specs["control-plane"].argv

    def test_it_cannot_be_shown(self, tmp_path: Path) -> None:
        with pytest.raises(ConfigError, match="was created with --backend none"):
            require_managed_network(self.layout(tmp_path / "a", "none"))
        layout = self.layout(tmp_path / "b", "host-gw")
        assert require_managed_network(layout) is layout

    @pytest.mark.parametrize("text", ["", "[]", "{}", '{"Backend": 7}', '{"Backend": {"Type": ["none"]}}'])
    def test_a_config_without_a_type_is_managed(self, tmp_path: Path, text: str) -> None:
        layout = self.layout(tmp_path, "vxlan")
        net_conf_path(layout).write_text(text)
        assert not has_external_network(layout)
        assert not has_external_network(self.layout(tmp_path / "new"))

    @pytest.mark.parametrize(("before", "after"), [("none", "vxlan"), ("vxlan", "none")])
    def test_it_cannot_change(self, tmp_path: Path, before: str, after: str) -> None:
        layout = self.layout(tmp_path, before)
        with pytest.raises(
            ConfigError, match="cannot change between --backend none and other backends; remove cluster 'dev'"
        ):
            _write_network_config(layout, after)
        _write_network_config(layout, before)
        _write_network_config(layout, "")
        assert has_external_network(layout) == (before == "none")
