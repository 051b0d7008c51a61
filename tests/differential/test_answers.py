"""Our answers compared with kube-apiserver's: every recorded answer of every kind that we serve, without Go.

A difference is accepted by tools/differential/accepted.yaml, with a reason, or counted in open.tsv, which may only
shrink: it holds how many differences of a kind still wait to be removed.
"""

from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from tools.differential import accepted, recorded, running
from tools.differential.asking import Server
from tools.differential.corpus import KindCases, kinds
from tools.differential.findings import Finding, by_cause

OPEN = Path(__file__).parent / "open.tsv"
#: Kinds whose answers are recorded and that we do not serve yet.
NOT_SERVED = frozenset(OPEN.with_name("not_served.txt").read_text().split())

pytestmark = [pytest.mark.slow, pytest.mark.asyncio(loop_scope="module")]


def still_open() -> dict[str, int]:
    """Differences that wait, by kind."""
    rows = (line.split("\t") for line in OPEN.read_text().splitlines() if not line.startswith("#"))
    return {kind: int(number) for kind, number in rows}


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def server() -> AsyncIterator[Server]:
    async with running.our_server() as found:
        yield found


def with_answers() -> list[KindCases]:
    return [of for of in kinds() if of.file_name not in NOT_SERVED and recorded.read(of)]


@pytest.mark.timeout(300)
@pytest.mark.parametrize("of", with_answers(), ids=lambda of: of.file_name)
async def test_answers_are_those_of_kube_apiserver(server: Server, of: KindCases) -> None:
    findings = await running.replay(of, server)
    entries = accepted.load()
    left = [f for f in findings if not any(entry.covers(of.file_name, f.case) for entry in entries)]
    allowed = still_open().get(of.file_name, 0)
    assert len(left) <= allowed, report(left, allowed)


def report(left: list[Finding], allowed: int) -> str:
    counts = Counter(finding.difference for finding in left)
    causes = "\n".join(list(by_cause(left))[:20])
    return f"{len(left)} answers differ, {allowed} may: {dict(counts)}\n{causes}"


async def test_kinds_said_not_to_be_served_are_not(server: Server) -> None:
    served = {of.file_name for of in kinds() if (of.api_version, of.kind) in server.kinds}
    assert not served & NOT_SERVED, "take them out of not_served.txt"


async def test_every_accepted_difference_is_one(server: Server) -> None:
    for entry in accepted.load():
        matching = [
            of for of in with_answers() if any(entry.covers(of.file_name, case) for case, _ in recorded.read(of))
        ]
        assert matching and entry.why, f"{entry} covers no recorded case, or gives no reason"
