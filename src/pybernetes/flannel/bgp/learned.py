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
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import TYPE_CHECKING

from pybernetes.flannel.desired import Desired
from pybernetes.linux import addr, ipmsg, route
from pybernetes.linux.errors import Missing
from pybernetes.linux.rtnl import Netlink

if TYPE_CHECKING:
    from pybernetes.flannel.kernel import Observed

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


def hold(want: Desired, have: Observed) -> tuple[Desired, tuple[str, ...]]:
    """`want`, and those ways of ours that have to stay until their learned routes are there; a sentence for each."""
    arrived = {r.dst for r in have.learned}
    missing = {r.dst for r in want.learned} - arrived - {r.dst for r in want.routes}
    if not missing or not have.routes:
        return want, ()
    held = tuple(r for r in have.routes if r.dst in missing)
    old = {r.dst: r.link for r in held} | _covered(missing, have)
    waiting = tuple(f"route to {dst} stays on {name} until BIRD learns another" for dst, name in sorted(old.items()))
    if not held:
        return want, waiting
    gateways = {(r.link, r.gateway) for r in held}
    neighbours = tuple(n for n in have.neighbours if (n.link, n.ip) in gateways)
    macs = {(n.link, n.mac) for n in neighbours}
    kept = replace(
        want,
        routes=want.routes + held,
        neighbours=tuple(dict.fromkeys(want.neighbours + neighbours)),
        forwarding=tuple(dict.fromkeys([*want.forwarding, *(f for f in have.forwarding if (f.link, f.mac) in macs)])),
        addresses=tuple(
            dict.fromkeys([*want.addresses, *(a for a in have.addresses if a.link in {r.link for r in held})])
        ),
    )
    return kept, waiting


def _covered(missing: set[str], have: Observed) -> dict[str, str]:
    """Which of these lie inside a wider route of ours, and through which link that goes."""
    shortest = {v6: min((_length(dst) for dst in missing if (":" in dst) == v6), default=0) for v6 in (False, True)}
    # Routes to single peers, of which there may be thousands, are as narrow as what is missing.
    wide = [(r, ip_network(r.dst)) for r in have.routes if r.link and _length(r.dst) < shortest[":" in r.dst]]
    return {dst: r.link for r, network in wide for dst in missing if _inside(dst, network)}


def _length(dst: str) -> int:
    return int(dst.rpartition("/")[2])


def _inside(dst: str, network: IPv4Network | IPv6Network) -> bool:
    inner = ip_network(dst)
    return inner.version == network.version and inner.subnet_of(network)  # type: ignore[arg-type]  # one family


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
