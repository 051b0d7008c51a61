"""Routes to peers' subnets. Ours are known by their protocol number."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache

from pybernetes.flannel.kernel.desired import Desired, PeerRoute
from pybernetes.flannel.kernel.kind import Change, EntryKind, Message, Reading, Stage, add, difference, remove
from pybernetes.flannel.kernel.observed import Observed
from pybernetes.linux import addr, ipmsg, route
from pybernetes.linux.errors import Missing
from pybernetes.linux.link import Link
from pybernetes.linux.monitor import Event, RouteEvent
from pybernetes.linux.rtnl import Netlink

#: Route protocol that marks routes as ours (shown by `ip route` as `proto 70`; 70 is `F`).
ROUTE_PROTOCOL = 70
#: Metric of routes from a routing daemon that a backend runs; other daemons on this host have other ones. Above 1024,
#: the default for IPv6: of two routes, one of ours is preferred.
DAEMON_METRIC = 2070
#: Metric of our copies of those.
COPY_METRIC = DAEMON_METRIC + 1
#: Metric of blackholes, which are used only if no other route matches.
_LAST_METRIC = 2**31


@dataclass(frozen=True, slots=True)
class DaemonRoute:
    """A route in the kernel that a backend's routing daemon installed."""

    route: route.Route


@dataclass(frozen=True, slots=True)
class RouteCopy:
    """A copy of such a route in the kernel, with our protocol number and a higher metric."""

    route: route.Route


class Routes(EntryKind):
    """All routes with our protocol number. The copies among them are observed here and compared elsewhere."""

    type = PeerRoute
    ahead = True

    def observe(self, reading: Reading) -> Iterable[PeerRoute | RouteCopy]:
        for r in _our_routes(reading.nl):
            if r.metric == COPY_METRIC:
                yield RouteCopy(r)
            else:
                # For IPv6 routes without a link the kernel reports the loopback.
                link = reading.names.get(r.device, "") if r.kind == "unicast" else ""
                yield PeerRoute(r.dst, r.gateway, link, r.onlink, kind=r.kind)

    def diff(self, want: Desired, have: Observed, now: float) -> Iterable[Change[Message]]:
        links = have.links
        wanted = tuple(r for r in want.routes if not r.link or r.link in links)
        missing, extra = difference(wanted, have.routes)
        yield from _additions(missing, have)
        # In IPv4 there is one route per destination and metric: one that was replaced is gone already.
        replaced = {(r.dst, r.kind) for r in wanted if ":" not in r.dst} if extra else set()
        for r in extra:
            if (r.dst, r.kind) not in replaced:
                text = f"route to {r.dst} via {r.gateway or r.link or r.kind} removed: no node has that subnet"
                yield remove(text, route.request("delete", _kernel_route(r, links)))

    def concerns(self, event: Event, ours: Callable[[int], bool]) -> bool:
        """One of ours has gone, or a new route may have replaced one.

        The kernel reports `ip route replace` as a new route and does not mention the old one. Routes to single hosts,
        which come and go with pods, are never ours.
        """
        if not isinstance(event, RouteEvent):
            return False
        if event.gone:
            return event.route.protocol == ROUTE_PROTOCOL
        return event.route.table == ipmsg.RT_TABLE_MAIN and not event.route.dst.endswith(("/32", "/128"))


#: The kernel describes a route that has not changed by the same bytes, and most routes don't change between passes.
_decode = lru_cache(maxsize=20_000)(route.decode)


def _our_routes(nl: Netlink) -> Iterator[route.Route]:
    for family in addr.FAMILIES.values():
        with suppress(Missing):
            for r in map(_decode, nl.dump(ipmsg.route_dump(family, protocol=ROUTE_PROTOCOL))):
                if r.protocol == ROUTE_PROTOCOL:
                    yield r


def _kernel_route(r: PeerRoute, links: Mapping[str, Link]) -> route.Route:
    return route.Route(
        dst=r.dst,
        gateway=r.gateway,
        device=links[r.link].index if r.link in links else 0,
        onlink=r.onlink,
        kind=r.kind,
        metric=_LAST_METRIC if r.kind == "blackhole" else 0,
        protocol=ROUTE_PROTOCOL,
    )


def _additions(missing: Iterable[PeerRoute], have: Observed) -> Iterator[Change[Message]]:
    taken: set[str] | None = None
    for r in missing:
        via = f"via {r.gateway} " if r.gateway else ""
        text = f"route to {r.dst} {via}dev {r.link} ({r.reason})" if r.link else f"{r.kind} {r.dst} ({r.reason})"
        change = add(text, route.request("replace", _kernel_route(r, have.links)))
        if r.onlink and ":" in r.dst:
            if taken is None:
                taken = {known.dst for known in have.routes} | {known.route.dst for known in have.of(DaemonRoute)}
            if r.dst in taken:
                yield from _through_pinhole(change, r, have.links[r.link].index)
                continue
        yield change


def _through_pinhole(change: Change[Message], r: PeerRoute, device: int) -> Iterator[Change[Message]]:
    """Move an IPv6 route to a tunnel whose far end lies inside the route's own destination.

    The kernel refuses a gateway that it would now reach by another device, even `onlink`. A host route to the
    gateway, there for the time of the move, makes both agree; so the route is replaced in one step, without a gap.
    """
    host = route.Route(dst=f"{r.gateway}/128", device=device, protocol=ROUTE_PROTOCOL)
    yield add(f"temporary route to {r.gateway} on {r.link} added", route.request("replace", host))
    yield change
    text = f"temporary route to {r.gateway} on {r.link} removed"
    yield Change(Stage.ADD, text, Message(route.request("delete", host), missing_ok=True))
