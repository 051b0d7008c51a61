"""The demonstration behind `make demo`: a cluster, an application, and a request that crosses nodes.

It prints only what it observes, and ends with an error otherwise. It can be run repeatedly.
"""

import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

HERE = Path(__file__).resolve().parent
CLUSTER = os.environ.get("PYBERNETES_DEMO_CLUSTER", "demo")
PYBERNETES = [sys.executable, "-m", "pybernetes.cli.main"]
REQUESTS = 12


def run(argv: list[str], *, check: bool = True) -> str:
    """A program's output. If it fails, the demonstration ends with its error."""
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    if check and done.returncode:
        fail(f"{' '.join(argv)}\n{done.stderr.strip() or done.stdout.strip()}")
    return done.stdout


def fail(text: str) -> NoReturn:
    """End with exit code 1."""
    print(f"\nThe demonstration failed: {text}", file=sys.stderr)
    sys.exit(1)


class Kubectl:
    """kubectl for the demonstration's cluster."""

    def __init__(self, kubeconfig: str) -> None:
        self._base = ["kubectl", "--kubeconfig", kubeconfig]

    def __call__(self, *args: str, check: bool = True) -> str:
        return run([*self._base, *args], check=check)

    def json(self, *args: str) -> Any:
        """A `get` as JSON."""
        return json.loads(self(*args, "-o", "json"))


def step(text: str, work: Callable[[], Any]) -> Any:
    """Run a step and print its duration."""
    print(f"==> {text} ", end="", flush=True)
    start = time.monotonic()
    result = work()
    print(f"({time.monotonic() - start:.1f} s)")
    return result


def show(text: str) -> None:
    """Indented output."""
    for line in text.rstrip().splitlines():
        print(f"    {line}")


def ask(kubectl: Kubectl) -> dict[str, str]:
    """Send a request from the client pod to the Service by its DNS name; returns the server and the client it saw."""
    out = kubectl("exec", "client", "--", "wget", "-qO-", "http://hello.default.svc.cluster.local/")
    return dict(line.split(": ", 1) for line in out.strip().splitlines())


def ask_until_every_node(kubectl: Kubectl) -> list[dict[str, str]]:
    """Send requests until servers on all nodes have responded."""
    answers: list[dict[str, str]] = []
    while len(answers) < REQUESTS or (len({a["node"] for a in answers}) < 3 and len(answers) < 60):
        answers.append(ask(kubectl))
    return answers


def in_node(node: str, *argv: str) -> str:
    """Run a command in a node's network namespace."""
    return run(["nsenter", f"--net=/run/netns/pybernetes-{CLUSTER}.{node}", *argv])


def packet_path(kubectl: Kubectl, target_ip: str, client_node: str) -> None:
    """What the client's node does with a packet to another node's pod: route, neighbour, FDB entry, outer address."""
    route = in_node(client_node, "ip", "route", "get", target_ip).splitlines()[0].strip()
    show(f"route          {route}")
    via = re.search(r"via (\S+) dev (flannel\S*)", route)
    if via is None:
        fail(f"the route to {target_ip} does not lead into the tunnel: {route}")
    gateway, device = via.groups()
    neighbour = in_node(client_node, "ip", "neigh", "show", gateway, "dev", device).strip()
    show(f"neighbour      {neighbour}")
    mac = neighbour.split("lladdr ")[1].split()[0]
    entries = in_node(client_node, "bridge", "fdb", "show", "dev", device)
    entry = next((line for line in entries.splitlines() if line.startswith(mac)), None)
    if entry is None:
        fail(f"no FDB entry for {mac} on {device}")
    show(f"FDB entry      {entry.strip()}")
    outer = entry.split("dst ")[1].split()[0]
    nodes = {
        a["address"]: n["metadata"]["name"]
        for n in kubectl.json("get", "nodes")["items"]
        for a in n["status"]["addresses"]
    }
    show(f"outer address  {outer} ({nodes.get(outer, 'unknown')})")


def main() -> None:
    """Run the demonstration."""
    print(f"==> a cluster of three nodes named {CLUSTER}")
    if subprocess.run([*PYBERNETES, "up", "--name", CLUSTER, "--nodes", "3"], check=False).returncode:
        fail("`pybernetes up` did not succeed")
    kubectl = Kubectl(run([*PYBERNETES, "kubeconfig", "--name", CLUSTER, "--path"]).strip())
    show(kubectl("get", "nodes", "-o", "wide"))
    step("kubectl apply -f examples/hello/", lambda: kubectl("apply", "-f", str(HERE / "hello.yaml")))
    step("rollout", lambda: kubectl("rollout", "status", "deployment/hello", "--timeout=90s"))
    step("client pod", lambda: kubectl("wait", "--for=condition=Ready", "pod/client", "--timeout=60s"))
    show(kubectl("get", "pods", "-o", "wide"))
    pods = {p["metadata"]["name"]: p for p in kubectl.json("get", "pods")["items"]}
    nodes = {p["spec"]["nodeName"] for name, p in pods.items() if name.startswith("hello-")}
    if len(nodes) != 3:
        fail(f"the three servers are on {len(nodes)} node(s): {', '.join(sorted(nodes))}")
    answers = step(
        "requests from the client to http://hello.default.svc.cluster.local/", lambda: ask_until_every_node(kubectl)
    )
    client = pods["client"]
    client_ip, client_node = client["status"]["podIP"], client["spec"]["nodeName"]
    for node in sorted(nodes):
        mine = [a for a in answers if a["node"] == node]
        if not mine:
            fail(f"no answer came from {node} in {len(answers)} requests")
        show(f"{len(mine):2} answered by {mine[0]['pod']} on {node}, which saw the caller as {mine[0]['client']}")
    seen = {a["client"] for a in answers if a["node"] != client_node}
    if seen != {client_ip}:
        fail(f"pods on other nodes saw {', '.join(sorted(seen))} instead of the client's own address {client_ip}")
    show(f"the client's own address is {client_ip}: no address translation on the path")
    far = next(p for name, p in pods.items() if name.startswith("hello-") and p["spec"]["nodeName"] != client_node)
    far_ip = far["status"]["podIP"]
    print(
        f"==> the path of a packet from client ({client_node}) to {far['metadata']['name']} ({far['spec']['nodeName']})"
    )
    packet_path(kubectl, far_ip, client_node)
    print(
        f"""
The cluster keeps running, and kubectl uses its context. Try:
    kubectl get pods -A -o wide
    kubectl scale deployment hello --replicas=6
    kubectl exec -it client -- sh
    .venv/bin/pybernetes status --name {CLUSTER}
    .venv/bin/pybernetes down --name {CLUSTER}"""
    )


if __name__ == "__main__":
    main()
