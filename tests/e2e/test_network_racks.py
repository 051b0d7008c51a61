"""The network commands with a router between nodes, and with rules in iptables."""

import pytest

from e2e.conftest import Cluster, eventually, own_cluster, service, shell_pod
from e2e.insight import agent_stopped, check_once, query, refusal
from pybernetes.cluster.pod_network import net_conf_path
from pybernetes.insight.findings import faults


def codes(made: Cluster) -> set[str]:
    return {f.code for f in check_once(made).findings}


def test_two_racks_and_iptables(tmp_path_factory: pytest.TempPathFactory) -> None:
    """host-gw is refused with a router between nodes; Services are found in iptables, too."""
    shape = ["--nodes", "2", "--racks", "2", "--proxy-mode", "iptables"]
    with own_cluster("net-racks", tmp_path_factory.mktemp("racks"), *shape) as made:
        assert check_once(made).findings == []
        request = ["network", "set-backend", "host-gw"]
        assert "router between node-1 and node-2" in refusal(made, *request)
        kubectl = made.kubectl()
        eventually(lambda: kubectl.raw("get", "sa", "default").returncode == 0, what="default service account")
        kubectl.apply(shell_pod("a", "node-1"), service("unused"))
        kubectl.wait("pod/a")
        code, found = query(made, "trace", "a", "kubernetes")
        text = [hop["what"] for hop in found["paths"][0]["hops"]]
        assert code == 0 and any(what.startswith("iptables KUBE-SERVICES -> KUBE-SVC-") for what in text), text
        code, found = query(made, "trace", "a", "unused")
        assert code == 1 and "KUBE-REJECTS -> REJECT" in found["paths"][0]["hops"][-1]["what"]
        made.in_node("node-1", "iptables", "-P", "FORWARD", "DROP")
        code, found = query(made, "trace", "a", "kubernetes")
        assert code == 1 and found["paths"][0]["hops"][-1]["what"] == "iptables FORWARD: policy drop"
        assert codes(made) == {"forward-drop"}
        made.in_node("node-1", "iptables", "-P", "FORWARD", "ACCEPT")
        assert "keeps flannel.1" in refusal(made, *request, "--force", "--timeout", "2")
        assert {f.code for f in faults(check_once(made).findings)} == {"other-segment"}


def in_iptables(made: Cluster) -> None:
    """Make flannel keep its rules in iptables."""
    path = net_conf_path(made.layout)
    path.write_text(path.read_text().replace('"EnableNFTables": true', '"EnableNFTables": false'))


def test_rules_in_iptables(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Missing rules, changed rules, and rules of other programs before them."""
    with own_cluster("net-iptables", tmp_path_factory.mktemp("iptables"), "--nodes", "2") as made:
        in_iptables(made)
        eventually(lambda: not codes(made), what="rules in iptables, and no fault")
        for steps, code in (
            ("iptables -t nat -D FLANNEL-POSTRTG 2", "rules-changed"),
            ("iptables -t nat -F FLANNEL-POSTRTG; iptables -F FLANNEL-FWD", "rules-changed"),
            ("iptables -t nat -F; iptables -F", "rules-missing"),
            ("iptables -I FORWARD -s 10.244.0.0/16 -j DROP", "forward-drop"),
        ):
            with agent_stopped(made, "node-1"):
                made.in_node("node-1", "sh", "-c", steps)
                assert codes(made) == {code, "agent-stopped"}, check_once(made).findings
            if code == "forward-drop":
                made.in_node("node-1", "iptables", "-D", "FORWARD", "-s", "10.244.0.0/16", "-j", "DROP")
            eventually(lambda: not codes(made), timeout=60, what=f"repaired after: {steps}")
