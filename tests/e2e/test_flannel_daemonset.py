"""examples/flannel/kube-flannel.yml on a cluster without a pod network: flanneld in containers, with its own account.

The nodes are like those of a stock cluster before a network is installed: no plugins, no configuration, not Ready.
"""

import copy
import json
import os
import re
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml

from e2e.conftest import Cluster, Kubectl, eventually, hello, own_cluster, shell_pod
from pybernetes.cluster.file_view import directories
from pybernetes.cluster.processes import scan

ROOT = Path(__file__).resolve().parents[2]
MANIFEST = ROOT / "examples/flannel/kube-flannel.yml"
NODES = ["node-1", "node-2"]
DAEMONS = "daemonset/kube-flannel-ds"


def documents() -> list[dict[str, Any]]:
    return list(yaml.safe_load_all(MANIFEST.read_text()))


def document(kind: str) -> dict[str, Any]:
    (found,) = [each for each in documents() if each["kind"] == kind]
    return found


@pytest.fixture(scope="module")
def bare(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """Two nodes without a pod network; the image is loaded."""
    folder = tmp_path_factory.mktemp("flannel")
    with own_cluster("e2e-flannel", folder, "--nodes", "2", "--backend", "none") as made:
        archive = str(folder / "flannel.tar")
        made.cli("image", "build", "--output", archive)
        made.cli("image", "load", archive, "--name", made.name)
        yield made


@pytest.fixture(scope="module")
def flannel(bare: Cluster) -> Kubectl:
    """kubectl for flannel's namespace, with the manifest applied, flannel running, and a pod per node."""
    unnetworked(bare)
    kubectl, its = bare.kubectl(), bare.kubectl("kube-flannel")
    its("apply", "-f", str(MANIFEST))
    up_again(its)
    kubectl.apply(*(shell_pod(f"on-{node}", node) for node in NODES), hello(replicas=2))
    for node in NODES:
        kubectl.wait(f"pod/on-{node}")
    return its


def unnetworked(cluster: Cluster) -> None:
    """Check the state before a network is installed."""
    kubectl = cluster.kubectl()
    for node in kubectl.json("get", "nodes")["items"]:
        (ready,) = [c for c in node["status"]["conditions"] if c["type"] == "Ready"]
        assert ready["status"] == "False" and "cni" in ready["message"].lower(), ready
        assert "node.kubernetes.io/not-ready" in {taint["key"] for taint in node["spec"]["taints"]}
    for node in NODES:
        own = directories(cluster.layout.node(node))
        assert [list(path.iterdir()) for place, path in own.items() if place != "/var/lib/cni"] == [[], [], []]


def up_again(kubectl: Kubectl) -> None:
    """Wait until the DaemonSet is rolled out and every node is Ready."""
    kubectl("rollout", "status", DAEMONS, "--timeout=120s", timeout=150)
    kubectl("wait", "--for=condition=Ready", "node", "--all", "--timeout=60s")


def pod_of(kubectl: Kubectl, node: str) -> str:
    """The name of flannel's pod on a node."""
    pods = [pod for pod in kubectl.json("get", "pods", "-l", "app=flannel")["items"] if pod["spec"]["nodeName"] == node]
    names = [pod["metadata"]["name"] for pod in pods if "deletionTimestamp" not in pod["metadata"]]
    assert len(names) == 1, names
    return names[0]


def tunnel_mac(cluster: Cluster, node: str) -> str:
    links = json.loads(cluster.in_node(node, "ip", "-j", "link", "show", "flannel.1"))
    return str(links[0]["address"])


@contextmanager
def unbroken(cluster: Cluster) -> Iterator[None]:
    """Send a hundred pings per second from the pod on the first node to the pod on the second; none may be lost."""
    kubectl = cluster.kubectl()
    source, target = (kubectl.json("get", "pod", f"on-{node}") for node in NODES)
    inside = [info.id.pid for info in scan() if source["metadata"]["uid"] in info.cgroups]
    command = ["nsenter", f"--net=/proc/{inside[0]}/ns/net", "ping", "-q", "-i", "0.01", target["status"]["podIP"]]
    ping = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    try:
        yield
    finally:
        ping.send_signal(signal.SIGINT)
        output, _ = ping.communicate(timeout=30)
    counts = re.search(r"(\d+) packets transmitted, (\d+) received", output)
    # The last one may have been in flight.
    assert counts is not None and 10 < int(counts[1]) <= int(counts[2]) + 1, output


def test_pods_on_two_nodes_talk_and_see_each_other(flannel: Kubectl, bare: Cluster) -> None:
    kubectl = bare.kubectl()
    kubectl("rollout", "status", "deployment/web", "--timeout=60s")
    servers = [pod["status"]["podIP"] for pod in kubectl.json("get", "pods", "-l", "app=web")["items"]]
    for node in NODES:
        own = kubectl.json("get", "pod", f"on-{node}")["status"]["podIP"]
        for server in servers:
            output = kubectl("exec", f"on-{node}", "--", "wget", "-qO-", f"http://{server}:8080/")
            assert f"client: {own}\n" in output
    for node in kubectl.json("get", "nodes")["items"]:
        conditions = {c["type"]: (c["status"], c.get("reason")) for c in node["status"]["conditions"]}
        assert conditions["NetworkUnavailable"] == ("False", "FlannelIsUp")
        assert node["metadata"]["annotations"]["flannel.alpha.coreos.com/backend-type"] == "vxlan"


def test_plugins_and_configuration_are_installed_on_the_node(flannel: Kubectl, bare: Cluster) -> None:
    for node in NODES:
        own = directories(bare.layout.node(node))
        written = json.loads((own["/etc/cni/net.d"] / "10-flannel.conflist").read_text())
        assert written == json.loads(document("ConfigMap")["data"]["cni-conf.json"])
        assert "FLANNEL_IPMASQ=true" in (own["/run/flannel"] / "subnet.env").read_text()
        names = {path.name for path in own["/opt/cni/bin"].iterdir() if not path.name.startswith(".")}
        assert {"flannel", "bridge", "host-local", "portmap", "loopback"} <= names
        assert ".pybernetes-" in (own["/opt/cni/bin"] / "bridge").read_text()


def test_the_rules_are_in_iptables_or_nftables_as_configured(flannel: Kubectl, bare: Cluster) -> None:
    for node in NODES:
        saved = bare.in_node(node, "iptables-save")
        assert saved.count("-j FLANNEL-POSTRTG") == saved.count("-j FLANNEL-FWD") == 1
        assert "flannel-ipv4" not in bare.in_node(node, "nft", "list", "tables")


def test_the_log_has_the_lines_of_go_flanneld(flannel: Kubectl) -> None:
    lines = flannel("logs", pod_of(flannel, "node-1"), "-c", "kube-flannel").splitlines()
    assert all(re.match(r"[IWE]\d{4} \d\d:\d\d:\d\d\.\d{6} +\d+ \w+\.\w+:\d+\] ", line) for line in lines), lines[0]
    text = "\n".join(lines)
    for words in (
        "Created subnet manager: Kubernetes Subnet Manager - node-1",
        "Found network config - Backend type: vxlan",
        "Wrote subnet file to /run/flannel/subnet.env",
        "Running backend.",
    ):
        assert words in text


def test_a_restart_of_all_daemons_loses_no_packet(flannel: Kubectl, bare: Cluster) -> None:
    before = [tunnel_mac(bare, node) for node in NODES]
    old = {pod_of(flannel, node) for node in NODES}
    with unbroken(bare):
        flannel("rollout", "restart", DAEMONS)
        up_again(flannel)
    assert not old & {pod_of(flannel, node) for node in NODES}
    assert [tunnel_mac(bare, node) for node in NODES] == before


def test_without_its_daemonset_the_data_path_stays(flannel: Kubectl, bare: Cluster) -> None:
    routes = bare.in_node("node-1", "ip", "route", "show")
    with unbroken(bare):
        flannel("delete", DAEMONS)
        eventually(
            lambda: not flannel("get", "pods", "-l", "app=flannel", "-o", "name"), what="flannel's pods are gone"
        )
        assert bare.in_node("node-1", "ip", "route", "show") == routes
        flannel("apply", "-f", str(MANIFEST))
        up_again(flannel)


def test_a_backend_changed_in_the_config_map_takes_effect_at_once(flannel: Kubectl, bare: Cluster) -> None:
    def configure(backend: str, device: str) -> None:
        patch = {"data": {"net-conf.json": json.dumps({"Network": "10.244.0.0/16", "Backend": {"Type": backend}})}}
        flannel("patch", "configmap", "kube-flannel-cfg", "--type=merge", "-p", json.dumps(patch))
        for node in NODES:
            way = re.compile(rf"^10\.244\.\d\.0/24 via .* dev {device} ", re.MULTILINE)
            # The kubelet updates mounted ConfigMaps at least once a minute.
            eventually(lambda node=node, way=way: way.search(bare.in_node(node, "ip", "route", "show")), timeout=120)

    with unbroken(bare):
        for backend, device in 2 * (("host-gw", "eth0"), ("vxlan", "flannel.1")):
            configure(backend, device)


def rules_without(resource: str, verb: str) -> list[dict[str, Any]]:
    rules = copy.deepcopy(document("ClusterRole")["rules"])
    for rule in rules:
        if resource in rule["resources"]:
            rule["verbs"].remove(verb)
    return [rule for rule in rules if rule["verbs"]]


#: The permissions on Nodes and Pods; the others only give more output.
NEEDED = [
    (what, verb)
    for rule in document("ClusterRole")["rules"]
    if rule["apiGroups"] == [""]
    for what in rule["resources"]
    for verb in rule["verbs"]
]


@pytest.mark.parametrize(("resource", "verb"), NEEDED)
def test_each_permission_is_needed(flannel: Kubectl, resource: str, verb: str) -> None:
    role = {"kind": "ClusterRole", "apiVersion": "rbac.authorization.k8s.io/v1", "metadata": {"name": "flannel"}}
    flannel.apply({**role, "rules": rules_without(resource, verb)})
    try:
        # flanneld writes a lease only if it changes.
        flannel("annotate", "node", "node-1", "flannel.alpha.coreos.com/public-ip-")
        flannel("delete", "pod", pod_of(flannel, "node-1"), "--wait=true")
        eventually(lambda: pod_of(flannel, "node-1"))

        def refused() -> bool:
            pod = pod_of(flannel, "node-1")
            output = flannel.raw("logs", pod, "-c", "kube-flannel").stdout
            output += flannel.raw("logs", pod, "-c", "kube-flannel", "--previous").stdout
            return f'cannot {verb} resource "{resource}"' in output

        eventually(refused, timeout=60, what=f"a complaint that {verb} of {resource} is forbidden")
    finally:
        flannel("apply", "-f", str(MANIFEST))
    flannel("delete", "pod", pod_of(flannel, "node-1"), "--wait=true")
    eventually(lambda: pod_of(flannel, "node-1"))
    up_again(flannel)
    eventually(lambda: "10.89." in flannel("get", "node", "node-1", "-o", "jsonpath={.metadata.annotations}"))


def test_nothing_else_is_granted(flannel: Kubectl) -> None:
    account = "system:serviceaccount:kube-flannel:flannel"
    review = flannel("auth", "can-i", "--list", "--as", account)
    rows = [line for line in review.splitlines()[1:] if not line.startswith((" ", "self"))]
    assert {(row.split()[0], row.split("[")[-1]) for row in rows} == {
        ("pods", "get]"),
        ("nodes", "list watch]"),
        ("nodes/status", "patch]"),
        ("networkpolicies.networking.k8s.io", "list]"),
        ("servicecidrs.networking.k8s.io", "list]"),
    }
    for verb, what in (("get", "secrets"), ("update", "nodes"), ("list", "pods"), ("create", "pods/exec")):
        assert flannel.raw("auth", "can-i", verb, what, "--as", account).stdout.strip() == "no"


def go_flannel_manifest() -> list[dict[str, Any]]:
    """The same objects with the values of Go flannel's manifest where they differ."""
    objects = documents()
    pod = objects[-1]["spec"]["template"]["spec"]
    plugin, conflist, daemon = *pod["initContainers"], pod["containers"][0]
    plugin.update(image="ghcr.io/flannel-io/flannel-cni-plugin:v1.8.0-flannel1", command=["cp"])
    plugin["args"] = ["-f", "/flannel", "/opt/cni/bin/flannel"]
    conflist["image"] = daemon["image"] = "ghcr.io/flannel-io/flannel:v0.27.4"
    daemon["args"] = ["--ip-masq", "--kube-subnet-mgr"]
    del daemon["livenessProbe"], daemon["readinessProbe"], daemon["securityContext"]["capabilities"]["drop"]
    daemon["resources"]["requests"] = {"cpu": "100m", "memory": "50Mi"}
    return objects


def test_it_replaces_go_flannels_manifest_in_place(flannel: Kubectl, bare: Cluster) -> None:
    """The image of Go flannel cannot be pulled here: its pods do not start, and pods talk nevertheless."""
    before = flannel.json("get", DAEMONS)["spec"]["template"]["spec"]
    with unbroken(bare):
        flannel("apply", "-f", "-", stdin=yaml.safe_dump_all(go_flannel_manifest()))
        theirs = flannel.json("get", DAEMONS)["spec"]["template"]["spec"]
        assert "readinessProbe" not in theirs["containers"][0]
        eventually(
            lambda: "flannel-io" in flannel("get", "pods", "-o", "jsonpath={.items[*].spec.containers[*].image}")
        )
        flannel("apply", "-f", str(MANIFEST))
        up_again(flannel)
    assert flannel.json("get", DAEMONS)["spec"]["template"]["spec"] == before


def test_the_commands_of_the_page(flannel: Kubectl, bare: Cluster, tmp_path: Path) -> None:
    """Run the commands of docs/tasks/from-go-flannel.md up to the way back, which needs the image of Go flannel."""
    page = (ROOT / "docs/tasks/from-go-flannel.md").read_text()
    part = page[page.index("## Kubernetes") : page.index("To go back,")]
    commands = re.findall(r"^ {4}(kubectl .*)$", part, re.MULTILINE)
    assert len(commands) == 8
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    for command in commands:
        done = subprocess.run(
            ["sh", "-c", command],
            capture_output=True,
            text=True,
            check=False,
            cwd=tmp_path,
            env={**os.environ, **bare.env},
        )
        assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"
        if "custom-columns" in command:
            assert re.search(r"^node-1 +10\.244\.\d\.0/24 +vxlan$", done.stdout, re.MULTILINE), done.stdout
    assert "net-conf.json" in (tmp_path / "kube-flannel-cfg.yml").read_text()
