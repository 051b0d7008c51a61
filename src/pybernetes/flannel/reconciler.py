"""One pass over the kernel: send what is new, keep old routes as long as they are needed, make the rest as desired."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pybernetes.flannel.kernel.desired import Desired
from pybernetes.flannel.kernel.fast_path import news, send
from pybernetes.flannel.kernel.kind import AnyKind, Outcome
from pybernetes.flannel.kernel.reconcile import apply, observe
from pybernetes.flannel.transition.pending_routes import keep_old_routes
from pybernetes.linux.rtnl import Netlink


@dataclass(frozen=True, slots=True)
class PassOutcome:
    """What a pass did, in words, what it could not do, and what has to wait for a peer."""

    done: tuple[str, ...] = ()
    errors: tuple[str, ...] = ()
    waiting: tuple[str, ...] = ()


def reconcile(nl: Netlink, kinds: Sequence[AnyKind], want: Desired, now: float) -> PassOutcome:
    """Make the kernel as desired. `now` is Unix time."""
    have = observe(nl, kinds)
    want, waiting = keep_old_routes(kinds, want, have, now)
    outcome = apply(nl, kinds, want, have, now)
    return PassOutcome(tuple(outcome.done), tuple(outcome.errors), waiting)


class Reconciler:
    """The passes of one daemon: each knows what the one before it left."""

    def __init__(self, kinds: Sequence[AnyKind]) -> None:
        self._kinds = kinds
        self._last: Desired | None = None
        """The kernel was found or made exactly so, and nothing waits. None: its state is unknown."""

    def reconcile(self, nl: Netlink, want: Desired, now: float) -> PassOutcome:
        """One pass."""
        last, self._last = self._last, None
        early = Outcome() if last is None else send(nl, news(want, last, self._kinds), self._kinds, now)
        outcome = reconcile(nl, self._kinds, want, now)
        if not outcome.errors and not outcome.waiting:
            self._last = want
        return PassOutcome((*early.done, *outcome.done), outcome.errors, outcome.waiting)
