"""`network check`: read the facts, probe all pairs of nodes, and derive the findings.

Flannel repairs external changes within a second. So a fault is reported only if a second check still finds it, and a
check in the middle of a change raises no alarm.
"""

import asyncio
from dataclasses import dataclass

from pybernetes.client.client import Client
from pybernetes.cluster.layout import Layout
from pybernetes.insight import gather
from pybernetes.insight.check_cross_node import check_together
from pybernetes.insight.check_lease import check_ranges
from pybernetes.insight.check_node import check_node
from pybernetes.insight.check_pairs import check_pairs
from pybernetes.insight.facts import ClusterFacts
from pybernetes.insight.findings import SEVERING_PAIR, Finding, faults
from pybernetes.insight.probe import Prober
from pybernetes.insight.probe_result import PairProbe

_RECHECK_SECONDS = 1.2
#: BIRD waits this long before it retries a session.
_RECHECK_SECONDS_BGP = 5.0


@dataclass(frozen=True, slots=True)
class Checked:
    """The findings, with the facts and probes behind them."""

    facts: ClusterFacts
    probes: list[PairProbe]
    findings: list[Finding]

    @property
    def healthy(self) -> bool:
        """Whether there is no fault. Warnings do not count."""
        return not faults(self.findings)


def judge(facts: ClusterFacts, probes: list[PairProbe]) -> list[Finding]:
    """All findings, faults first. Pure."""
    found = list(check_ranges(facts))
    for node in facts.nodes:
        found += check_node(facts, node)
    found += check_together(facts)
    found += check_pairs(facts, found, probes)
    # A node that is cut off, or announces an address it lacks, makes every other node's probe fail: omit those.
    away = {finding.node for finding in found if finding.code in ("wrong-interface", "underlay-down", "node-gone")}
    found = [f for f in found if f.code not in SEVERING_PAIR or not away & {f.node, f.peer}]
    once = {(finding.identity, finding.cause): finding for finding in reversed(found)}
    return sorted(once.values(), key=lambda f: (f.severity.value, f.node, f.peer, f.code))


async def look(layout: Layout, client: Client, *, deep: bool = True) -> Checked:
    """Check once."""
    facts = await gather.cluster(layout, client)
    probes = await Prober(facts, namespaces(layout, facts), deep=deep).run()
    return Checked(facts, probes, judge(facts, probes))


async def check(layout: Layout, client: Client) -> Checked:
    """Check, and check again if there are faults; report only what both checks found."""
    first = await look(layout, client)
    if first.healthy:
        return first
    await asyncio.sleep(_RECHECK_SECONDS_BGP if first.facts.config.backend == "bgp" else _RECHECK_SECONDS)
    second = await look(layout, client)
    before = {finding.identity for finding in first.findings}
    lasting = [finding for finding in second.findings if finding.identity in before]
    return Checked(second.facts, second.probes, lasting)


def namespaces(layout: Layout, facts: ClusterFacts) -> dict[str, str]:
    """The network namespaces of the nodes that have one."""
    return {node.name: layout.node(node.name).netns for node in facts.nodes if node.kernel is not None}
