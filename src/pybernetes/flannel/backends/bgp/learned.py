"""Routes that BIRD brought: known again in the kernel, waited for, and removed when nobody wants them any more.

While BIRD runs they are its own affair. They are less preferred than ours, so that of two ways the one with a route
of ours is taken: when a network moves to bgp, the old way is used until the learned route is there and only then
goes; when it moves away, the new way wins at once.

Beside each stands a copy of our own, which is less preferred still. When BIRD takes its route away although the
lease is there (a session that begins anew with another AS number, a mesh that becomes a tree of reflectors, a
reflector that went), the kernel goes on with the copy, until BIRD knows better or the lease has gone.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING

from pybernetes.flannel.kernel.desired import Desired
from pybernetes.linux import addr, ipmsg, route
from pybernetes.linux.errors import Missing
from pybernetes.linux.rtnl import Netlink

if TYPE_CHECKING:
    from pybernetes.flannel.kernel.reconcile import Observed

#: Metric of routes from our BIRD; another BIRD on this host has other ones. Above 1024, the default for IPv6.
LEARNED_METRIC = 2070
BACKUP_METRIC = LEARNED_METRIC + 1
#: Route protocol of every BIRD.
BIRD_PROTOCOL = 12


def is_learned(r: route.Route) -> bool:
    """Whether our BIRD made it."""
    return r.protocol == BIRD_PROTOCOL and r.metric == LEARNED_METRIC and r.table == ipmsg.RT_TABLE_MAIN


def learned(nl: Netlink) -> list[route.Route]:
    """What is in the kernel."""
    payloads: list[bytes] = []
    for family in addr.FAMILIES.values():
        with suppress(Missing):
            payloads += nl.dump(ipmsg.route_dump(family, protocol=BIRD_PROTOCOL))
    return [r for r in map(route.decode, payloads) if is_learned(r)]


def unlearned(want: Desired, have: Observed) -> dict[str, str]:
    """The destinations whose routes BIRD has not brought yet, and what each waits for."""
    missing = {r.dst for r in want.learned} - {r.dst for r in have.learned} - {r.dst for r in want.routes}
    return dict.fromkeys(sorted(missing), "BIRD learns another")


def backups(want: Desired, have: Observed) -> tuple[list[route.Route], list[route.Route]]:
    """Copies of learned routes: those that are missing, and those that nobody needs any more."""
    wanted = {r.dst for r in want.learned}
    there = {r.dst: r for r in have.backups}
    missing = [
        replace(r, metric=BACKUP_METRIC)
        for r in sorted(have.learned, key=lambda r: r.dst)
        if r.dst in wanted and r.gateway and not _same_way(r, there.get(r.dst))
    ]
    return missing, [r for dst, r in sorted(there.items()) if dst not in wanted]


def _same_way(r: route.Route, other: route.Route | None) -> bool:
    return other is not None and (r.gateway, r.device) == (other.gateway, other.device)


def leftovers(want: Desired, have: Observed) -> list[route.Route]:
    """Learned routes in a network where nobody learns any more: those of a BIRD that died without cleaning up."""
    return [] if want.speakers else sorted(have.learned, key=lambda r: r.dst)
