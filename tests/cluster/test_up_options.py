"""What the flags of `up` mean for the processes that are started."""

from pybernetes.cluster.layout import Layout
from pybernetes.cluster.registry import NodeRecord
from pybernetes.cluster.up import UpOptions, process_specs


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
