"""The network commands on a running cluster: faults are named, packets and pods explained, switching loses nothing."""

import json
import os
import re
import signal
import subprocess
from collections.abc import Iterator

import pytest
import yaml

from e2e.conftest import PYBERNETES, Cluster, eventually, hello, own_cluster, rolled, run_raw, service, shell_pod
from e2e.insight import agent_stopped, check_once, query, refusal
from e2e.transfer import Transfer
from pybernetes.cluster.pod_network import net_conf_path
from pybernetes.cluster.registry import Registry
from pybernetes.insight.findings import faults
from pybernetes.insight.gather import pod_namespace

TWO = ["node-1", "node-2"]


@pytest.fixture(scope="module")
def net(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """Two nodes, a pod on each, and two Services, one of them without endpoints."""
    with own_cluster("net-e2e", tmp_path_factory.mktemp("net"), "--nodes", "2") as made:
        kubectl = made.kubectl()
        eventually(lambda: kubectl.raw("get", "sa", "default").returncode == 0, what="default service account")
        server = hello("web", replicas=1, nodeName="node-2")
        kubectl.apply(shell_pod("a", "node-1"), shell_pod("b", "node-2"), server, service("web"), service("unused"))
        kubectl.wait("pod/a")
        kubectl.wait("pod/b")
        rolled(kubectl)
        yield made


def ip_of(net: Cluster, pod: str) -> str:
    return net.kubectl()("get", "pod", pod, "-o", "jsonpath={.status.podIP}")


def link_of(net: Cluster, node: str) -> str:
    """The node's port on its rack's bridge, in the router's namespace."""
    record = next(record for record in Registry().nodes(net.name) if record.name == node)
    return net.layout.node_port(record.rack, record.host)


def in_router(net: Cluster, *argv: str) -> None:
    subprocess.run(["nsenter", f"--net=/run/netns/{net.layout.router_netns}", *argv], check=True)


def healthy(net: Cluster) -> bool:
    found = check_once(net)
    assert found.healthy, found.findings
    return True


def test_healthy_cluster_raises_no_alarm(net: Cluster) -> None:
    code, found = query(net, "network", "check")
    assert (code, found["findings"]) == (0, [])
    _, shown = query(net, "network", "show")
    assert [node["name"] for node in shown["nodes"]] == TWO
    assert {(p["path"], p["device"], p["health"]) for p in shown["paths"]} == {("tunnel", "flannel.1", "ok")}
    text = net.cli("network", "show", "--name", net.name)
    assert "10.244." in text and "vxlan" in text


def test_forms_of_output(net: Cluster) -> None:
    wide = net.cli("network", "show", "-o", "wide", "--name", net.name)
    assert "DEVICES" in wide and "flannel.1" in wide
    text = [json.loads(net.cli("network", "show", form, "--name", net.name)) for form in ("--json", "-ojson")]
    text.append(yaml.safe_load(net.cli("network", "check", "-o", "yaml", "--name", net.name)))
    assert all([node["name"] for node in document["nodes"]] == TWO for document in text)
    refused = run_raw([*PYBERNETES, "network", "show", "-o", "xml", "--name", net.name], env=net.env)
    assert refused.returncode == 2 and "yaml" in refused.stderr


def test_watch_shows_what_changes(net: Cluster) -> None:
    argv = [*PYBERNETES, "network", "show", "--watch", "--name", net.name]
    watching = subprocess.Popen(argv, stdout=subprocess.PIPE, text=True, env={**os.environ, **net.env})
    assert watching.stdout is not None
    try:
        for line in watching.stdout:
            if line.startswith("node-2  node-1"):
                break
        with agent_stopped(net, "node-1"):
            for line in watching.stdout:
                if line.startswith("node-1  10.244."):
                    break
        assert "stopped" in line
    finally:
        watching.send_signal(signal.SIGINT)
        watching.communicate(timeout=10)


def block(hook: str) -> str:
    """A packet filter that drops the tunnel's packets."""
    chain = f"add chain inet pbt c {{ type filter hook {hook} priority 0; }}"
    return f"add table inet pbt; {chain}; add rule inet pbt c udp dport 8472 drop"


#: What is done on node-1 while its agent is stopped, and the only code that `check` must report.
#: SUBNET and MAC are those of node-2.
INJECTED: dict[str, tuple[list[list[str]], str]] = {
    "route removed": ([["ip", "route", "del", "SUBNET"]], "route-missing"),
    "route with wrong gateway": (
        [["ip", "route", "replace", "SUBNET", "via", "GATEWAY", "dev", "eth0", "proto", "70"]],
        "route-wrong",
    ),
    "route shadowed": ([["ip", "route", "add", "HALF", "via", "GATEWAY"]], "route-shadowed"),
    "fdb wrong": ([["bridge", "fdb", "replace", "MAC", "dev", "flannel.1", "dst", "203.0.113.9"]], "fdb-wrong"),
    "fdb removed": ([["bridge", "fdb", "del", "MAC", "dev", "flannel.1", "dst", "PUBLIC"]], "fdb-missing"),
    "neighbour removed": ([["ip", "neigh", "del", "VTEP", "dev", "flannel.1"]], "neighbour-missing"),
    "link down": ([["ip", "link", "set", "flannel.1", "down"]], "link-down"),
    "link removed": ([["ip", "link", "del", "flannel.1"]], "link-missing"),
    "rules flushed": ([["nft", "flush", "table", "ip", "flannel-ipv4"]], "rules-missing"),
    "ruleset flushed": ([["nft", "flush", "ruleset"]], "rules-missing"),
    "mtu of the interface": ([["ip", "link", "set", "eth0", "mtu", "1400"]], "mtu-too-big"),
    "address overlap": ([["ip", "addr", "add", "10.244.200.1/24", "dev", "eth0"]], "address-overlap"),
    "port blocked on the way in": ([["nft", block("input")]], "port-blocked"),
    "port blocked on the way out": ([["nft", block("output")]], "port-blocked"),
    "forwarding off": ([["sysctl", "-qw", "net.ipv4.ip_forward=0"]], "forwarding-off"),
    "interface gone": ([["ip", "link", "set", "eth0", "down"]], "underlay-down"),
}
#: How to undo the faults that flannel does not repair.
UNDO: dict[str, list[list[str]]] = {
    "route shadowed": [["ip", "route", "del", "HALF"]],
    "ruleset flushed": [],
    "mtu of the interface": [["ip", "link", "set", "eth0", "mtu", "1500"]],
    "address overlap": [["ip", "addr", "del", "10.244.200.1/24", "dev", "eth0"]],
    "port blocked on the way in": [["nft", "delete", "table", "inet", "pbt"]],
    "port blocked on the way out": [["nft", "delete", "table", "inet", "pbt"]],
    "forwarding off": [["sysctl", "-qw", "net.ipv4.ip_forward=1"]],
    "interface gone": [["ip", "link", "set", "eth0", "up"], ["ip", "route", "add", "default", "via", "GATEWAY"]],
}


def words(net: Cluster) -> dict[str, str]:
    """The values of the words in capitals in INJECTED."""
    node = net.kubectl().json("get", "node", "node-2")
    notes = node["metadata"]["annotations"]
    subnet = node["spec"]["podCIDR"]
    vtep = subnet.partition("/")[0]
    return {
        "SUBNET": subnet,
        "HALF": f"{vtep}/25",
        "VTEP": vtep,
        "MAC": json.loads(notes["flannel.alpha.coreos.com/backend-data"])["VtepMAC"],
        "PUBLIC": notes["flannel.alpha.coreos.com/public-ip"],
        "GATEWAY": notes["flannel.alpha.coreos.com/public-ip"].rpartition(".")[0] + ".1",
    }


@pytest.mark.parametrize("fault", INJECTED)
def test_every_fault_is_named(net: Cluster, fault: str) -> None:
    known = words(net)
    steps, code = INJECTED[fault]
    with agent_stopped(net, "node-1"):
        try:
            for argv in steps:
                net.in_node("node-1", *(known.get(word, word) for word in argv))
            found = check_once(net)
        finally:
            for argv in UNDO.get(fault, []):
                net.in_node("node-1", *(known.get(word, word) for word in argv))
    named = faults(found.findings)
    assert {f.code for f in named} == {code}, named
    assert all("node-1" in (f.node, f.peer) and f.cause and f.fix for f in named)
    eventually(lambda: healthy(net), timeout=10, what=f"repaired after: {fault}")


def test_a_fault_gives_exit_code_1(net: Cluster) -> None:
    with agent_stopped(net, "node-1"):
        net.in_node("node-1", "ip", "route", "del", words(net)["SUBNET"])
        done = run_raw([*PYBERNETES, "network", "check", "--name", net.name], env=net.env)
    assert done.returncode == 1
    assert "FAULT  node-1 -> node-2: route-missing" in done.stdout and "fix:   start the agent" in done.stdout
    eventually(lambda: healthy(net), timeout=10, what="repaired")


def test_a_small_path_mtu_is_measured(net: Cluster) -> None:
    port = link_of(net, "node-2")
    in_router(net, "ip", "link", "set", port, "mtu", "1300")
    try:
        found = check_once(net)
    finally:
        in_router(net, "ip", "link", "set", port, "mtu", "1500")
    assert {f.code for f in found.findings} == {"mtu-too-big"}
    passed = re.search(r"(\d+) bytes pass", found.findings[0].cause)
    assert passed and 1240 <= int(passed[1]) <= 1260, found.findings


def wake(net: Cluster) -> None:
    """Make every flannel reconcile."""
    path = net_conf_path(net.layout)
    path.write_text(path.read_text())


def test_wrong_interface_is_named(net: Cluster) -> None:
    """A second interface takes the default route; flannel follows it to a segment without other nodes."""
    gateway = words(net)["GATEWAY"]
    steps = (
        "link add eth1 type veth peer name eth1p",
        "addr add 198.51.100.5/24 dev eth1",
        "link set eth1 up",
        "link set eth1p up",
        f"route add {net.layout.underlay_v4} via {gateway}",
        "route replace default dev eth1",
    )
    try:
        for step in steps:
            net.in_node("node-1", "ip", *step.split())
        wake(net)
        eventually(lambda: "198.51.100.5" in net.cli("network", "show", "--name", net.name), what="flannel takes eth1")
        found = check_once(net)
    finally:
        for step in (f"route replace default via {gateway}", f"route del {net.layout.underlay_v4}", "link del eth1"):
            net.in_node("node-1", "ip", *step.split())
        wake(net)
    assert {f.code for f in faults(found.findings)} == {"wrong-interface"}, found.findings
    eventually(lambda: healthy(net), timeout=15, what="healthy again")


def test_switching_loses_nothing(net: Cluster) -> None:
    """vxlan, host-gw, udp, vxlan with DirectRouting, vxlan, during ping and a TCP transfer; nothing is left over."""
    target = ip_of(net, "b")
    source, sink = (
        pod_namespace(net.layout, node, ip_of(net, pod)) for node, pod in (("node-1", "a"), ("node-2", "b"))
    )
    assert source and sink
    before = net.in_node("node-1", "ip", "-br", "link")
    ping = subprocess.Popen(
        ["nsenter", f"--net={source}", "ping", "-q", "-i", "0.01", target], stdout=subprocess.PIPE, text=True
    )
    try:
        with Transfer(source, sink, target) as transfer:
            for request in (["host-gw"], ["udp"], ["vxlan", "--option", "DirectRouting=true"], ["vxlan"]):
                text = net.cli("network", "set-backend", *request, "--name", net.name)
                assert "node-1: done" in text and "node-2: done" in text
                code, found = query(net, "network", "check")
                assert (code, found["findings"]) == (0, [])
    finally:
        ping.send_signal(signal.SIGINT)
        report = ping.communicate(timeout=10)[0]
    sent, received = map(int, re.search(r"(\d+) packets transmitted, (\d+) received", report).groups())  # type: ignore[union-attr]
    assert sent > 500 and sent - received <= 1, report  # one may have been in flight when ping was stopped
    assert transfer.intact and transfer.stall < 1.0, transfer
    assert net.in_node("node-1", "ip", "-br", "link") == before
    assert net.in_node("node-1", "ip", "route", "show", "proto", "70").count("\n") == 1


def test_invalid_requests_are_refused(net: Cluster) -> None:
    for request, message in (
        (["ipoac"], "Backend.Type must be one of"),
        (["vxlan", "--option", "DirectRoutng=true"], "no option 'DirectRoutng'"),
        (["vxlan", "--option", "VNI=99999999"], "Backend.VNI must"),
        (["vxlan", "--option", "VNI"], "not KEY=VALUE"),
    ):
        assert message in refusal(net, "network", "set-backend", *request)
    done = run_raw([*PYBERNETES, "network", "set-backend", "ipoac", "--name", net.name], env=net.env)
    assert done.returncode == 1 and done.stderr.startswith("pybernetes: Backend.Type must be"), done.stderr
    assert healthy(net)


def test_trace_names_the_object_behind_each_hop(net: Cluster) -> None:
    web = net.kubectl()("get", "pod", "-l", "app=web", "-o", "jsonpath={.items[0].status.podIP}")
    code, found = query(net, "trace", "a", "web")
    reasons = "\n".join(hop["why"] for hop in found["paths"][0]["hops"])
    text = "\n".join(hop["what"] for hop in found["paths"][0]["hops"])
    assert code == 0 and found["arrives"]
    assert f"destination becomes {web}:8080" in text and "source stays" in text and "UDP 8472 VNI 1" in text
    for part in ("Service default/web", "EndpointSlice web-", "lease of node-2", "port of default/web-"):
        assert part in reasons, reasons


@pytest.mark.parametrize(
    ("target", "break_it", "where", "why"),
    [
        ("unused", [], "reject", "no ready endpoints"),
        ("b", ["ip", "route", "del", "SUBNET"], "no route to", "lease of node-2"),
        ("b", ["bridge", "fdb", "del", "MAC", "dev", "flannel.1", "dst", "PUBLIC"], "no FDB entry", "lease of node-2"),
        ("web", ["nft", "delete", "table", "ip", "kube-proxy"], "no rule for", "has no rule for Service default/web"),
    ],
)
def test_trace_marks_the_hop_where_the_packet_is_lost(
    net: Cluster, target: str, break_it: list[str], where: str, why: str
) -> None:
    known = words(net)
    with agent_stopped(net, "node-1"):
        if break_it:
            net.in_node("node-1", *(known.get(word, word) for word in break_it))
        code, found = query(net, "trace", "a", target)
    last = found["paths"][0]["hops"][-1]
    assert code == 1 and not found["arrives"] and last["state"] == "lost"
    assert where in last["what"] and why in last["why"], last
    eventually(lambda: query(net, "trace", "a", "web")[0] == 0, timeout=75, what="the agent repairs it")


def test_why(net: Cluster) -> None:
    container = {"name": "main", "image": "x", "resources": {"requests": {"cpu": "1000"}}}
    net.kubectl().apply(shell_pod("huge", containers=[container]))
    _, found = query(net, "why", "huge")
    assert "none of 2 nodes is feasible" in found["summary"]
    assert {(n["name"], n["refusedBy"], tuple(n["reasons"])) for n in found["nodes"]} == {
        (node, "NodeResourcesFit", ("Insufficient cpu",)) for node in TWO
    }
    eventually(lambda: any("FailedScheduling" in e for e in query(net, "why", "huge")[1]["events"]), what="its event")
    pod = net.kubectl()("get", "pod", "-l", "app=web", "-o", "jsonpath={.items[0].metadata.name}")
    text = net.cli("why", pod, "--name", net.name)
    assert "is on node-2" in text and "node-2 *" in text and "NodeResourcesFit" in text and "as of now" in text
    net.kubectl()("delete", "pod", "huge", "--wait=false")


def test_unknown_names_are_reported(net: Cluster) -> None:
    for args, message in (
        (["trace", "missing-pod", "web"], "there is no pod default/missing-pod"),
        (["trace", "a", "nothing.at.all"], "is not an address, and namespace 'default' has no Service or pod"),
        (["trace", "a", "web", "--port", "x"], "is not a port"),
        (["why", "missing-pod"], "there is no pod default/missing-pod"),
    ):
        assert message in refusal(net, *args)
