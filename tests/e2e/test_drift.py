"""What another program deletes in a node's kernel is restored within seconds, and pods talk again."""

import time
from collections.abc import Callable, Iterator

import pytest

from e2e.conftest import (
    NODES,
    Cluster,
    Kubectl,
    eventually,
    hello,
    node_address,
    own_cluster,
    rolled,
    service,
    shell_pod,
)
from e2e.traffic import ways_to

PATIENCE = 3.0
NODE = "node-1"


@pytest.fixture(scope="module")
def mine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """Three nodes with a server and a client on each."""
    with own_cluster("e2e-drift", tmp_path_factory.mktemp("drift")) as made:
        kubectl = made.kubectl()
        spread = {
            "maxSkew": 1,
            "topologyKey": "kubernetes.io/hostname",
            "whenUnsatisfiable": "DoNotSchedule",
            "labelSelector": {"matchLabels": {"app": "web"}},
        }
        kubectl.apply(hello(replicas=3, topologySpreadConstraints=[spread]), service(type="NodePort"))
        kubectl.apply(*(shell_pod(f"client-{node}", node) for node in NODES))
        rolled(kubectl)
        for node in NODES:
            kubectl.wait(f"pod/client-{node}")
        yield made


def facts(cluster: Cluster, node: str) -> dict[str, set[str]]:
    """The kernel objects of the pod network and Services on a node, without counters and ages."""
    lines = {
        "routes": ("ip", "route", "show"),
        "fdb": ("bridge", "fdb", "show", "dev", "flannel.1"),
        "neighbours": ("ip", "neigh", "show", "dev", "flannel.1", "nud", "permanent"),
        "addresses": ("ip", "-br", "addr", "show"),
        "tables": ("nft", "list", "tables"),
        "rules": ("nft", "-s", "list", "ruleset"),
    }
    found = {}
    for name, argv in lines.items():
        shown = cluster.in_node(node, *argv).splitlines()
        # The name and address of a pod's veth change with each start.
        found[name] = {" ".join(line.split()) for line in shown if not line.startswith("veth")}
    return found


def talks(kubectl: Kubectl, urls: list[str]) -> None:
    """The client on the damaged node and one on another node get a response from every URL."""
    script = " && ".join(f"timeout 1 wget -qO- {url} >/dev/null" for url in urls)
    for node in NODES[:2]:
        kubectl("exec", f"client-{node}", "--", "sh", "-c", script)


def heals(cluster: Cluster, harm: Callable[[], object], *, same: tuple[str, ...]) -> float:
    """Damage a node, and wait until everything is as before and pods talk again. Returns the seconds it took."""
    kubectl = cluster.kubectl()
    pods = kubectl.json("get", "pods", "-l", "app=web")["items"]
    urls = [f"http://{pod['status']['podIP']}:8080/" for pod in pods]
    urls += ways_to(kubectl, "web", node_address(kubectl, NODE)).values()
    talks(kubectl, urls)
    before = facts(cluster, NODE)
    harm()
    start = time.monotonic()

    def repaired() -> bool:
        now = facts(cluster, NODE)
        missing = {kind: before[kind] - now[kind] for kind in same if before[kind] - now[kind]}
        assert not missing, missing
        return True

    eventually(repaired, timeout=PATIENCE, what="the kernel is as before")
    took = time.monotonic() - start
    eventually(lambda: talks(kubectl, urls) is None, timeout=PATIENCE, what="pods talk")
    return took


class TestPodNetwork:
    """Kernel objects of flannel."""

    def test_routes(self, mine: Cluster) -> None:
        routes = [
            line.split()[0] for line in mine.in_node(NODE, "ip", "route", "show").splitlines() if "flannel.1" in line
        ]
        assert len(routes) == 2
        heals(mine, lambda: [mine.in_node(NODE, "ip", "route", "del", r) for r in routes], same=("routes",))

    def test_forwarding_entries(self, mine: Cluster) -> None:
        shown = mine.in_node(NODE, "bridge", "fdb", "show", "dev", "flannel.1").splitlines()
        macs = [line.split()[0] for line in shown if " dst " in line]
        assert len(macs) == 2
        heals(
            mine,
            lambda: [mine.in_node(NODE, "bridge", "fdb", "del", m, "dev", "flannel.1") for m in macs],
            same=("fdb",),
        )

    def test_neighbours(self, mine: Cluster) -> None:
        heals(
            mine,
            lambda: mine.in_node(NODE, "ip", "neigh", "flush", "dev", "flannel.1", "nud", "permanent"),
            same=("neighbours",),
        )

    @pytest.mark.parametrize("device", ["flannel.1", "cni0"])
    def test_links(self, mine: Cluster, device: str) -> None:
        heals(
            mine,
            lambda: mine.in_node(NODE, "ip", "link", "del", device),
            same=("routes", "addresses", "neighbours") if device == "cni0" else ("routes", "neighbours"),
        )

    @pytest.mark.parametrize("device", ["flannel.1", "cni0"])
    def test_links_that_are_down(self, mine: Cluster, device: str) -> None:
        heals(mine, lambda: mine.in_node(NODE, "ip", "link", "set", device, "down"), same=("routes",))

    def test_address_of_the_bridge(self, mine: Cluster) -> None:
        heals(
            mine, lambda: mine.in_node(NODE, "ip", "-4", "addr", "flush", "dev", "cni0"), same=("routes", "addresses")
        )


class TestRules:
    """nftables rules of flannel and of the proxy."""

    def test_every_table_alone(self, mine: Cluster) -> None:
        tables = [line.split()[1:] for line in mine.in_node(NODE, "nft", "list", "tables").splitlines()]
        assert len(tables) >= 2, tables
        for family, name in tables:
            heals(mine, lambda f=family, n=name: mine.in_node(NODE, "nft", "delete", "table", f, n), same=("rules",))

    def test_the_whole_ruleset(self, mine: Cluster) -> None:
        heals(mine, lambda: mine.in_node(NODE, "nft", "flush", "ruleset"), same=("tables", "rules"))

    def test_everything_at_once_on_every_node(self, mine: Cluster) -> None:
        def harm() -> None:
            for node in NODES:
                mine.in_node(node, "nft", "flush", "ruleset")
                mine.in_node(node, "ip", "link", "del", "flannel.1")
                mine.in_node(node, "ip", "link", "del", "cni0")

        heals(mine, harm, same=("tables", "rules", "routes"))
