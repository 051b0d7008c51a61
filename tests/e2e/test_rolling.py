"""A rolling update and a scale down without a failed request: over every path to a Service, from every node."""

from collections.abc import Iterator

import pytest

from e2e.conftest import LATEST, NODES, Cluster, Kubectl, eventually, hello, node_address, own_cluster, rolled, service
from e2e.traffic import Traffic, ways_to


def roll_and_scale_under_load(kubectl: Kubectl) -> None:
    """Two updates and a scale down from six to two, and not one failed request meanwhile."""
    kubectl.apply(hello(replicas=3), service(type="NodePort"))
    rolled(kubectl)
    with Traffic(kubectl, NODES, ways_to(kubectl, "web", node_address(kubectl, "node-2"))) as traffic:
        kubectl("set", "image", "deployment/web", f"web={LATEST}")
        rolled(kubectl)
        answered = traffic.check()
        assert len(answered) >= 5, f"old and new pods were to answer: {answered}"
        kubectl("scale", "deployment/web", "--replicas=6")
        rolled(kubectl)
        kubectl("scale", "deployment/web", "--replicas=2")
        kubectl("wait", "--for=jsonpath={.status.replicas}=2", "deployment/web", "--timeout=30s")
        kubectl("rollout", "undo", "deployment/web")
        rolled(kubectl)
        traffic.check(least=20)
        # Check the check: real failures are counted.
        kubectl("scale", "deployment/web", "--replicas=0")
        eventually(lambda: all(tally.failures for tally in traffic.tallies()), what="failures with no server")


def test_no_request_is_lost(kubectl: Kubectl) -> None:
    roll_and_scale_under_load(kubectl)


@pytest.fixture
def with_iptables(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """A cluster with Services in iptables."""
    with own_cluster("e2e-ipt", tmp_path_factory.mktemp("ipt"), "--proxy-mode", "iptables") as made:
        yield made


def test_no_request_is_lost_with_iptables(with_iptables: Cluster) -> None:
    roll_and_scale_under_load(with_iptables.kubectl())
