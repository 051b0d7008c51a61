"""What the flags of `up` mean for the processes that are started."""

from pathlib import Path

import pytest

from pybernetes.cluster.errors import ConfigError
from pybernetes.cluster.layout import Layout
from pybernetes.cluster.pod_network import is_left_to_others, net_conf, net_conf_path, require_ours
from pybernetes.cluster.registry import NodeRecord
from pybernetes.cluster.up import UpOptions, _write_network_config, process_specs


def _argv(options: UpOptions, process: str) -> str:
    nodes = [NodeRecord("node-1", 0, 2)]
    specs = {spec.name: spec for spec in process_specs(Layout("dev", 0), nodes, options)}
    return " ".join(specs[process].argv)


def test_the_grace_period_reaches_the_controllers() -> None:
    assert _argv(UpOptions(name="dev"), "control-plane").endswith("--node-monitor-grace-period 50s")
    told = UpOptions(name="dev", node_monitor_grace_period=12.5)
    assert _argv(told, "control-plane").endswith("--node-monitor-grace-period 12.5s")


def test_the_proxy_mode_reaches_the_nodes() -> None:
    assert "--proxy-mode iptables node-1" in _argv(UpOptions(name="dev", proxy_mode="iptables"), "node-node-1")


def test_simulated_nodes_are_a_process_of_their_own() -> None:
    assert _argv(UpOptions(name="dev", simulated_nodes=7), "simulated-nodes").endswith("7")


class TestPodNetworkOfOthers:
    def layout(self, folder: Path, backend: str = "") -> Layout:
        layout = Layout("dev", 0, state_root=folder / "s", run_root=folder / "r")
        if backend:
            net_conf_path(layout).parent.mkdir(parents=True)
            net_conf_path(layout).write_text(net_conf(layout, backend))
        return layout

    def test_it_is_remembered_and_decides_what_runs_where(self, tmp_path: Path) -> None:
        nodes = [NodeRecord("node-1", 0, 2)]
        for backend in ("none", "vxlan"):
            layout = self.layout(tmp_path / backend, backend)
            specs = {spec.name: spec for spec in process_specs(layout, nodes, UpOptions(name="dev"))}
            for name in ("containerd-node-1", "node-node-1"):
                assert ("nsenter" in specs[name].argv) == is_left_to_others(layout) == (backend == "none")
            assert "nsenter" not in specs["control-plane"].argv

    def test_it_is_not_ours_to_show(self, tmp_path: Path) -> None:
        with pytest.raises(ConfigError, match="was made with --backend none"):
            require_ours(self.layout(tmp_path / "a", "none"))
        layout = self.layout(tmp_path / "b", "host-gw")
        assert require_ours(layout) is layout

    @pytest.mark.parametrize("text", ["", "[]", "{}", '{"Backend": 7}', '{"Backend": {"Type": ["none"]}}'])
    def test_a_config_that_says_nothing_is_ours(self, tmp_path: Path, text: str) -> None:
        layout = self.layout(tmp_path, "vxlan")
        net_conf_path(layout).write_text(text)
        assert not is_left_to_others(layout)
        assert not is_left_to_others(self.layout(tmp_path / "new"))

    @pytest.mark.parametrize(("before", "after"), [("none", "vxlan"), ("vxlan", "none")])
    def test_it_is_decided_once(self, tmp_path: Path, before: str, after: str) -> None:
        layout = self.layout(tmp_path, before)
        with pytest.raises(ConfigError, match="is decided when a cluster is made; remove cluster 'dev'"):
            _write_network_config(layout, after)
        _write_network_config(layout, before)
        _write_network_config(layout, "")
        assert is_left_to_others(layout) == (before == "none")
