"""Tables of cases for the pure parts: probe results, packet filters, requests for a backend, targets of a trace."""

import ipaddress
import json
from dataclasses import replace
from typing import Any

import msgspec
import pytest

from insight import fakes
from pybernetes.api.core.pod import Pod
from pybernetes.api.core.service import Service
from pybernetes.cluster import backend_choice
from pybernetes.cluster.errors import ConfigError
from pybernetes.insight import dnat, switch_backend, trace_target
from pybernetes.insight.check import judge
from pybernetes.insight.check_pairs import check_pairs
from pybernetes.insight.facts import KernelFacts
from pybernetes.insight.findings import Finding, Severity
from pybernetes.insight.probe_result import PairProbe, Stage, Trail
from pybernetes.insight.snat import Packet, masquerade

STAGES = (
    Stage("node-1", "flannel.1", "out"),
    Stage("node-1", "eth0", "out"),
    Stage("node-2", "eth0", "in"),
    Stage("node-2", "flannel.1", "in"),
    Stage("node-2", "flannel.1", "out", True),
    Stage("node-2", "eth0", "out", True),
    Stage("node-1", "eth0", "in", True),
    Stage("node-1", "flannel.1", "in", True),
)


def trail(count: int) -> Trail:
    """A packet that was seen at the first `count` stages."""
    return Trail(STAGES, frozenset(STAGES[:count]))


def probe(**values: Any) -> PairProbe:
    known = {"src": "node-1", "dst": "node-2", "path": "tunnel", "device": "flannel.1", "underlay": 0.001, "size": 1450}
    return PairProbe(**{**known, **values})


@pytest.mark.parametrize(
    ("found", "code", "words"),
    [
        (probe(pods=0.001), "", ""),
        (probe(pods=None, tried=False), "", ""),
        (probe(pods=0.001, underlay=None), "", ""),
        (probe(pods=None, underlay=None), "underlay-unreachable", "does not reach node-2 at all"),
        (probe(pods=None, trail=trail(1)), "port-blocked", "UDP port 8472 is blocked on node-1"),
        (probe(pods=None, trail=trail(2)), "port-blocked", "blocked between node-1 and node-2"),
        (probe(pods=None, trail=trail(3)), "port-blocked", "blocked on node-2"),
        (probe(pods=None, trail=trail(6)), "port-blocked", "the replies of node-2"),
        (probe(pods=None, trail=trail(4)), "filtered", "packets from node-1 arrive at flannel.1 of node-2"),
        (probe(pods=None, trail=trail(8)), "filtered", "the replies of node-2 arrive at flannel.1 of node-1"),
        (probe(pods=None), "unreachable", "kernel state and routes look right"),
        (probe(pods=None, path="direct", trail=trail(2)), "direct-blocked", "packets with pods' addresses are dropped"),
        (probe(pods=0.001, full=False, path_mtu=1400, trail=trail(2)), "mtu-too-big", "1400 bytes pass"),
        (probe(pods=0.001, full=False, trail=trail(4)), "checksum", "packets of 1450 bytes arrive"),
        (probe(pods=0.001, payload=("UDP datagrams arrive corrupted",)), "checksum", "UDP datagrams arrive corrupted"),
    ],
)
def test_findings_from_probes(found: PairProbe, code: str, words: str) -> None:
    findings = check_pairs(fakes.cluster(), [], [found])
    assert [f.code for f in findings] == ([code] if code else [])
    assert all(words in f.cause and f.fix for f in findings)


@pytest.mark.parametrize(
    "known",
    [
        Finding("link-down", "node-2", "", ""),
        Finding("agent-stopped", "node-2", "", ""),
        Finding("fdb-wrong", "node-2", "", "", "node-1"),
        Finding("route-missing", "node-1", "", "", "node-2"),
    ],
)
def test_consequences_of_a_known_fault_are_not_reported(known: Finding) -> None:
    assert check_pairs(fakes.cluster(), [known], [probe(pods=None, trail=trail(1))]) == []


def test_a_warning_does_not_explain_a_loss() -> None:
    known = Finding("agent-stopped", "node-2", "", "", severity=Severity.WARNING)
    assert [f.code for f in check_pairs(fakes.cluster(), [known], [probe(pods=None, trail=trail(1))])] == [
        "port-blocked"
    ]


def test_backends_without_own_transport_report_only_the_underlay() -> None:
    lost = probe(pods=None, path="", device="")
    assert check_pairs(fakes.cluster("alloc"), [], [lost]) == []
    (found,) = check_pairs(fakes.cluster("extension"), [], [lost])
    assert found.code == "unreachable" and "SubnetAddCommand" in found.fix
    (found,) = check_pairs(fakes.cluster("alloc"), [], [probe(pods=None, underlay=None)])
    assert found.code == "underlay-unreachable"


def test_a_fault_in_both_directions_is_one_finding() -> None:
    probes = [probe(pods=None, trail=trail(2)), probe(src="node-2", dst="node-1", pods=None, trail=trail(2))]
    assert len(check_pairs(fakes.cluster(), [], probes)) == 1


def test_overlapping_ranges() -> None:
    facts = replace(fakes.cluster(), services=(ipaddress.ip_network("10.244.128.0/17"),))
    assert [f.code for f in judge(facts, []) if not f.node] == ["address-overlap"]


# --- packet filters


def rule(chain: str, *expr: dict[str, Any]) -> dict[str, Any]:
    return {"rule": {"chain": chain, "expr": list(expr)}}


def goto(chain: str) -> dict[str, Any]:
    return {"goto": {"target": chain}}


def verdict_map(name: str, *elements: tuple[str, str, int, dict[str, Any]]) -> dict[str, Any]:
    return {
        "map": {"name": name, "elem": [[{"concat": [ip, proto, port]}, then] for ip, proto, port, then in elements]}
    }


CHOICE = {"map": {"data": {"set": [[0, {"concat": ["10.244.1.2", 80]}], [1, {"concat": ["10.244.2.2", 80]}]]}}}
NFT = (
    verdict_map(
        "service-ips",
        ("10.96.0.1", "tcp", 80, goto("one")),
        ("10.96.0.1", "udp", 53, goto("two")),
        ("10.96.0.2", "tcp", 80, goto("sticky")),
    ),
    verdict_map(
        "no-endpoint-services",
        ("10.96.0.3", "tcp", 80, goto("reject-chain")),
        ("10.96.0.4", "tcp", 80, {"drop": None}),
    ),
    {"set": {"name": "cluster-ips", "elem": ["10.96.0.1", "10.96.0.3"]}},
    rule("one", {"dnat": {"addr": "10.244.2.2", "port": 8080}}),
    rule("two", {"dnat": {"family": "ip", "addr": CHOICE}}),
    rule("sticky", {"vmap": {"data": {"set": [[0, goto("end")], [1, goto("sticky")]]}}}),
    rule("end", {"dnat": {"addr": "10.244.1.9", "port": 80}}),
)
IPTABLES = {
    "ip nat": """
-A KUBE-SERVICES -d 10.96.0.1/32 -p tcp -m comment --comment "default/web:" -m tcp --dport 80 -j KUBE-SVC-A
-A KUBE-SVC-A -m statistic --mode random --probability 0.5 -j KUBE-SEP-A
-A KUBE-SVC-A -j KUBE-SEP-B
-A KUBE-SEP-A -p tcp -m tcp -j DNAT --to-destination 10.244.1.2:8080
-A KUBE-SEP-B -p tcp -m tcp -j DNAT --to-destination 10.244.2.2:8080
""",
    "ip filter": '-A KUBE-REJECTS -d 10.96.0.3/32 -p tcp -m tcp --dport 80 -m comment --comment "x" -j REJECT',
}


@pytest.mark.parametrize(
    ("kernel", "ip", "protocol", "port", "kind", "endpoints"),
    [
        ("nft", "10.96.0.1", "tcp", 80, "endpoints", [("10.244.2.2", 8080)]),
        ("nft", "10.96.0.1", "udp", 53, "endpoints", [("10.244.1.2", 80), ("10.244.2.2", 80)]),
        ("nft", "10.96.0.2", "tcp", 80, "endpoints", [("10.244.1.9", 80)]),
        ("nft", "10.96.0.3", "tcp", 80, "reject", []),
        ("nft", "10.96.0.4", "tcp", 80, "drop", []),
        ("nft", "10.96.0.1", "tcp", 99, "unknown-port", []),
        ("nft", "10.96.0.9", "tcp", 80, "nothing", []),
        ("iptables", "10.96.0.1", "tcp", 80, "endpoints", [("10.244.1.2", 8080), ("10.244.2.2", 8080)]),
        ("iptables", "10.96.0.3", "tcp", 80, "reject", []),
        ("iptables", "10.96.0.1", "tcp", 8, "nothing", []),
        ("none", "10.96.0.1", "tcp", 80, "nothing", []),
    ],
)
def test_services_in_the_kernel(
    kernel: str, ip: str, protocol: str, port: int, kind: str, endpoints: list[tuple[str, int]]
) -> None:
    facts = {
        "nft": KernelFacts(nft={"ip kube-proxy": NFT}),
        "iptables": KernelFacts(iptables=IPTABLES),
        "none": KernelFacts(),
    }[kernel]
    verdict = dnat.service(facts, ip, protocol, port)
    assert (verdict.kind, list(verdict.endpoints)) == (kind, endpoints)


def side(field: str, op: str, addr: str, length: int) -> dict[str, Any]:
    left = {"payload": {"protocol": "ip", "field": field}}
    return {"match": {"op": op, "left": left, "right": {"prefix": {"addr": addr, "len": length}}}}


MARKED = {"match": {"op": "==", "left": {"&": [{"meta": {"key": "mark"}}, 0x4000]}, "right": 0x4000}}
FLANNEL = (
    {"chain": {"name": "postrtg", "type": "nat", "hook": "postrouting", "prio": 100}},
    rule("postrtg", MARKED, {"return": None}),
    rule("postrtg", side("saddr", "==", "10.244.1.0", 24), side("daddr", "==", "10.244.0.0", 16), {"return": None}),
    rule("postrtg", side("saddr", "==", "10.244.0.0", 16), side("daddr", "!=", "224.0.0.0", 4), {"masquerade": None}),
)
PROXY = (
    {"chain": {"name": "nat-postrouting", "type": "nat", "hook": "postrouting", "prio": 99}},
    {"set": {"name": "hairpin", "elem": [{"concat": ["10.244.1.2", "10.244.1.2"]}]}},
    rule(
        "nat-postrouting",
        {
            "match": {
                "op": "==",
                "left": {"concat": [{"payload": {"field": "saddr"}}, {"payload": {"field": "daddr"}}]},
                "right": "@hairpin",
            }
        },
        {"masquerade": None},
    ),
)


@pytest.mark.parametrize(
    ("packet", "changed"),
    [
        (Packet("10.244.1.2", "10.244.2.2"), False),
        (Packet("10.244.1.2", "198.51.100.1"), True),
        (Packet("10.244.1.2", "224.0.0.251"), False),
        (Packet("10.244.1.2", "10.244.1.2"), True),
        (Packet("192.0.2.1", "198.51.100.1"), False),
        (Packet("10.244.1.2", "198.51.100.1", mark=0x4000), False),
    ],
)
def test_masquerading_follows_the_rules(packet: Packet, changed: bool) -> None:
    facts = KernelFacts(nft={"ip flannel-ipv4": FLANNEL, "ip kube-proxy": PROXY})
    assert masquerade(facts, packet).changed is changed


# --- set-backend

CONF = '{"Network": "10.244.0.0/16", "SubnetLen": 25, "backend": {"Type": "vxlan", "VNI": 7}, "Note": "kept"}'


def test_a_request_changes_the_backend_and_nothing_else() -> None:
    options = backend_choice.parse_options(["directrouting=true", "VNI=2"])
    text, config = switch_backend.with_backend(CONF, switch_backend.SwitchRequest("vxlan", options))
    assert json.loads(text) == {
        "Network": "10.244.0.0/16",
        "SubnetLen": 25,
        "Note": "kept",
        "Backend": {"Type": "vxlan", "DirectRouting": True, "VNI": 2},
    }
    assert config.families[0].subnet_len == 25


@pytest.mark.parametrize(
    ("backend", "settings", "message"),
    [
        ("ipoac", [], "Backend.Type must be one of"),
        ("vxlan", ["VNI=seven"], "Backend.VNI must be a number"),
        ("vxlan", ["DirectRouting=1"], "Backend.DirectRouting must be true or false"),
        ("vxlan", ["Vlan=1"], "no option 'Vlan'"),
        ("host-gw", ["VNI=1"], "it has none"),
        ("vxlan", ["=1"], "not KEY=VALUE"),
        ("vxlan", ["VNI=1", "vni=2"], "given twice"),
    ],
)
def test_invalid_requests(backend: str, settings: list[str], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        switch_backend.with_backend(CONF, switch_backend.SwitchRequest(backend, backend_choice.parse_options(settings)))


def test_a_broken_config_is_not_replaced() -> None:
    for text in ("", "[]", "null", '{"Network": 3}'):
        with pytest.raises(ConfigError):
            switch_backend.with_backend(text, switch_backend.SwitchRequest("vxlan"))


def test_nodes_behind_a_router_are_found() -> None:
    assert switch_backend.routed_pairs(fakes.cluster(nodes=3)) == []
    assert switch_backend.routed_pairs(fakes.cluster(nodes=3, racks=2)) == [
        ("node-1", "node-2"),
        ("node-2", "node-3"),
    ]


def test_pending_steps_of_a_node() -> None:
    facts = fakes.cluster("host-gw")
    node = facts.nodes[0]
    assert switch_backend.pending_step(facts, node) == ""
    old = fakes.cluster("vxlan")
    assert switch_backend.pending_step(replace(facts, nodes=old.nodes), old.nodes[0]) == "still announces vxlan"
    lingering = replace(node, kernel=replace(fakes.kernel(facts, "node-1"), links=fakes.kernel(old, "node-1").links))
    assert switch_backend.pending_step(facts, lingering) == "keeps flannel.1 for packets in flight"
    assert switch_backend.pending_step(
        facts, replace(node, kernel=replace(fakes.kernel(facts, "node-1"), routes=()))
    ) == ("moves its routes")


# --- the target of a trace


def service(name: str, ip: str, namespace: str = "default") -> Service:
    ports = [{"name": "http", "port": 80, "protocol": "TCP"}, {"name": "dns", "port": 53, "protocol": "UDP"}]
    meta = {"name": name, "namespace": namespace}
    document = {"metadata": meta, "spec": {"clusterIP": ip, "ports": ports}}
    return msgspec.json.decode(json.dumps(document), type=Service)


def pod(name: str, ip: str) -> Pod:
    meta = {"name": name, "namespace": "default"}
    document = {"metadata": meta, "spec": {"containers": []}, "status": {"podIP": ip}}
    return msgspec.json.decode(json.dumps(document), type=Pod)


@pytest.mark.parametrize(
    ("text", "port", "expected"),
    [
        ("web", "", ("10.96.0.1", "tcp", 80)),
        ("service/web", "53", ("10.96.0.1", "udp", 53)),
        ("web", "99", ("10.96.0.1", "tcp", 99)),
        ("pod/web", "", ("10.244.1.2", "tcp", 0)),
        ("lone", "8/udp", ("10.244.1.3", "udp", 8)),
        ("api.prod", "", ("10.96.0.2", "tcp", 80)),
        ("api.prod.svc.cluster.local", "", ("10.96.0.2", "tcp", 80)),
        ("10.96.0.2", "", ("10.96.0.2", "tcp", 80)),
        ("198.51.100.1", "443", ("198.51.100.1", "tcp", 443)),
        ("fd00::1", "", ("fd00::1", "tcp", 0)),
    ],
)
def test_targets(text: str, port: str, expected: tuple[str, str, int]) -> None:
    services = [service("web", "10.96.0.1"), service("api", "10.96.0.2", "prod"), service("headless", "None")]
    pods = [pod("web", "10.244.1.2"), pod("lone", "10.244.1.3"), pod("new", "")]
    request = trace_target.parse_port(port) if port else (0, "")
    found = trace_target.resolve(text, request, "default", pods, services)
    assert (found.ip, found.protocol, found.port) == expected


@pytest.mark.parametrize(
    ("text", "message"),
    [("nothing", "no Service or pod"), ("headless", "no cluster IP"), ("new", "no address yet")],
)
def test_targets_that_do_not_exist(text: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        trace_target.resolve(text, (0, ""), "default", [pod("new", "")], [service("headless", "None")])


@pytest.mark.parametrize("text", ["0", "65536", "http", "80/icmp", "-1", "80/"])
def test_invalid_ports(text: str) -> None:
    with pytest.raises(ConfigError, match="--port"):
        trace_target.parse_port(text)


def test_bgp_across_racks_needs_a_router_that_learns() -> None:
    facts = fakes.cluster(nodes=3, racks=2)
    _, config = switch_backend.with_backend(CONF, switch_backend.SwitchRequest("bgp"))
    with pytest.raises(ConfigError, match=r"router between node-1 and node-2; .* set --option Peers="):
        switch_backend._refuse(config, facts, switch_backend.SwitchRequest("bgp"))
    peers = backend_choice.parse_options(['peers=[{"Address": "192.0.2.254", "ASNumber": 64600}]', "ASNumber=65001"])
    text, config = switch_backend.with_backend(CONF, switch_backend.SwitchRequest("bgp", peers))
    assert json.loads(text)["Backend"]["ASNumber"] == 65001
    switch_backend._refuse(config, facts, switch_backend.SwitchRequest("bgp"))
    with pytest.raises(ConfigError, match=r"Backend\.Peers\[0\]\.Address must be an address"):
        switch_backend.with_backend(CONF, switch_backend.SwitchRequest("bgp", {"Peers": [{"Address": "x"}]}))
