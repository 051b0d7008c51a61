"""What is new since the last pass goes into the kernel first; the comparison of everything comes right after it.

Reading thousands of entries takes longer than writing one. So a pass sends at once what is desired now and was not in
the last one, and then does what every pass does: it compares all of the kernel with all that is desired. Nothing rests
on what was sent ahead: an entry that was refused, lost or undone meanwhile is found by the comparison.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TypeVar

from pybernetes.flannel.kernel.desired import Desired
from pybernetes.flannel.kernel.reconcile import Observed, Outcome, plan_entries, reconcile
from pybernetes.linux import link
from pybernetes.linux.rtnl import Netlink

T = TypeVar("T")


class Reconciler:
    """Passes of one daemon, each of which knows what the one before it left."""

    def __init__(self) -> None:
        self._left: Desired | None = None
        """The kernel was found or made exactly so, and nothing waits. None: we don't know how it is."""

    def reconcile(self, nl: Netlink, want: Desired, *, private_key: str = "") -> Outcome:
        """One pass: make the kernel as wanted. The key is that of WireGuard devices."""
        left, self._left = self._left, None
        early = send(nl, news(want, left)) if left is not None else ()
        outcome = reconcile(nl, want, private_key=private_key)
        if not outcome.errors and not outcome.waiting:
            self._left = want
        return replace(outcome, done=(*early, *outcome.done))


def news(want: Desired, left: Desired) -> Desired:
    """Routes, neighbours and forwarding entries that were not desired in the last pass.

    Nothing if anything else differs too, as devices come before what hangs on them; and nothing where a route may have
    to wait for its peer, which only the kernel's state tells.
    """
    waits = want.wireguards or want.xfrms or want.ipsec_peers or want.learned
    if waits or _without_entries(want) != _without_entries(left):
        return Desired()
    return Desired(
        routes=_fresh(want.routes, left.routes),
        neighbours=_fresh(want.neighbours, left.neighbours),
        forwarding=_fresh(want.forwarding, left.forwarding),
    )


def send(nl: Netlink, fresh: Desired) -> tuple[str, ...]:
    """Add these, or put them in the place of others; returns what succeeded. What is refused, the comparison meets."""
    names = {e.link for group in (fresh.routes, fresh.neighbours, fresh.forwarding) for e in group if e.link}
    links = {name: found for name in names if (found := link.find(nl, name)) is not None}
    if len(links) != len(names):
        return ()
    changes = plan_entries(fresh, Observed(links=links))
    errors = nl.batch([change.request for change in changes])
    return tuple(change.text for change, error in zip(changes, errors, strict=True) if error is None)


def _without_entries(all_of_it: Desired) -> Desired:
    return replace(all_of_it, routes=(), neighbours=(), forwarding=(), problems=())


def _fresh(want: tuple[T, ...], left: tuple[T, ...]) -> tuple[T, ...]:
    """What is in `want` only. Most are the very same objects, as `Memo` keeps them: no need to hash these."""
    same = set(map(id, want)) & set(map(id, left))
    others = {item for item in left if id(item) not in same}
    return tuple(item for item in want if id(item) not in same and item not in others)
