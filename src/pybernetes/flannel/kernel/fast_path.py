"""What is new since the last pass goes into the kernel first; the comparison of everything comes right after it.

Reading thousands of entries takes longer than writing one. So a pass first sends what is desired now and was not in
the last pass, and then does what every pass does: it compares all of the kernel with all that is desired. Nothing
depends on what was sent ahead: the comparison finds an entry that was refused, lost or undone meanwhile.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TypeVar

from pybernetes.flannel.kernel.desired import Desired, Forwarding, Neighbour, PeerRoute
from pybernetes.flannel.kernel.kind import AnyKind, Outcome, Stage
from pybernetes.flannel.kernel.observed import Observed
from pybernetes.linux import link
from pybernetes.linux.rtnl import Netlink

T = TypeVar("T")


def news(want: Desired, last: Desired, kinds: Sequence[AnyKind]) -> Desired:
    """The objects of the kinds that may go ahead which were not desired in the last pass.

    Nothing if anything else differs too, since devices come before what hangs on them; and nothing where a route may
    have to wait for its peer, which only the kernel's state shows.
    """
    types = [kind.type for kind in kinds if kind.ahead]
    if any(kind.may_wait and want.of(kind.type) for kind in kinds) or want.without(*types) != last.without(*types):
        return Desired()
    fresh: list[object] = []
    for kind in types:
        fresh += _fresh(want.of(kind), last.of(kind))
    return Desired(*fresh)


def send(nl: Netlink, fresh: Desired, kinds: Sequence[AnyKind], now: float) -> Outcome:
    """Add these, or put them in the place of others. Errors are not reported: the comparison meets them again."""
    names = {name for group in (fresh.routes, fresh.neighbours, fresh.forwarding) for name in _links(group)}
    links = {name: found for name in names if (found := link.find(nl, name)) is not None}
    outcome = Outcome()
    if len(links) == len(names):
        for kind in kinds:
            if kind.ahead and fresh.of(kind.type):
                changes = [c for c in kind.diff(fresh, Observed(links=links), now) if c.stage is Stage.ADD]
                outcome.done += kind.apply(nl, changes).done
    return outcome


def _links(entries: Iterable[PeerRoute | Neighbour | Forwarding]) -> set[str]:
    return {entry.link for entry in entries if entry.link}


def _fresh(want: tuple[T, ...], last: tuple[T, ...]) -> tuple[T, ...]:
    """What is in `want` only. Most are the very same objects, as `Memo` keeps them: no need to hash these."""
    same = set(map(id, want)) & set(map(id, last))
    others = {item for item in last if id(item) not in same}
    return tuple(item for item in want if id(item) not in same and item not in others)
