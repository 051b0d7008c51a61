"""Probe all pairs of nodes with packets, and find out where lost packets go. Bounded in time whatever is broken."""

import asyncio
import os
from collections.abc import Iterable
from dataclasses import dataclass, replace

from pybernetes.flannel.leases.lease import FamilyLease
from pybernetes.insight import expected, fib, payload
from pybernetes.insight.capture import Point, Taps
from pybernetes.insight.echo import Pinger, Pingers
from pybernetes.insight.facts import ClusterFacts, NodeFacts
from pybernetes.insight.probe_result import PairProbe, Stage, Trail
from pybernetes.linux.errors import LinuxError

#: How many pairs are probed concurrently, and for how many the path of a lost packet is captured.
_CONCURRENT, _MAX_TRAILS = 40, 12
_SMALLEST = 576
_FOLLOW_SECONDS = 0.15


@dataclass(frozen=True, slots=True)
class _Pair:
    """The addresses to probe between."""

    node: NodeFacts
    peer: NodeFacts
    mine: FamilyLease
    theirs: FamilyLease
    source: str
    target: str
    device: str

    @property
    def version(self) -> int:
        return self.mine.subnet.version


def pod_address(node: NodeFacts, part: FamilyLease) -> str:
    """The node's own address in the pod network, on its bridge or its tunnel; empty if there is none."""
    for ip in (str(part.gateway), str(part.subnet.network_address)):
        if node.kernel is not None and node.kernel.owner(ip) is not None:
            return ip
    return ""


def _pairs(cluster: ClusterFacts) -> Iterable[_Pair]:
    for node, peer in expected.pairs(cluster):
        assert node.lease is not None and peer.lease is not None and node.kernel is not None
        for family in cluster.config.families:
            mine, theirs = node.lease.family(family.version), peer.lease.family(family.version)
            if mine is None or theirs is None:
                continue
            route = fib.lookup(node.kernel, str(theirs.gateway), without_default=True)
            device = node.kernel.name(route.device) if route is not None and route.device else ""
            yield _Pair(node, peer, mine, theirs, pod_address(node, mine), pod_address(peer, theirs), device)


class Prober:
    """Probes the nodes of one set of facts. `namespaces` has the network namespace of each node by name."""

    def __init__(self, cluster: ClusterFacts, namespaces: dict[str, str], *, deep: bool) -> None:
        self._cluster = cluster
        self._namespaces = namespaces
        self._deep = deep
        self._pingers = Pingers(namespaces)
        self._slots = asyncio.Semaphore(_CONCURRENT)

    async def run(self) -> list[PairProbe]:
        """Probe all pairs. `deep` also sends full-size packets, UDP and TCP, and captures lost packets."""
        pairs = list(_pairs(self._cluster))
        try:
            found = await asyncio.gather(*(self._measure(pair) for pair in pairs))
            if not self._deep:
                return list(found)
            followed = 0
            for number, (pair, probe) in enumerate(zip(pairs, found, strict=True)):
                lost = probe.tried and (probe.pods is None or not probe.full)
                if lost and probe.underlay is not None and followed < _MAX_TRAILS:
                    followed += 1
                    size = probe.size if probe.pods is not None else 84
                    found[number] = replace(probe, trail=await self._follow(pair, size))
            return list(found)
        finally:
            self._pingers.close()

    async def _measure(self, pair: _Pair) -> PairProbe:
        async with self._slots:
            probe = PairProbe(
                src=pair.node.name,
                dst=pair.peer.name,
                version=pair.version,
                device=pair.device,
                path=self._path(pair),
                underlay=await self._ping(pair.node.name, str(pair.mine.public_ip), str(pair.theirs.public_ip)),
                tried=bool(pair.source and pair.target),
            )
            if not probe.tried:
                return probe
            probe = replace(probe, pods=await self._ping(pair.node.name, pair.source, pair.target))
            return await self._measure_more(pair, probe) if self._deep and probe.pods is not None else probe

    async def _measure_more(self, pair: _Pair, probe: PairProbe) -> PairProbe:
        size = _pod_mtu(self._cluster, pair)
        pinger = self._pingers.of(pair.node.name, pair.source)
        assert pinger is not None, "it sent the small packet"
        full = await pinger.ping(pair.target, size=size) is not None
        if not full:
            return replace(probe, size=size, full=False, path_mtu=await _largest(pinger, pair.target, size))
        places = [(self._namespaces[n.name], ip) for n, ip in ((pair.node, pair.source), (pair.peer, pair.target))]
        faults = [await payload.udp(places[0], places[1], size), await payload.tcp(places[0], places[1])]
        return replace(probe, size=size, payload=tuple(fault for fault in faults if fault))

    async def _ping(self, node: str, source: str, target: str) -> float | None:
        pinger = self._pingers.of(node, source)
        return await pinger.ping(target) if pinger is not None else None

    def _path(self, pair: _Pair) -> str:
        link = pair.node.kernel.link(pair.device) if pair.node.kernel and pair.device else None
        if link is None:
            return ""
        return "direct" if pair.node.kernel and link == _below(pair.node) else "tunnel"

    async def _follow(self, pair: _Pair, size: int) -> Trail | None:
        stages = _stages(pair)
        pinger = self._pingers.of(pair.node.name, pair.source)
        if pinger is None or not stages:
            return None
        tokens = [os.urandom(16) for _ in range(3)]
        try:
            taps = Taps([Point(stage.node, stage.link) for stage in stages], self._namespaces)
        except LinuxError:
            return None
        with taps:
            for token in tokens:
                pinger.send(pair.target, token, size)
            found = await taps.seen(tokens, _FOLLOW_SECONDS)
        seen = {(point.node, point.link, direction) for places in found.values() for point, direction in places}
        return Trail(stages, frozenset(s for s in stages if (s.node, s.link, s.direction) in seen))


def _below(node: NodeFacts) -> object:
    assert node.kernel is not None and node.lease is not None
    underlay = expected.underlay(node.kernel, node.lease)
    return node.kernel.link(underlay.link) if underlay else None


def _pod_mtu(cluster: ClusterFacts, pair: _Pair) -> int:
    """The packet size that pods of the node use: from subnet.env, at most the MTU of the device."""
    given = next((x[12:] for x in (pair.node.subnet_env or "").splitlines() if x.startswith("FLANNEL_MTU=")), "")
    size = int(given) if given.isdigit() else expected.mtu(cluster, pair.node)
    link = pair.node.kernel.link(pair.device) if pair.node.kernel else None
    return min(size, link.mtu) if link else size


async def _largest(pinger: Pinger, target: str, size: int) -> int:
    """The largest packet size that passes, found in two rounds that each try several sizes concurrently."""
    best = 0
    step = max(1, (size - _SMALLEST) // 30)
    for sizes in (range(size, _SMALLEST - 1, -step), None):
        tried = list(sizes if sizes is not None else range(best + 1, best + step))
        answers = await asyncio.gather(*(pinger.ping(target, size=n, tries=2, timeout=0.25) for n in tried))
        passed = [n for n, answer in zip(tried, answers, strict=True) if answer is not None]
        best = max([best, *passed])
        if not best:
            return 0
    return best


def _stages(pair: _Pair) -> tuple[Stage, ...]:
    """The links that the request and its reply pass."""
    places = []
    for node, part in ((pair.node, pair.theirs), (pair.peer, pair.mine)):
        assert node.kernel is not None and node.lease is not None
        below = expected.underlay(node.kernel, node.lease)
        route = fib.lookup(node.kernel, str(part.gateway), without_default=True)
        device = node.kernel.name(route.device) if route is not None and route.device else ""
        places.append([name for name in dict.fromkeys([device, below.link if below else ""]) if name])
    mine, theirs = places
    stages: list[Stage] = []
    for answer, (near, far, a, b) in (
        (False, (mine, theirs, pair.node.name, pair.peer.name)),
        (True, (theirs, mine, pair.peer.name, pair.node.name)),
    ):
        stages += [Stage(a, link, "out", answer) for link in near]
        stages += [Stage(b, link, "in", answer) for link in reversed(far)]
    return tuple(stages)
