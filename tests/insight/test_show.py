"""`network show`: its tables and its JSON document."""

import json

import pytest
import yaml

from insight import fakes
from pybernetes.insight import show
from pybernetes.insight.check import Checked, judge
from pybernetes.insight.facts import ClusterFacts
from pybernetes.insight.probe_result import PairProbe


def checked(facts: ClusterFacts, **lost: bool) -> Checked:
    """Results in which all pairs replied, except to the nodes in `lost` (`node_1`)."""
    names = [node.name for node in facts.nodes]
    probes = [
        PairProbe(
            src=src,
            dst=dst,
            path="tunnel",
            device="flannel.1",
            underlay=0.0001,
            pods=None if lost.get(dst.replace("-", "_")) else 0.0002,
            size=1450,
        )
        for src in names
        for dst in names
        if src != dst
    ]
    return Checked(facts, probes, judge(facts, probes))


def row(lines: list[str], start: str) -> list[str]:
    return next(line for line in lines if line.startswith(start)).split()


def test_nodes_and_paths() -> None:
    lines = show.tables(checked(fakes.cluster(nodes=3), node_2=True))
    assert row(lines, "NODE")[:3] == ["NODE", "SUBNET", "PUBLIC-IP"] and "DEVICES" not in lines[0]
    assert row(lines, "node-1") == [
        "node-1",
        "10.244.1.0/24",
        "192.0.2.11",
        "vxlan",
        "eth0",
        "1450",
        "1/2",
        "running",
        "yes",
    ]
    assert row(lines, "node-2")[6] == "2/2"
    assert row(lines, "node-1  node-2")[2:] == ["tunnel", "(flannel.1)", "unreachable", "-"]
    assert row(lines, "node-1  node-3")[2:] == ["tunnel", "(flannel.1)", "ok", "0.20", "ms"]


@pytest.mark.parametrize(
    ("backend", "device", "sessions"),
    [("vxlan", "flannel.1", "-"), ("host-gw", "-", "-"), ("bgp", "-", "2/2"), ("udp", "flannel0", "-")],
)
def test_wide(backend: str, device: str, sessions: str) -> None:
    lines = show.tables(checked(fakes.cluster(backend, nodes=3)), wide=True)
    assert row(lines, "NODE")[-2:] == ["DEVICES", "BGP"] and row(lines, "node-1")[-2:] == [device, sessions]
    assert row(lines, "FROM")[-2:] == ["UNDERLAY", "SIZE"] and row(lines, "node-1  node-2")[-1] == "1450"


def test_nodes_outside_the_pod_network_are_shown_with_the_reason() -> None:
    facts = fakes.change(fakes.cluster(nodes=4), "node-2", lease=None, lease_fault="no podCIDR")
    facts = fakes.change(facts, "node-3", ready=False, ready_text="KubeletNotReady: it sleeps")
    facts = fakes.change(facts, "node-4", kernel=None)
    lines = show.tables(checked(facts))
    assert row(lines, "node-2")[1:6] == ["-", "-", "-", "-", "-"]
    assert row(lines, "node-3")[-1] == "no"
    assert "node-2: no lease: no podCIDR" in lines
    assert "node-3: not Ready: KubeletNotReady: it sleeps" in lines
    assert "node-4: its network namespace is missing" in lines


def test_the_document_has_no_secret() -> None:
    key = fakes.wireguard_key(9)
    document = show.document(checked(fakes.cluster("wireguard", PSK=key)))
    assert json.loads(json.dumps(document)) == yaml.safe_load(yaml.safe_dump(document)) == document
    assert document["options"] == {"psk": "(not shown)"} and key not in json.dumps(document)
    assert document["nodes"][0]["peers"] == {"ok": 1, "tried": 1, "all": 1} and document["healthy"]


def test_changes_that_watch_prints() -> None:
    facts = fakes.cluster()
    assert show.states(checked(facts)) == show.states(checked(facts))
    assert show.states(checked(facts)) != show.states(checked(facts, node_1=True))
    assert show.states(checked(facts)) != show.states(checked(fakes.change(facts, "node-1", agent=False)))
