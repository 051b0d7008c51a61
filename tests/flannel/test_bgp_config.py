"""The bgp backend without BIRD: options, sessions, BIRD's config as text, its answers."""

import asyncio
import ipaddress
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pybernetes.api.core.node import Node as KubeNode
from pybernetes.api.core.node import NodeSpec
from pybernetes.api.meta import ObjectMeta
from pybernetes.flannel.backends import BACKENDS, make
from pybernetes.flannel.backends.bgp import bird
from pybernetes.flannel.backends.bgp.control import BirdError, SessionState, ask, sessions
from pybernetes.flannel.backends.bgp.learned import LEARNED_METRIC, LearnedRoutes, copies, leftovers
from pybernetes.flannel.backends.bgp.speaker import BgpSession, BgpSpeaker
from pybernetes.flannel.config import ConfigError, NetworkConfig
from pybernetes.flannel.config import parse as parse_config
from pybernetes.flannel.kernel.desired import Desired, LearnedRoute, PeerRoute
from pybernetes.flannel.kernel.routes import COPY_METRIC, DaemonRoute, RouteCopy
from pybernetes.flannel.leases.kube import annotations
from pybernetes.flannel.leases.lease import FamilyLease, Lease, Node, Underlay
from pybernetes.flannel.network import desired_state
from pybernetes.linux.route import Route

from .kinds import seen

ETH0 = Underlay("eth0", 2, 1500, (ipaddress.ip_interface("192.0.2.1/24"), ipaddress.ip_interface("2001:db8::1/64")))
SPEAKER = BgpSpeaker("10.244.0.0/16", "10.244.1.0/24", "192.0.2.1", 64512, 1800)


def lease(node: str, n: int, backend: str = "bgp", public: str = "", **data: Any) -> Lease:
    subnet = ipaddress.ip_network(f"10.244.{n}.0/24")
    return Lease(node, backend, (FamilyLease(subnet, ipaddress.ip_address(public or f"192.0.2.{n}"), data),))


def config(**options: Any) -> NetworkConfig:
    family = parse_config('{"Network": "10.244.0.0/16"}', frozenset(BACKENDS)).families
    return NetworkConfig(family, "bgp", {key.lower(): value for key, value in options.items()})


def state(*peers: Lease, me: str = "me", **options: Any) -> Desired:
    return desired_state(config(**options), Node(lease(me, 1), ETH0), peers, linger=frozenset())


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"ASNumber": "x"}, r"Backend\.ASNumber must be a number, found 'x'"),
        ({"ASNumber": 2**32}, r"Backend\.ASNumber must lie between 1 and 4294967294, found 4294967296"),
        ({"ASNumber": -1}, r"Backend\.ASNumber must lie between"),
        ({"GracefulRestartTime": 9999}, r"Backend\.GracefulRestartTime must lie between 1 and 4095, found 9999"),
        ({"Mesh": "yes"}, r"Backend\.Mesh must be true or false, found 'yes'"),
        ({"Mesh": False}, r"Backend\.Mesh is false: give RouteReflectors or Peers"),
        ({"Mesh": True, "RouteReflectors": ["a"]}, "give one of them only"),
        ({"Password": 7}, r"Backend\.Password must have 1 to 80 printable"),
        ({"Password": 'a"b'}, "no quotation mark; it is not shown"),
        ({"Password": "x" * 81}, "1 to 80"),
        ({"Peers": [{"Address": "192.0.2.9", "ASNumber": 1, "Password": "a\nb"}]}, r"Peers\[0\]\.Password must have"),
        ({"RouteReflectors": "node-1"}, r'RouteReflectors must be a list of node names such as \["node-1"\], found'),
        ({"RouteReflectors": [1]}, "must be a list of node names"),
        ({"RouteReflectors": [""]}, "must be a list of node names"),
        ({"Peers": {}}, r"Backend\.Peers must be a list such as .*found {}"),
        ({"Peers": ["192.0.2.9"]}, r"Backend\.Peers\[0\] must be an object with Address and ASNumber"),
        ({"Peers": [{"ASNumber": 1}]}, r"Backend\.Peers\[0\]\.Address must be an address such as"),
        ({"Peers": [{"Address": "192.0.2.300", "ASNumber": 1}]}, "192.0.2.300"),
        ({"Peers": [{"Address": "127.0.0.1", "ASNumber": 1}]}, "can't be a router's"),
        ({"Peers": [{"Address": "fe80::1%eth0", "ASNumber": 1}]}, "can't be a router's"),
        ({"Peers": [{"Address": "192.0.2.9"}]}, r"Backend\.Peers\[0\]\.ASNumber must lie between .* found None"),
        ({"Peers": [{"Address": "192.0.2.9", "ASNumber": True}]}, "found True"),
        ({"Peers": [{"Address": "192.0.2.9", "ASNumber": 1, "Secret": "x"}]}, "has no key 'secret'"),
        ({"Peers": [{"Address": "192.0.2.9", "ASNumber": 1, "Nodes": "a"}]}, r"Peers\[0\]\.Nodes must be a list"),
        ({"Peers": [{"Address": "192.0.2.9", "ASNumber": n} for n in (1, 2)]}, r"Peers\[1\].*is given twice"),
    ],
)
def test_bad_options_are_refused(options: dict[str, Any], says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        make("bgp", {key.lower(): value for key, value in options.items()})


@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(
    st.dictionaries(
        st.sampled_from(["asnumber", "mesh", "routereflectors", "peers", "gracefulrestarttime"]),
        st.recursive(
            st.none() | st.booleans() | st.integers() | st.text(max_size=8),
            lambda inner: (
                st.lists(inner, max_size=3)
                | st.dictionaries(st.sampled_from(["Address", "asNumber", "nodes"]), inner, max_size=3)
            ),
            max_leaves=6,
        ),
    )
)
def test_any_options_make_a_backend_or_a_config_error(options: dict[str, Any]) -> None:
    try:
        made = make("bgp", options)
    except ConfigError:
        return
    assert made.overhead(4) == 0


def test_a_mesh() -> None:
    want = state(lease("b", 2, ASNumber=65001), lease("c", 3, "vxlan", VNI=1, VtepMAC="02:00:00:00:00:03"))
    (speaker,) = want.of(BgpSpeaker)
    assert speaker == SPEAKER
    assert [(s.node, s.asn) for s in want.of(BgpSession)] == [("b", 65001), ("c", 64512)], (
        "also the one that has not switched yet"
    )
    assert want.of(LearnedRoute) == (LearnedRoute("10.244.2.0/24"),)
    assert [r.dst for r in want.routes] == ["10.244.3.0/24"], "reached by the backend that its lease names"


def test_a_router_without_a_session_is_reported() -> None:
    far = lease("far", 9, public="198.51.100.9")
    (problem,) = state(lease("b", 2), far).problems
    assert "far (198.51.100.9) is behind a router, and Backend.Peers is empty" in problem
    assert state(far, Peers=[{"Address": "192.0.2.254", "ASNumber": 64600}]).problems == ()


def test_reflectors() -> None:
    peers = (lease("rr", 2), lease("c", 3), lease("d", 4))
    assert [s.node for s in state(*peers, RouteReflectors=["rr"]).of(BgpSession)] == ["rr"]
    mine = state(*peers, me="me", RouteReflectors=["me", "rr"]).of(BgpSession)
    assert {(s.node, s.client) for s in mine} == {("rr", False), ("c", True), ("d", True)}
    (problem,) = state(*peers, RouteReflectors=["rr", "typo"]).problems
    assert "route reflector typo has no lease" in problem


def test_reflectors_by_address() -> None:
    peers = (lease("10.244.2.0/24", 2), lease("c", 3))
    assert [s.node for s in state(*peers, RouteReflectors=["192.0.2.2"]).of(BgpSession)] == ["10.244.2.0/24"]
    (session,) = state(lease("c", 3), RouteReflectors=["192.0.2.1"]).of(BgpSession)
    assert session.client, "we are one"


def test_reflectors_by_annotation_end_the_mesh() -> None:
    rr = lease("rr", 2, RouteReflectorClusterID="244.0.0.1")
    peers = (rr, lease("c", 3), lease("d", 4))
    assert [s.node for s in state(*peers).of(BgpSession)] == ["rr"]
    assert {s.node for s in state(*peers, Mesh=True).of(BgpSession)} == {"rr", "c", "d"}
    mine = state(lease("me", 1, RouteReflectorClusterID="244.0.0.1"), *peers).of(BgpSession)
    assert {(s.node, s.client, s.cluster) for s in mine} == {
        ("rr", False, "244.0.0.1"),
        ("c", True, "244.0.0.1"),
        ("d", True, "244.0.0.1"),
    }


@pytest.mark.parametrize("garbage", ["", "yes", "1.2.3", "::1", 7, None, ["x"]])
def test_a_malformed_cluster_id_is_reported_and_makes_no_reflector(garbage: object) -> None:
    want = state(lease("rr", 2, RouteReflectorClusterID=garbage), lease("c", 3))
    assert {s.node for s in want.of(BgpSession)} == {"rr", "c"}
    (problem,) = want.problems
    assert "rr: RouteReflectorClusterID must look like 244.0.0.1, found" in problem


def test_calicos_annotation_makes_a_reflector() -> None:
    notes = {annotations.KUBE_SUBNET_MANAGER: "true", annotations.BACKEND_TYPE: "bgp"}
    notes |= {annotations.PUBLIC_IP[4]: "192.0.2.2", "projectcalico.org/RouteReflectorClusterID": "244.0.0.1"}
    node = KubeNode(metadata=ObjectMeta(name="rr", annotations=notes), spec=NodeSpec(pod_cidr="10.244.2.0/24"))
    found = annotations.lease_of(node, config())
    assert found is not None
    assert [s.node for s in state(found, lease("c", 3)).of(BgpSession)] == ["rr"]


def test_only_bird_gets_passwords() -> None:
    peers = [{"Address": "192.0.2.254", "ASNumber": 64600, "Password": "s3cret-router"}]
    want = state(lease("b", 2), Password="s3cret-nodes", Peers=peers)
    assert {s.node: s.password for s in want.of(BgpSession)} == {
        "b": "s3cret-nodes",
        "peer 192.0.2.254": "s3cret-router",
    }
    assert "s3cret" not in repr(want)
    text = bird.render([SPEAKER], want.of(BgpSession), Path("/run/bird.log"))
    assert '  password "s3cret-nodes";' in text and '  password "s3cret-router";' in text


def test_a_learned_route_has_a_copy_until_its_lease_goes() -> None:
    want = Desired(SPEAKER, LearnedRoute("10.244.2.0/24"))
    copy = replace(LEARNED, metric=COPY_METRIC)
    assert copies(want, seen(DaemonRoute(LEARNED))) == ([copy], [])
    other = replace(copy, gateway="192.0.2.9")
    assert copies(want, seen(DaemonRoute(LEARNED), RouteCopy(other))) == ([copy], [])
    assert copies(want, seen(DaemonRoute(LEARNED), RouteCopy(copy))) == ([], [])
    assert copies(want, seen(RouteCopy(copy))) == ([], []), "BIRD removed its route"
    assert copies(Desired(), seen(DaemonRoute(LEARNED), RouteCopy(copy))) == ([], [copy])


def test_peers_of_some_nodes() -> None:
    peers = [
        {"address": "192.0.2.254", "asnumber": 64600, "NODES": ["me"]},
        {"Address": "192.0.2.253", "ASNumber": 64600, "Nodes": ["other"]},
        {"Address": "203.0.113.1", "ASNumber": 64601},
        {"Address": "2001:db8::fe", "ASNumber": 64601},
    ]
    found = state(Peers=peers, Mesh=False).of(BgpSession)
    assert [(s.address, s.outside, s.direct) for s in found] == [
        ("192.0.2.254", True, True),
        ("203.0.113.1", True, False),
    ]


@pytest.mark.parametrize("asn", ["64512", 0, -5, 2**40, True, [1]])
def test_a_lease_with_an_invalid_as_number_is_reported(asn: object) -> None:
    want = state(lease("b", 2, ASNumber=asn), lease("c", 3))
    assert [s.node for s in want.of(BgpSession)] == ["c"]
    assert any("b: lease of 10.244.2.0/24 has no usable ASNumber" in p for p in want.problems)


def test_behind_nat_the_source_is_an_address_of_the_node() -> None:
    me = Node(lease("me", 1, public="203.0.113.7"), ETH0)
    want = desired_state(config(), me, [], linger=frozenset())
    assert want.of(BgpSpeaker)[0].address == "192.0.2.1"


def accepted(text: str, folder: Path) -> str:
    """BIRD's error for a config; empty if it accepts it."""
    program = shutil.which("bird", path="/usr/sbin:/usr/bin:/sbin:/bin")
    assert program is not None
    (folder / "bird.conf").write_text(text)
    argv = [program, "-p", "-c", str(folder / "bird.conf")]
    done = subprocess.run(argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    return done.stdout if done.returncode else ""


def test_bird_accepts_every_kind_of_session(tmp_path: Path) -> None:
    v6 = BgpSpeaker("fd00:244::/48", "fd00:244:0:1::/64", "2001:db8::1", 64512, 1800)
    made = [
        BgpSession("b", "192.0.2.2", 64512, "192.0.2.1"),
        BgpSession("c", "192.0.2.3", 64512, "192.0.2.1", client=True, cluster="244.0.0.1", password="~ !x'"),
        BgpSession("peer", "192.0.2.254", 64600, "192.0.2.1", outside=True),
        BgpSession("far", "203.0.113.1", 64601, "192.0.2.1", outside=True, direct=False),
        BgpSession("b", "2001:db8::2", 4200000000, "2001:db8::1"),
    ]
    text = bird.render([SPEAKER, v6], made, tmp_path / "bird.log")
    assert accepted(text, tmp_path) == ""
    for line in ("rr client;", "multihop;", "metric 2070;", "neighbor 2001:db8::2 as 4200000000;"):
        assert line in text


NASTY = ['"', "\n", ";", "}", "{", "\\", "#", "/*", "*/", "\x00", "ä", "%", "'", "`", "${X}"]


def test_no_name_can_end_its_string(tmp_path: Path) -> None:
    named = [BgpSession(f"a{bad}b", f"192.0.2.{n}", 64512, "192.0.2.1") for n, bad in enumerate(NASTY, 10)]
    assert accepted(bird.render([SPEAKER], named, tmp_path / "bird.log"), tmp_path) == ""


@given(st.text())
def test_a_name_changes_nothing_else_in_the_config(name: str) -> None:
    def text(of: str) -> list[str]:
        made = bird.render([SPEAKER], [BgpSession(of, "192.0.2.2", 64512, "192.0.2.1")], Path("/run/bird.log"))
        return [line for line in made.split("\n") if "description" not in line]

    assert text(name) == text("b")


@pytest.mark.parametrize("path", ['/run/a"b.log', "/run/a\nb.log"])
def test_a_path_that_cannot_be_quoted_is_refused(path: str) -> None:
    with pytest.raises(ValueError, match="quotation mark or a line break"):
        bird.render([SPEAKER], [], Path(path))


def test_router_ids_differ_and_are_never_zero() -> None:
    assert str(bird.router_id("192.0.2.1")) == "192.0.2.1"
    assert bird.router_id("2001:db8::1") != bird.router_id("2001:db8::2")
    assert str(bird.router_id("::")) == "0.0.0.1"


LEARNED = Route("10.244.2.0/24", gateway="192.0.2.2", device=2, metric=LEARNED_METRIC, protocol=12)


def test_routes_that_wait_for_bird() -> None:
    want = Desired(SPEAKER, LearnedRoute("10.244.2.0/24"), LearnedRoute("fd00:244::/64"))
    assert list(LearnedRoutes().pending(want, seen(), 0)) == ["10.244.2.0/24", "fd00:244::/64"]
    assert list(LearnedRoutes().pending(want, seen(DaemonRoute(LEARNED)), 0)) == ["fd00:244::/64"]
    ours = want.with_only(PeerRoute, [PeerRoute("fd00:244::/64", "", "flannel-wg")])
    assert list(LearnedRoutes().pending(ours, seen(), 0)) == ["10.244.2.0/24"], "a former peer that has returned"
    assert LearnedRoutes().pending(Desired(), seen(), 0) == {}


def test_leftovers_are_removed_only_without_a_speaker() -> None:
    have = seen(DaemonRoute(LEARNED))
    assert leftovers(Desired(), have) == [LEARNED]
    assert leftovers(Desired(SPEAKER), have) == []


def test_sessions_are_read_from_birds_table() -> None:
    table = [
        "Name       Proto      Table      State  Since         Info",
        "kernel4    Kernel     master4    up     03:05:32.123",
        "node_192_0_2_2 BGP        ---        up     03:05:33.101  Established",
        "node_192_0_2_3 BGP        ---        start  03:05:32.101  Active        Socket: Connection refused",
        "short BGP",
    ]
    assert sessions(table) == [
        SessionState("node_192_0_2_2", True, "Established"),
        SessionState("node_192_0_2_3", False, "Active Socket: Connection refused"),
    ]


async def test_no_bird_no_answer(tmp_path: Path) -> None:
    with pytest.raises(BirdError, match="does not answer"):
        await ask(tmp_path / "bird.ctl", "show status")


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        (b"8002-bird.conf:3:1 syntax error\n0000 \n", None),
        (b"8002 bird.conf:3:1 syntax error\n", "syntax error"),
        (b"9001 There is no such command\n", "no such command"),
        (b"", "does not answer"),
        (b"nonsense\n", "not part of its protocol"),
        (b"0013 ready", "does not answer"),
        (b"\xff\xfe\n", "not part of its protocol"),
        (b" " * 100_000 + b"\n", "a line of more than 65536 bytes"),
        (b" x\n" * 140_000, "more than 131072 lines"),
    ],
)
async def test_answers_of_birds_socket(tmp_path: Path, answer: bytes, says: str | None) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"0001 BIRD 2.0.12 ready.\n")
        await reader.readline()
        writer.write(answer)
        writer.close()

    async with await asyncio.start_unix_server(serve, tmp_path / "bird.ctl"):
        if says is None:
            assert await ask(tmp_path / "bird.ctl", "configure") == ["bird.conf:3:1 syntax error", ""]
            return
        with pytest.raises(BirdError, match=says):
            await ask(tmp_path / "bird.ctl", "configure")
