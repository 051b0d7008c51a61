"""flanneld as a process with an API server: readiness, kill and restart, shutdown, and the effect of its flags."""

import json
import re
import signal
import subprocess
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from pybernetes.linux import netns

from .assembly import Assembly
from .objects import node
from .test_node_components import health, in_namespace

pytestmark = [pytest.mark.slow, pytest.mark.kernel]

PREFIX = "flannel.alpha.coreos.com"
PEER_MAC = "02:00:00:00:00:02"
PEER = {
    f"{PREFIX}/kube-subnet-manager": "true",
    f"{PREFIX}/backend-type": "vxlan",
    f"{PREFIX}/public-ip": "192.0.2.2",
    f"{PREFIX}/backend-data": json.dumps({"VNI": 1, "VtepMAC": PEER_MAC}),
}


@pytest.fixture
def peer() -> Iterator[str]:
    """The namespace of a second node, whose tunnel is set up by hand."""
    name = f"pbt-{uuid.uuid4().hex[:8]}"
    netns.create(name)
    yield name
    netns.delete(name)


@pytest.fixture
def assembly(tmp_path: Path, peer: str) -> Iterator[Assembly]:
    """All processes in the namespace of the first node, whose eth0 leads to the second."""
    name = f"pbt-{uuid.uuid4().hex[:8]}"
    netns.create(name)
    here, there = ["ip", "-n", name], ["ip", "-n", peer]
    for command, line in (
        (here, f"link add name eth0 type veth peer name eth0 netns {peer}"),
        (here, "link set dev lo up"),
        (here, "link set dev eth0 up"),
        (here, "addr add 192.0.2.1/24 dev eth0"),
        (there, "link set dev eth0 up"),
        (there, "addr add 192.0.2.2/24 dev eth0"),
        (
            there,
            f"link add flannel.1 address {PEER_MAC} type vxlan id 1 dstport 8472 local 192.0.2.2 dev eth0 nolearning",
        ),
        (there, "link set dev flannel.1 mtu 1450 up"),
        (there, "addr add 10.244.2.0/32 dev flannel.1"),
        (there, "route add 10.244.1.0/24 via 10.244.1.0 dev flannel.1 onlink"),
    ):
        subprocess.run([*command, *line.split()], check=True)
    made = Assembly(tmp_path, netns=name)
    yield made
    made.close()
    netns.delete(name)


def add_nodes(assembly: Assembly) -> None:
    for number, notes in ((1, {}), (2, PEER)):
        wanted = node(f"pbt-{number}")
        wanted["metadata"] |= {"annotations": notes}  # type: ignore[operator]  # a manifest
        wanted["spec"] = {"podCIDR": f"10.244.{number}.0/24", "podCIDRs": [f"10.244.{number}.0/24"]}
        assembly.apply(wanted)


def configure(assembly: Assembly, **keys: object) -> None:
    fresh = assembly.directory / "next"
    fresh.write_text(json.dumps({"Network": "10.244.0.0/16", "Backend": {"Type": "vxlan"}, **keys}))
    fresh.rename(assembly.directory / "net-conf.json")


def start(assembly: Assembly, *flags: str) -> None:
    assembly.start(
        "flanneld",
        "flanneld",
        "-kube-subnet-mgr",
        f"--kubeconfig-file={assembly.directory / 'flannel.conf'}",
        f"--net-config-path={assembly.directory / 'net-conf.json'}",
        f"--subnet-file={assembly.directory / 'subnet.env'}",
        "--iface=eth0",
        "--healthz-ip=127.0.0.1",
        "--healthz-port=10300",
        "--iptables-resync=1",
        *flags,
        env={"NODE_NAME": "pbt-1"},
    )


def ready(assembly: Assembly) -> bool:
    return health(assembly, 10300, "/readyz") == "ok"


def know_the_first_node(assembly: Assembly, peer: str) -> None:
    """Do what the second node's flanneld would do."""
    notes = json.loads(assembly.kubectl("get", "node", "pbt-1", "-o", "json"))["metadata"]["annotations"]
    mac = json.loads(notes[f"{PREFIX}/backend-data"])["VtepMAC"]
    for command in (
        f"ip neigh replace 10.244.1.0 lladdr {mac} dev flannel.1 nud permanent",
        f"bridge fdb replace {mac} dst 192.0.2.1 dev flannel.1 self permanent",
    ):
        subprocess.run(netns.argv_in(peer, command.split()), check=True)


def test_a_kill_and_restart_drops_no_packet(assembly: Assembly, peer: str) -> None:
    assembly.apiserver()
    add_nodes(assembly)
    start(assembly)
    assembly.wait("health", lambda: health(assembly, 10300) == "ok", "flanneld")
    assert not ready(assembly), "there is no config yet"
    configure(assembly)
    assembly.wait("readiness", lambda: ready(assembly), "flanneld")
    know_the_first_node(assembly, peer)
    ping = [*assembly.prefix, "ping", "-q", "-i", "0.01", "-W", "1"]
    with subprocess.Popen([*ping, "-c", "100000", "10.244.2.0"], stdout=subprocess.PIPE, text=True) as traffic:
        for _ in range(2):
            assembly.processes["flanneld"].kill()
            assembly.processes["flanneld"].wait()
            start(assembly)
            assembly.wait("readiness", lambda: ready(assembly), "flanneld")
        assert assembly.end("flanneld") < 10
        subprocess.run([*ping, "-c", "20", "10.244.2.0"], check=True, stdout=subprocess.DEVNULL)
        assert traffic.poll() is None, "it lasts longer than all that"
        traffic.send_signal(signal.SIGINT)
        out = traffic.communicate(timeout=30)[0]
    sent, answered = (int(number) for number in re.findall(r"(\d+) (?:packets transmitted|received)", out))
    assert answered >= sent - 1, f"one may be under way at the end: {out}"
    assert "flannel.1" in in_namespace(assembly, "ip", "route", "show", "10.244.2.0/24")
    log = assembly.log("flanneld")
    assert "link flannel.1 created" in log and log.count("link flannel.1 created") == 1
    assert log.count("Running backend.") == 3 and "removed" not in log


def test_effects_of_flags(assembly: Assembly) -> None:
    assembly.apiserver()
    add_nodes(assembly)
    configure(assembly)
    flags = ("--ip-masq", "--ip-masq-fully-random-disable", "--iptables-forward-rules=false", "--ip-blackhole-route")
    flags += ("--public-ip=192.0.2.111", "--set-node-network-unavailable=false")
    start(assembly, *flags, "-kube-annotation-prefix=other.example.com/second")
    assembly.wait("readiness", lambda: ready(assembly), "flanneld")
    saved = in_namespace(assembly, "iptables-save")
    assert "FLANNEL-POSTRTG" in saved and "--random-fully" not in saved and "FLANNEL-FWD" not in saved
    assert "blackhole 10.244.1.0/24" in in_namespace(assembly, "ip", "route")
    node = json.loads(assembly.kubectl("get", "node", "pbt-1", "-o", "json"))
    assert node["metadata"]["annotations"]["other.example.com/second-public-ip"] == "192.0.2.111"
    assert f"{PREFIX}/public-ip" not in node["metadata"]["annotations"]
    assert not in_namespace(assembly, "ip", "route", "show", "10.244.2.0/24"), "the other node has another prefix"
    assert not [c for c in node["status"].get("conditions", []) if c["type"] == "NetworkUnavailable"]
    assert "192.0.2.111 is not an address of this node but of a NAT (the node's own is 192.0.2.1)" in assembly.log(
        "flanneld"
    )
    listening = in_namespace(assembly, "ss", "-ltnH")
    assert "127.0.0.1:10300" in listening and "0.0.0.0:10300" not in listening

    # Repaired within the interval of --iptables-resync; then in nftables, at runtime.
    in_namespace(assembly, "iptables", "-t", "nat", "-F")
    assembly.wait(
        "the rules", lambda: in_namespace(assembly, "iptables-save").count("FLANNEL-POSTRTG") == 8, "flanneld"
    )
    configure(assembly, EnableNFTables=True)
    assembly.wait("nftables", lambda: "FLANNEL" not in in_namespace(assembly, "iptables-save"), "flanneld")
    rules = in_namespace(assembly, "nft", "list", "table", "ip", "flannel-ipv4")
    assert "masquerade" in rules and "fully-random" not in rules
    assert "hook forward" not in rules
    assert health(assembly, 10300) == "ok"
    assert "flannel_ready 1.0" in health(assembly, 10300, "/metrics")
