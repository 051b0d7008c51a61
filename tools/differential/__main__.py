"""python -m tools.differential replay|compare|record: see docs/judging.md.

replay [KIND …]                             our server and kube-apiserver's recorded answers; needs no Go
compare --server KUBECONFIG [KIND …]        a running server and ours, or two running servers (--server twice)
record --server KUBECONFIG [KIND …]         record a running server's answers again
"""

import argparse
import asyncio
import json
import sys
from collections import Counter
from collections.abc import Sequence
from contextlib import AsyncExitStack
from pathlib import Path

from pybernetes.client.http import HttpTransport
from pybernetes.client.kubeconfig import load

from . import recorded, running
from .asking import Server
from .corpus import KindCases, cases, kinds
from .findings import Finding, by_cause, count, table


def _arguments(argv: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tools.differential", description=__doc__.partition("\n")[0])
    parser.add_argument("what", choices=("replay", "compare", "record"))
    parser.add_argument("--server", action="append", default=[], help="kubeconfig of a running server; twice for two")
    parser.add_argument("--pairs", metavar="SEED,COUNT", help="compare: draw cases of two or three places at once")
    parser.add_argument("--causes", type=int, default=40, help="how many likely causes to show (default 40)")
    parser.add_argument("--details", type=Path, help="write each difference to this file, a JSON object per line")
    parser.add_argument("kinds", nargs="*", help="kinds such as Pod or apps.v1.Deployment; all by default")
    return parser.parse_args(argv)


def _chosen(words: Sequence[str]) -> list[KindCases]:
    known = {name for of in kinds() for name in (of.kind, of.file_name)}
    if unknown := [word for word in words if word not in known]:
        sys.exit(f"no cases for {', '.join(unknown)}: expected kinds of tools/differential/bases.yaml")
    return [of for of in kinds() if not words or of.kind in words or of.file_name in words]


async def _run(args: argparse.Namespace) -> int:
    async with AsyncExitStack() as stack:
        servers = []
        for path in args.server:
            transport = HttpTransport(load(Path(path)))
            stack.push_async_callback(transport.close)
            servers.append(await Server(transport).discover())
        if args.what == "record":
            return await _record(servers[0], _chosen(args.kinds))
        ours = servers[-1] if len(servers) == 2 or (servers and args.what == "replay") else None
        if ours is None:
            ours = await stack.enter_async_context(running.our_server())
        theirs = servers[0] if args.what == "compare" else None
        return await _compare(theirs, ours, args)


async def _compare(theirs: Server | None, ours: Server, args: argparse.Namespace) -> int:
    rows: dict[str, Counter[str]] = {}
    findings: list[Finding] = []
    drawn = tuple(int(word) for word in args.pairs.split(",")) if args.pairs else None
    not_served = []
    for of in _chosen(args.kinds):
        if (of.api_version, of.kind) not in ours.kinds:
            not_served.append(of.file_name)
            continue
        if theirs is None:
            number, found = len(recorded.read(of)), await running.replay(of, ours)
        else:
            number, found = await running.compare(of, theirs, ours, drawn)
        rows[of.file_name] = count(number, found)
        findings += found
        print(f"{of.file_name}: {len(found)} of {number} differ", file=sys.stderr)
    print(*table(rows), "", *list(by_cause(findings))[: args.causes], sep="\n")
    if not_served:
        print(f"\nnot served: {' '.join(not_served)}")
    if args.details:
        args.details.write_text("".join(_details(finding) + "\n" for finding in findings))
    return 0


def _details(finding: Finding) -> str:
    return json.dumps(
        {
            "kind": finding.of.file_name,
            "mode": finding.case.mode,
            "at": finding.place,
            "how": finding.how,
            "value": [change.value for change in finding.case.changes],
            "differs": finding.difference,
            "theirs": [finding.theirs.code, finding.theirs.body, finding.theirs.warnings],
            "ours": [finding.ours.code, finding.ours.body, finding.ours.warnings],
        }
    )


async def _record(server: Server, chosen: list[KindCases]) -> int:
    for of in chosen:
        if (of.api_version, of.kind) not in server.kinds:
            print(f"{of.file_name}: not served", file=sys.stderr)
            continue
        rows = [row async for row in server.answers(of, cases(of))]
        recorded.write(of, rows)
        print(f"{of.file_name}: {len(rows)} answers", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(asyncio.run(_run(_arguments(sys.argv[1:]))))
