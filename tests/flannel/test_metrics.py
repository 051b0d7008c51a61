"""The metrics, reachability, and the dashboard."""

import asyncio
import ipaddress
import json
import re
import socket
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families

from flannel.bgp_world import Board, BoardManager, make_world, run_in, until
from pybernetes.cluster.healthz import health
from pybernetes.flannel.background.reach import Reachability, checksum, echo, is_answer
from pybernetes.flannel.daemon import Flanneld
from pybernetes.flannel.kernel.desired import Desired, PeerRoute
from pybernetes.flannel.leases.lease import FamilyLease, Lease
from pybernetes.flannel.metrics import FlannelMetrics
from pybernetes.flannel.options import FlannelOptions

ROOT = Path(__file__).parent.parent.parent


def values(text: bytes) -> dict[str, float]:
    """Samples by name and labels, such as `flannel_peers{vxlan}`."""
    found = {}
    for family in text_string_to_metric_families(text.decode()):
        for sample in family.samples:
            labels = ",".join(sample.labels.values())
            found[f"{sample.name}{{{labels}}}" if labels else sample.name] = sample.value
    return found


def lease(node: str, n: int, backend: str = "vxlan") -> Lease:
    part = FamilyLease(ipaddress.ip_network(f"10.244.{n}.0/24"), ipaddress.ip_address(f"192.0.2.{n}"))
    return Lease(node, backend, (part,))


def filled() -> FlannelMetrics:
    metrics = FlannelMetrics(lambda: 1000.0)
    peers = [lease("b", 2), lease("c", 3), lease("d", 4, "bgp")]
    metrics.saw("vxlan", [lease("a", 1), *peers], peers)
    want = Desired(PeerRoute("10.244.2.0/24", "192.0.2.2", "eth0"))
    metrics.applied(want, ["route", "neighbour"], ["rules"], [])
    metrics.applied(want, ["route"], [], ["one error"])
    metrics.passed(0.25, complete=True, problems=2, ready=True)
    metrics.reachable = lambda: {"b": 1.0, "c": 0.0}
    metrics.round_trips = lambda: {"b": 0.002}
    metrics.path_mtus = lambda: {"b": 1400.0}
    metrics.offload_off = lambda: {"flannel.1": 1.0}
    metrics.policies = lambda: 2
    metrics.bgp_sessions = lambda: {"d": 1.0}
    metrics.bird_starts = lambda: 3
    return metrics


def test_counted_values() -> None:
    found = values(filled().expose())
    expected = {
        "flannel_backend{vxlan}": 1,
        "flannel_leases": 4,
        "flannel_peers{vxlan}": 2,
        "flannel_peers{bgp}": 1,
        "flannel_ready": 1,
        "flannel_problems": 2,
        "flannel_reconcile_passes_total{complete}": 1,
        "flannel_reconcile_passes_total{incomplete}": 0,
        "flannel_reconcile_errors_total": 1,
        "flannel_reconcile_last_seconds": 0.25,
        "flannel_reconcile_last_timestamp_seconds{complete}": 1000,
        "flannel_changes_total": 4,
        "flannel_drift_mended_total": 1,
        "flannel_peer_reachable{b}": 1,
        "flannel_peer_reachable{c}": 0,
        "flannel_peer_round_trip_seconds{b}": 0.002,
        "flannel_peer_path_mtu_bytes{b}": 1400,
        "flannel_checksum_offload_disabled{flannel.1}": 1,
        "flannel_network_policies_unenforced": 2,
        "flannel_bgp_session_up{d}": 1,
        "flannel_bird_starts_total": 3,
    }
    assert {name: found.get(name) for name in expected} == expected


def names() -> set[str]:
    return {name.partition("{")[0] for name in values(filled().expose())}


def test_the_dashboard_shows_only_existing_metrics() -> None:
    board = json.loads((ROOT / "examples/grafana/flannel.json").read_text())
    used: set[str] = set()
    for panel in board["panels"]:
        assert panel["title"] and panel["targets"]
        for target in panel["targets"]:
            used |= set(re.findall(r"\b(?:flannel|process)_[a-z_]+", target["expr"]))
    assert used <= names()
    assert {name for name in names() if name.startswith("flannel_")} <= used, "the dashboard shows every metric"
    places = [(p["gridPos"]["x"], p["gridPos"]["y"]) for p in board["panels"]]
    assert len(set(places)) == len(places) and len({p["id"] for p in board["panels"]}) == len(places)


def test_the_page_names_every_metric() -> None:
    page = (ROOT / "docs/tasks/metrics.md").read_text()
    documented = set(re.findall(r"`(flannel_[a-z_]+)", page))
    assert documented == {name for name in names() if name.startswith("flannel_")}


async def get(port: int, path: str) -> tuple[int, str]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
    head, _, body = (await reader.read()).decode().partition("\r\n\r\n")
    writer.close()
    return int(head.split()[1]), body


class Never:
    """Rules and drift for a daemon that does not run."""

    async def ensure(self, networks: object) -> list[str]:
        return []

    async def changes(self, kinds):  # type: ignore[no-untyped-def]
        yield ""

    def follow(self, link: str) -> None:
        """Nothing."""


async def test_healthy_but_not_ready(tmp_path: Path) -> None:
    options = FlannelOptions(node_name="a", subnet_file=tmp_path / "subnet.env")
    daemon = Flanneld(options, BoardManager(Board(), "a", 1), rules=Never(), drift=Never())
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]

    def ready() -> str:
        return "" if daemon.ready else "not yet"

    async with health(("127.0.0.1", port), daemon.stuck, flag="x", ready=ready, metrics=daemon.metrics.expose):
        assert await get(port, "/healthz") == (200, "ok")
        assert await get(port, "/readyz") == (503, "not yet\n")
        status, body = await get(port, "/metrics")
        assert status == 200 and values(body.encode())["flannel_ready"] == 0


@given(st.binary(max_size=80))
def test_no_packet_confuses_the_echo(packet: bytes) -> None:
    for version in (4, 6):
        assert not is_answer(version, 0x1234, 1, packet) or packet


def test_an_echo_and_its_reply() -> None:
    request = echo(4, 7, 9)
    assert checksum(request) == 0
    header = bytes([0x45]) + bytes(19)
    assert is_answer(4, 7, 9, header + bytes([0]) + request[1:])
    assert not is_answer(4, 7, 9, header + request), "our own request, on a loopback"
    assert not is_answer(4, 7, 8, header + bytes([0]) + request[1:])


@pytest.mark.kernel
@pytest.mark.slow
async def test_metrics_of_a_running_daemon(tmp_path: Path) -> None:
    async with make_world(tmp_path, racks=(1, 1)) as world:
        world.configure({"Type": "vxlan"}, dual=True)
        await world.start()
        a, b = world.hosts
        await until(lambda: len(a.seen.routes) == 2 and len(b.seen.routes) == 2 and a.daemon.ready)
        await until(lambda: "flannel_peers{vxlan}" in values(a.daemon.metrics.expose()))
        before = values(a.daemon.metrics.expose())
        assert before["flannel_peers{vxlan}"] == 1 and before["flannel_leases"] == 2
        await run_in(a.netns, "ip", "route", "del", "10.244.2.0/24")
        await until(lambda: len(a.seen.routes) == 2)
        await until(
            lambda: (
                values(a.daemon.metrics.expose())["flannel_drift_mended_total"]
                == before["flannel_drift_mended_total"] + 1
            )
        )
        reach = Reachability(lambda: [world.board.leases[b.name], lease("absent", 99)], a.netns, wait=0.3)
        await reach.round()
        assert reach.answered == {b.name: 1.0, "absent": 0.0}
        assert 0 < reach.seconds[b.name] < 0.3 and "absent" not in reach.seconds
