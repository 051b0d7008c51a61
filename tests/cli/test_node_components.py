"""Service proxy, flanneld, DNS server and kubelet as separate processes in one network namespace."""

import json
import subprocess
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from pybernetes.cluster.pki import node_subject
from pybernetes.linux import netns

from .assembly import Assembly
from .objects import node

pytestmark = [pytest.mark.slow, pytest.mark.kernel]

SERVICE = {
    "apiVersion": "v1",
    "kind": "Service",
    "metadata": {"name": "web", "namespace": "default"},
    "spec": {"clusterIP": "10.96.5.5", "ports": [{"name": "http", "port": 80, "targetPort": 8080}]},
}
SLICE = {
    "apiVersion": "discovery.k8s.io/v1",
    "kind": "EndpointSlice",
    "metadata": {"name": "web-1", "namespace": "default", "labels": {"kubernetes.io/service-name": "web"}},
    "addressType": "IPv4",
    "ports": [{"name": "http", "port": 8080, "protocol": "TCP"}],
    "endpoints": [{"addresses": ["10.244.0.7"], "conditions": {"ready": True}, "nodeName": "pbt-1"}],
}
NET_CONF = {"Network": "10.244.0.0/16", "Backend": {"Type": "host-gw"}}


@pytest.fixture
def assembly(tmp_path: Path) -> Iterator[Assembly]:
    """All processes in one namespace, which has a link with the address 192.0.2.1."""
    name = f"pbt-{uuid.uuid4().hex[:8]}"
    netns.create(name)
    for line in (
        "link set dev lo up",
        "link add name eth0 type veth peer name peer0",
        "link set dev eth0 up",
        "link set dev peer0 up",
        "addr add 192.0.2.1/24 dev eth0",
    ):
        subprocess.run(["ip", "-n", name, *line.split()], check=True)
    made = Assembly(tmp_path, netns=name)
    yield made
    made.close()
    netns.delete(name)


def in_namespace(assembly: Assembly, *argv: str) -> str:
    """The output of a program in the namespace."""
    return subprocess.run([*assembly.prefix, *argv], capture_output=True, text=True, check=True).stdout


def health(assembly: Assembly, port: int, path: str = "/healthz") -> str:
    """The response of a health port in the namespace; empty if there is none."""
    script = f"import urllib.request as u; print(u.urlopen('http://127.0.0.1:{port}{path}').read().decode())"
    argv = [*assembly.prefix, "python3", "-c", script]
    return subprocess.run(argv, capture_output=True, text=True, check=False).stdout.strip()


def test_flanneld_with_its_leases_in_etcd(assembly: Assembly) -> None:
    """Without Kubernetes: etcd in the same namespace, and the flags of Go flanneld."""
    data, env_file = assembly.directory / "etcd", assembly.directory / "subnet.env"
    url = "http://127.0.0.1:2379"
    etcd = subprocess.Popen(
        [*assembly.prefix, "etcd", f"--data-dir={data}"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        assembly.start(
            "flanneld",
            "flanneld",
            f"--etcd-endpoints=http://127.0.0.1:1,{url}",
            "--etcd-prefix=/pbt/network",
            "-subnet-lease-renew-margin=30",
            "--iface=eth0",
            "--ip-masq",
            f"--subnet-file={env_file}",
            "--healthz-port=10300",
        )
        assembly.wait("flanneld's health", lambda: health(assembly, 10300) == "ok", "flanneld")
        assert health(assembly, 10300, "/readyz") != "ok"
        config = json.dumps({"Network": "10.7.0.0/16", "Backend": {"Type": "vxlan"}})
        assembly.wait("etcd", lambda: "OK" in etcdctl(assembly, "put", "/pbt/network/config", config), "flanneld")
        assembly.wait("readiness", lambda: health(assembly, 10300, "/readyz") == "ok", "flanneld")
        assert "FLANNEL_NETWORK=10.7.0.0/16" in env_file.read_text()
        (key,) = etcdctl(assembly, "get", "--prefix", "--keys-only", "/pbt/network/subnets").split()
        value = json.loads(etcdctl(assembly, "get", "--print-value-only", key))
        assert (value["PublicIP"], value["BackendType"]) == ("192.0.2.1", "vxlan")
        assert assembly.end("flanneld") < 10
        assert "flannel.1" in in_namespace(assembly, "ip", "link"), "the data path stays"
    finally:
        etcd.kill()
        etcd.wait()


def etcdctl(assembly: Assembly, *words: str) -> str:
    """The output of etcdctl; empty while etcd does not respond."""
    argv = [*assembly.prefix, "env", "ETCDCTL_API=3", "etcdctl", "--dial-timeout=1s", "--command-timeout=2s", *words]
    return subprocess.run(argv, capture_output=True, text=True, check=False).stdout


def test_proxy_flanneld_and_dns_run_alone(assembly: Assembly) -> None:
    assembly.apiserver()
    add_node(assembly)
    assembly.apply(SERVICE, SLICE)
    assembly.start(
        "proxy",
        "proxy",
        f"--kubeconfig={assembly.directory / 'kube-proxy.conf'}",
        "--hostname-override=pbt-1",
        "--cluster-cidr=10.244.0.0/16",
        "--proxy-mode=nftables",
    )
    assembly.wait("the proxy's health", lambda: health(assembly, 10256) == "ok", "proxy")
    rules = in_namespace(assembly, "nft", "list", "ruleset")
    assert "10.96.5.5" in rules and "10.244.0.7" in rules
    assert "process_resident_memory_bytes" in health(assembly, 10249, "/metrics")

    conf, env_file = assembly.directory / "net-conf.json", assembly.directory / "subnet.env"
    conf.write_text(json.dumps(NET_CONF))
    assembly.start(
        "flanneld",
        "flanneld",
        "-kube-subnet-mgr",
        f"--kubeconfig-file={assembly.directory / 'flannel.conf'}",
        f"-net-config-path={conf}",
        "--ip-masq",
        "--iface=eth0",
        env={"NODE_NAME": "pbt-1", "FLANNELD_SUBNET_FILE": str(env_file), "FLANNELD_HEALTHZ_PORT": "10300"},
    )
    assembly.wait("flanneld's health", lambda: health(assembly, 10300, "/readyz") == "ok", "flanneld")
    assert "FLANNEL_SUBNET=10.244.0.1/24" in env_file.read_text() and "FLANNEL_IPMASQ=true" in env_file.read_text()
    annotations = assembly.kubectl("get", "node", "pbt-1", "-o", "jsonpath={.metadata.annotations}")
    assert '"flannel.alpha.coreos.com/public-ip":"192.0.2.1"' in annotations

    assembly.start(
        "dns",
        "dns",
        f"--kubeconfig={assembly.directory / 'kube-proxy.conf'}",
        "--bind-address=127.0.0.1",
        "--port=5353",
        "--forward=127.0.0.1:9",
    )
    assembly.wait("an answer", lambda: ask_dns(assembly, "web.default.svc.cluster.local") == "10.96.5.5", "dns")
    for name in ("dns", "flanneld", "proxy"):
        assert assembly.end(name) < 10
    # The data path stays when the daemons exit.
    assert "10.96.5.5" in in_namespace(assembly, "nft", "list", "ruleset")


def add_node(assembly: Assembly) -> None:
    """A Node with a subnet."""
    wanted = node("pbt-1")
    wanted["spec"] = {"podCIDR": "10.244.0.0/24", "podCIDRs": ["10.244.0.0/24"]}
    assembly.apply(wanted)


ASK = """
import socket, struct, sys
name = b"".join(bytes([len(p)]) + p for p in sys.argv[1].encode().split(b".")) + bytes(1)
query = struct.pack(">6H", 7, 256, 1, 0, 0, 0) + name + struct.pack(">2H", 1, 1)
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.settimeout(1)
s.sendto(query, ("127.0.0.1", 5353)); answer = s.recv(512)
print(socket.inet_ntoa(answer[-4:]))
"""


def ask_dns(assembly: Assembly, name: str) -> str:
    """The address of a name; empty without a response."""
    argv = [*assembly.prefix, "python3", "-c", ASK, name]
    return subprocess.run(argv, capture_output=True, text=True, check=False).stdout.strip()


def test_a_kubelet_runs_alone_and_registers_its_node(assembly: Assembly) -> None:
    assembly.apiserver()
    assembly.pki.ensure_certificate("nodes/pbt-k", node_subject("pbt-k"))
    conf = assembly.write_kubeconfig("nodes/pbt-k")
    assembly.start(
        "kubelet",
        "kubelet",
        f"--kubeconfig={conf}",
        "--hostname-override=pbt-k",
        "--node-ip=192.0.2.1",
        f"--root-dir={assembly.directory / 'kubelet'}",
        f"--pod-logs-dir={assembly.directory / 'logs'}",
        f"--container-runtime-endpoint=unix://{assembly.directory / 'none.sock'}",
        "--cgroups-per-qos=false",
        "--node-labels=disktype=ssd,tier=test",
        "--register-with-taints=dedicated=test:NoSchedule",
        "--max-pods=7",
        "--kube-reserved=cpu=100m",
        "--system-reserved=cpu=150m",
        "--port=0",
    )
    assembly.wait("the node", lambda: "pbt-k" in assembly.kubectl("get", "nodes", "-o", "name"), "kubelet")
    found = json.loads(assembly.kubectl("get", "node", "pbt-k", "-o", "json"))
    assert found["metadata"]["labels"]["disktype"] == "ssd" and found["metadata"]["labels"]["tier"] == "test"
    assert {"key": "dedicated", "value": "test", "effect": "NoSchedule"} in found["spec"]["taints"]
    assert found["status"]["capacity"]["pods"] == "7"
    assert health(assembly, 10248) == "ok"
    assert assembly.end("kubelet") < 10
