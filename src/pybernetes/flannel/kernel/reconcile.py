"""Make the kernel as desired: read, compare, change what differs, and nothing that is not ours.

Knows no kind of object by name; the kinds are an argument, in the order in which their objects can be added.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain
from typing import Any

from pybernetes.flannel.kernel.desired import Desired
from pybernetes.flannel.kernel.kind import AnyKind, Change, Outcome, Reading, Stage
from pybernetes.flannel.kernel.observed import Observed
from pybernetes.linux import link
from pybernetes.linux.rtnl import Netlink


def observe(nl: Netlink, kinds: Sequence[AnyKind]) -> Observed:
    """Read the kernel."""
    links = {li.name: li for li in link.links(nl)}
    ours = {name: li for name, li in links.items() if any(kind.is_ours(li) for kind in kinds)}
    names = {li.index: name for name, li in links.items()}
    our_names = {li.index: name for name, li in ours.items()}
    reading = Reading(nl, links, ours, names, our_names)
    return Observed.of_objects(chain.from_iterable(kind.observe(reading) for kind in kinds), links, ours)


def apply(nl: Netlink, kinds: Sequence[AnyKind], want: Desired, have: Observed, now: float) -> Outcome:
    """Change what differs. `have` is what `observe` read; `now` is Unix time."""
    outcome = Outcome()
    plan = _plan(kinds, want, have, now)
    if any(change.stage is Stage.DEVICES for _, changes in plan for change in changes):
        _carry_out(nl, plan, Stage.DEVICES, outcome)
        plan = _plan(kinds, want, observe(nl, kinds), now)
    for stage in (Stage.SET_UP, Stage.ADD):
        _carry_out(nl, plan, stage, outcome)
    plan.reverse()
    for stage in (Stage.REMOVE, Stage.CLEAN_UP):
        _carry_out(nl, plan, stage, outcome)
    return outcome


Plan = list[tuple[AnyKind, list[Change[Any]]]]


def _plan(kinds: Sequence[AnyKind], want: Desired, have: Observed, now: float) -> Plan:
    return [(kind, changes) for kind in kinds if (changes := list(kind.diff(want, have, now)))]


def _carry_out(nl: Netlink, plan: Plan, stage: Stage, outcome: Outcome) -> None:
    for kind, changes in plan:
        if due := [change for change in changes if change.stage is stage]:
            result = kind.apply(nl, due)
            outcome.done += result.done
            outcome.errors += result.errors
