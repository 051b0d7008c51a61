"""Routes that BIRD installed: recognised in the kernel, waited for, and removed when they are no longer wanted.

While BIRD runs they are its own affair. They are less preferred than ours: when a network moves to bgp, the old route
is used until the learned route is there and only then goes; when it moves away, the new route wins at once.

For each of them there is a copy of our own, which is less preferred still. When BIRD removes its route although the
lease is there (a session that starts again with another AS number, a mesh that becomes a tree of reflectors, a
reflector that went), the kernel uses the copy, until BIRD installs another route or the lease has gone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import replace

from pybernetes.flannel.backends.bgp.speaker import BgpSpeaker
from pybernetes.flannel.kernel.desired import Desired, LearnedRoute
from pybernetes.flannel.kernel.kind import Change, EntryKind, Message, Reading, add, remove
from pybernetes.flannel.kernel.observed import Observed
from pybernetes.flannel.kernel.routes import COPY_METRIC, DAEMON_METRIC, ROUTE_PROTOCOL, DaemonRoute, RouteCopy
from pybernetes.linux import addr, ipmsg, route
from pybernetes.linux.errors import Missing
from pybernetes.linux.monitor import Event, RouteEvent
from pybernetes.linux.rtnl import Netlink

#: Metric of routes from our BIRD.
LEARNED_METRIC = DAEMON_METRIC
#: Route protocol of every BIRD.
BIRD_PROTOCOL = 12


def is_learned(r: route.Route) -> bool:
    """Whether our BIRD installed it."""
    return r.protocol == BIRD_PROTOCOL and r.metric == LEARNED_METRIC and r.table == ipmsg.RT_TABLE_MAIN


def learned(nl: Netlink) -> list[route.Route]:
    """Those in the kernel."""
    payloads: list[bytes] = []
    for family in addr.FAMILIES.values():
        with suppress(Missing):
            payloads += nl.dump(ipmsg.route_dump(family, protocol=BIRD_PROTOCOL))
    return [r for r in map(route.decode, payloads) if is_learned(r)]


class LearnedRoutes(EntryKind):
    """BIRD's routes, and our copies of them."""

    type = LearnedRoute
    may_wait = True

    def observe(self, reading: Reading) -> Iterable[DaemonRoute]:
        return map(DaemonRoute, learned(reading.nl))

    def diff(self, want: Desired, have: Observed, now: float) -> Iterable[Change[Message]]:
        missing, extra = copies(want, have)
        for r in missing:
            made = replace(r, protocol=ROUTE_PROTOCOL)
            yield add(f"copy of the learned route to {r.dst}", route.request("replace", made))
        for r in extra:
            yield remove(f"copy of the route to {r.dst} removed", route.request("delete", r))
        for r in leftovers(want, have):
            text = f"route to {r.dst} via {r.gateway} removed: it was learned, and BIRD runs no longer"
            yield remove(text, route.request("delete", r))

    def pending(self, want: Desired, have: Observed, now: float) -> Mapping[str, str]:
        """The destinations whose routes BIRD has not installed yet."""
        known = {r.route.dst for r in have.of(DaemonRoute)} | {r.dst for r in want.routes}
        missing = {r.dst for r in want.of(LearnedRoute)} - known
        return dict.fromkeys(sorted(missing), "BIRD learns another")

    def concerns(self, event: Event, ours: Callable[[int], bool]) -> bool:
        return isinstance(event, RouteEvent) and is_learned(event.route)


def copies(want: Desired, have: Observed) -> tuple[list[route.Route], list[route.Route]]:
    """Copies of learned routes: those that are missing, and those that are no longer needed."""
    wanted = {r.dst for r in want.of(LearnedRoute)}
    there = {copy.route.dst: copy.route for copy in have.of(RouteCopy)}
    missing = [
        replace(r, metric=COPY_METRIC)
        for r in _learned(have)
        if r.dst in wanted and r.gateway and not _same_next_hop(r, there.get(r.dst))
    ]
    return missing, [r for dst, r in sorted(there.items()) if dst not in wanted]


def leftovers(want: Desired, have: Observed) -> list[route.Route]:
    """Learned routes in a network without BGP: those of a BIRD that died without cleaning up."""
    return [] if want.of(BgpSpeaker) else _learned(have)


def _learned(have: Observed) -> list[route.Route]:
    return sorted((found.route for found in have.of(DaemonRoute)), key=lambda r: r.dst)


def _same_next_hop(r: route.Route, other: route.Route | None) -> bool:
    return other is not None and (r.gateway, r.device) == (other.gateway, other.device)
