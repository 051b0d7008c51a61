"""Faults injected into a running cluster, on every backend that this kernel has: `network check` reports each one.

Those of vxlan are in `test_network_commands.py`. Here one cluster starts with bgp and switches to host-gw and udp.
"""

import json
from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import dataclass

import pytest

from e2e.conftest import Cluster, eventually, own_cluster, run, shell_pod
from e2e.insight import agent_stopped, check_once
from pybernetes.insight.check import Checked
from pybernetes.insight.gather import read_config

NOTE = "flannel.alpha.coreos.com/public-ip"


@pytest.fixture(scope="module")
def net(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """Two nodes with a pod on each; the backend is bgp."""
    with own_cluster("net-faults", tmp_path_factory.mktemp("faults"), "--nodes", "2", "--backend", "bgp") as made:
        pods(made)
        yield made


def pods(net: Cluster) -> None:
    """One pod per node, Ready."""
    kubectl = net.kubectl()
    eventually(lambda: kubectl.raw("get", "sa", "default").returncode == 0, what="default service account")
    kubectl.apply(shell_pod("a", "node-1"), shell_pod("b", "node-2"))
    kubectl.wait("pod/a")
    kubectl.wait("pod/b")


def talk(net: Cluster) -> str:
    """Ping from pod to pod until it works; returns the target's address."""
    kubectl = net.kubectl()
    target = kubectl("get", "pod", "b", "-o", "jsonpath={.status.podIP}")
    ping = ("exec", "a", "--", "ping", "-c", "3", "-w", "10", target)
    eventually(lambda: " 0% packet loss" in kubectl(*ping), what="pods talk")
    return target


def healthy(net: Cluster) -> bool:
    found = check_once(net)
    assert not found.findings, found.findings
    return True


@dataclass(frozen=True)
class Fault:
    """Shell commands to run on node-1, the codes that `check` must report, and how to undo it."""

    steps: str
    codes: frozenset[str]
    undo: str = ""
    halt: bool = True
    backends: tuple[str, ...] = ()


def fault(backends: str, steps: str, codes: str, undo: str = "", *, halt: bool = True) -> Fault:
    return Fault(steps, frozenset(codes.split()), undo, halt, tuple(backends.split()))


def drop(hook: str, what: str) -> str:
    chain = f"add chain inet pbt c {{ type filter hook {hook} priority 0; }}"
    return f"nft 'add table inet pbt; {chain}; add rule inet pbt c {what} drop'"


ANNOTATE = "kubectl --kubeconfig KUBECONFIG annotate --overwrite node node-1"
PASS = "nft delete table inet pbt"
FIREWALL = "nft 'add table inet pbt; add chain inet pbt c { type filter hook forward priority 0; policy drop; }'"

FAULTS = {
    "BIRD killed": fault("bgp", "kill -9 $(cat BIRD/bird.pid)", "bird-stopped"),
    "port 179 blocked": fault(
        "bgp",
        f"{drop('input', 'tcp dport 179')}; nft add rule inet pbt c tcp sport 179 drop; "
        "birdc -s BIRD/bird.ctl restart all",
        "session-down",
        PASS,
    ),
    "wrong AS": fault(
        "bgp",
        "cp BIRD/bird.conf BIRD/kept; sed -i '/local /s/ as 64512/ as 64999/' BIRD/bird.conf; "
        "birdc -s BIRD/bird.ctl configure",
        "as-wrong",
        "mv BIRD/kept BIRD/bird.conf; birdc -s BIRD/bird.ctl configure",
    ),
    "forwarding off": fault(
        "bgp host-gw udp", "sysctl -qw net.ipv4.ip_forward=0", "forwarding-off", "sysctl -qw net.ipv4.ip_forward=1"
    ),
    "address overlap": fault(
        "bgp host-gw udp",
        "ip addr add 10.244.200.1/24 dev eth0",
        "address-overlap",
        "ip addr del 10.244.200.1/24 dev eth0",
    ),
    "firewall in nftables": fault("bgp host-gw udp", FIREWALL, "forward-drop", PASS),
    "policy of Docker": fault(
        "host-gw",
        "iptables -P FORWARD DROP",
        "forward-drop",
        "iptables -P FORWARD ACCEPT",
    ),
    "early masquerading": fault(
        "host-gw",
        "iptables -t nat -A POSTROUTING -s 10.244.0.0/16 -j MASQUERADE",
        "source-changed",
        "iptables -t nat -F POSTROUTING",
    ),
    "rules flushed": fault("bgp host-gw", "nft flush table ip flannel-ipv4", "rules-missing"),
    "route removed": fault("host-gw", "ip route del SUBNET", "route-missing"),
    "route with wrong gateway": fault(
        "host-gw", "ip route replace SUBNET via GATEWAY dev eth0 proto 70", "route-wrong"
    ),
    "route shadowed": fault("host-gw", "ip route add HALF via GATEWAY", "route-shadowed", "ip route del HALF"),
    "pods' addresses blocked in between": fault(
        "host-gw bgp", drop("postrouting", "oifname eth0 ip saddr 10.244.0.0/16"), "direct-blocked", PASS
    ),
    "pods' addresses blocked at the end": fault(
        "host-gw bgp udp", drop("input", "ip saddr 10.244.0.0/16"), "filtered", PASS
    ),
    "smaller MTU": fault("host-gw", "ip link set eth0 mtu 1400", "mtu-too-big", "ip link set eth0 mtu 1500"),
    "jumbo MTU on one node": fault(
        "host-gw", "ip link set eth0 mtu 9000", "mtu-too-big", "ip link set eth0 mtu 1500", halt=False
    ),
    "two nodes with one MAC": fault(
        "host-gw", "ip link set eth0 address MAC", "mac-duplicate", "ip link set eth0 address OWN"
    ),
    "public address wrong": fault(
        "host-gw bgp",
        f"{ANNOTATE} {NOTE}=203.0.113.9",
        "wrong-interface",
        f"{ANNOTATE} {NOTE}=HERE",
    ),
    "bridge without its address": fault(
        "host-gw",
        "ip addr flush dev cni0; ip addr add 10.244.99.1/24 dev cni0",
        "gateway-missing",
        "ip addr del 10.244.99.1/24 dev cni0",
    ),
    "bridge filter off": fault(
        "host-gw",
        "sysctl -qw net.bridge.bridge-nf-call-iptables=0",
        "bridge-filter-off",
        "sysctl -qw net.bridge.bridge-nf-call-iptables=1",
    ),
    "strict rp_filter": fault(
        "host-gw",
        "sysctl -qw net.ipv4.conf.all.rp_filter=1 net.ipv4.conf.eth0.rp_filter=1",
        "rp-filter-strict",
        "sysctl -qw net.ipv4.conf.all.rp_filter=2 net.ipv4.conf.eth0.rp_filter=2",
    ),
    "interface down": fault(
        "host-gw bgp", "ip link set eth0 down", "underlay-down", "ip link set eth0 up; ip route add default via GATEWAY"
    ),
    "agent agent_stopped": fault("udp", "true", "agent-stopped"),
    "TUN removed": fault("udp", "ip link del flannel0", "agent-stopped link-missing"),
    "port 8285 blocked": fault("udp", drop("input", "udp dport 8285"), "port-blocked", PASS, halt=False),
}
#: Grouped by backend, so that the backend changes only twice.
CASES = [
    (backend, name) for backend in ("bgp", "host-gw", "udp") for name, f in FAULTS.items() if backend in f.backends
]


def substitute(net: Cluster, script: str) -> str:
    """Replace the words in capitals by their values."""
    kubectl = net.kubectl()
    one, two = (kubectl.json("get", "node", node) for node in ("node-1", "node-2"))
    subnet = two["spec"]["podCIDR"]
    here = one["status"]["addresses"][0]["address"]
    macs = [
        json.loads(net.in_node(node, "ip", "-j", "link", "show", "eth0"))[0]["address"] for node in ("node-1", "node-2")
    ]
    words = {
        "SUBNET": subnet,
        "HALF": f"{subnet.partition('/')[0]}/25",
        "GATEWAY": here.rpartition(".")[0] + ".1",
        "HERE": here,
        "OWN": macs[0],
        "MAC": macs[1],
        "BIRD": str(net.layout.node("node-1").subnet_env.parent / "bird"),
        "KUBECONFIG": str(net.kubeconfig),
    }
    for word, value in words.items():
        script = script.replace(word, value)
    return script


def act(net: Cluster, script: str) -> None:
    """Run on node-1 or, for commands to the API, on the host."""
    if script.startswith("kubectl"):
        run(["sh", "-c", script])
    else:
        net.in_node("node-1", "sh", "-c", script)


def settle(net: Cluster, backend: str) -> None:
    """Switch to a backend and wait until the cluster is healthy."""
    if read_config(net.layout).backend != backend:
        net.cli("network", "set-backend", backend, "--name", net.name)
        eventually(lambda: healthy(net), what=f"healthy with {backend}")


def test_up_with_bgp(net: Cluster) -> None:
    """Pods talk, and the trace names the node that announced the route."""
    assert read_config(net.layout).backend == "bgp"
    target = talk(net)
    eventually(lambda: healthy(net), what="no fault")
    trace = net.cli("trace", "a", target, "--name", net.name)
    assert "announced by node-2" in trace, trace


@pytest.mark.parametrize(("backend", "name"), CASES)
def test_every_fault_is_named(net: Cluster, backend: str, name: str) -> None:
    settle(net, backend)
    made = FAULTS[name]
    steps, undo = substitute(net, made.steps), substitute(net, made.undo)
    # With udp the agent itself carries the packets.
    halt = made.halt and (backend != "udp" or "agent-stopped" in made.codes)

    def named() -> Checked:
        found = check_once(net)
        codes = {f.code for f in found.findings} - ({"agent-stopped"} - made.codes)
        assert codes == made.codes, found.findings
        return found

    with agent_stopped(net, "node-1") if halt else nullcontext():
        try:
            act(net, steps)
            found = eventually(named, what=name)
        finally:
            if undo:
                act(net, undo)
    assert all("node-1" in (f.node, f.peer) and f.cause and f.fix for f in found.findings)
    eventually(lambda: healthy(net), timeout=60, what=f"repaired after: {name}")


def test_udp_still_carries_pods(net: Cluster) -> None:
    settle(net, "udp")
    assert talk(net)


def test_up_with_udp(tmp_path_factory: pytest.TempPathFactory) -> None:
    """A new cluster, with its own UDP port."""
    shape = ["--nodes", "2", "--backend", "udp", "--backend-option", "Port=8286"]
    with own_cluster("net-udp", tmp_path_factory.mktemp("udp"), *shape) as made:
        pods(made)
        target = talk(made)
        eventually(lambda: healthy(made), what="no fault")
        assert "8286" in run(["nsenter", f"--net={made.layout.node('node-1').netns_path}", "ss", "-lunH"])
        trace = made.cli("trace", "a", target, "--name", made.name)
        assert "flannel0: the agent sends it over UDP" in trace and "port 8286" in trace
        made.cli("network", "set-backend", "alloc", "--name", made.name)
        assert healthy(made), "with alloc another program carries the packets: nothing to report"
        way = "ip route replace $SUBNET via $PUBLIC_IP proto 99"
        made.cli("network", "set-backend", "extension", "--option", f"SubnetAddCommand={way}", "--name", made.name)
        talk(made)
        eventually(lambda: healthy(made), what="no fault with custom commands")
