"""The kernel beside the desired state: read, compare, change what differs, and nothing that is not ours.

Ours are: links with the names and kinds that `devices.py` lists, with all that hangs on them, and routes of our
protocol number. Order of changes: what is missing is added first, routes are replaced in
place, and what is left over goes last, so that a change of backend never leaves a peer without a route.
"""

import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import TypeVar

from pybernetes.flannel.backends.bgp.learned import BACKUP_METRIC, backups, learned, leftovers, unlearned
from pybernetes.flannel.backends.ipsec import policies as ipsec_policies
from pybernetes.flannel.backends.wireguard import peers as wireguard_peers
from pybernetes.flannel.kernel import devices
from pybernetes.flannel.kernel.desired import Desired, Forwarding, LinkAddress, Neighbour, PeerRoute
from pybernetes.flannel.transition.pending_routes import hold
from pybernetes.linux import addr, fdb, ipmsg, link, neigh, route
from pybernetes.linux.errors import Missing, NetlinkError
from pybernetes.linux.rtnl import Netlink, Request

T = TypeVar("T")

#: Route protocol that marks routes as ours (shown by `ip route` as `proto 70`; 70 is `F`).
ROUTE_PROTOCOL = 70


@dataclass(frozen=True, slots=True)
class Observed:
    """The part of the kernel's state that we may change, with names instead of indexes."""

    links: Mapping[str, link.Link] = field(default_factory=dict)
    """All links of the namespace, by name."""
    addresses: frozenset[LinkAddress] = frozenset()
    routes: frozenset[PeerRoute] = frozenset()
    neighbours: frozenset[Neighbour] = frozenset()
    forwarding: frozenset[Forwarding] = frozenset()
    learned: frozenset[route.Route] = frozenset()
    """Routes that BIRD brought."""
    backups: frozenset[route.Route] = frozenset()
    """Our copies of those."""
    wireguard: wireguard_peers.Devices = field(default_factory=dict)
    """WireGuard devices of ours, by name."""
    ipsec: ipsec_policies.Security = field(default_factory=ipsec_policies.Security)
    """Policies and states of our xfrm interfaces."""

    @property
    def ours(self) -> dict[str, link.Link]:
        """Our links."""
        return {n: li for n, li in self.links.items() if devices.is_ours(n, li.kind)}


def observe(nl: Netlink) -> Observed:
    """Read the kernel."""
    by_index = {li.index: li for li in link.links(nl)}
    seen = Observed(links={li.name: li for li in by_index.values()})
    names = {li.index: name for name, li in seen.ours.items()}
    label = {index: li.name for index, li in by_index.items()}
    routes = _our_routes(nl)
    return replace(
        seen,
        addresses=frozenset(
            LinkAddress(names[a.index], a.cidr)
            for a in addr.addresses(nl)
            if a.index in names and a.scope != _LINK_LOCAL
        ),
        routes=frozenset(_peer_route(r, label.get(r.device, "")) for r in routes if r.metric != BACKUP_METRIC),
        neighbours=frozenset(
            Neighbour(names[n.index], n.ip, n.mac) for n in neigh.neighbours(nl, permanent=True) if n.index in names
        ),
        forwarding=frozenset(
            Forwarding(names[e.index], e.mac, e.dst)
            for e in fdb.entries(nl)
            if e.index in names and e.dst and e.permanent
        ),
        learned=frozenset(learned(nl)),
        backups=frozenset(r for r in routes if r.metric == BACKUP_METRIC),
        wireguard=wireguard_peers.observe(nl.netns, seen.ours),
        ipsec=ipsec_policies.observe(nl.netns, seen.ours),
    )


def _peer_route(r: route.Route, name: str) -> PeerRoute:
    # Of IPv6 the kernel tells the loopback where there is no link.
    return PeerRoute(r.dst, r.gateway, name if r.kind == "unicast" else "", r.onlink, kind=r.kind)


#: The kernel describes a route that has not changed by the same bytes, and of most nothing changes between passes.
_decode_route = lru_cache(maxsize=20_000)(route.decode)


def _our_routes(nl: Netlink) -> list[route.Route]:
    payloads: list[bytes] = []
    for family in addr.FAMILIES.values():
        with suppress(Missing):
            payloads += nl.dump(ipmsg.route_dump(family, protocol=ROUTE_PROTOCOL))
    return [r for r in map(_decode_route, payloads) if r.protocol == ROUTE_PROTOCOL]


_LINK_LOCAL = addr.SCOPES["link"]


@dataclass(frozen=True, slots=True)
class LinkPlan:
    """What to do with devices before anything can hang on them."""

    remove: tuple[str, ...] = ()
    create: tuple[devices.Device, ...] = ()
    adjust: tuple[devices.Device, ...] = ()
    leave: tuple[str, ...] = ()
    """Devices of ours that nobody wants any more; they go after the routes have moved."""

    def __bool__(self) -> bool:
        return bool(self.remove or self.create or self.adjust)


def plan_links(want: Desired, have: Observed) -> LinkPlan:
    """Compare the devices."""
    remove, create, adjust = [], [], []
    for wanted in want.devices:
        present = have.links.get(wanted.name)
        if present is None:
            create.append(wanted)
        elif not devices.fits(wanted, present, have.links):
            remove.append(wanted.name)
            create.append(wanted)
        elif not devices.is_right(wanted, present):
            adjust.append(wanted)
    names = {wanted.name for wanted in want.devices} | {r.link for r in want.routes}
    return LinkPlan(tuple(remove), tuple(create), tuple(adjust), tuple(sorted(set(have.ours) - names)))


@dataclass(frozen=True, slots=True)
class Change:
    """One thing to do, in words and as a message to the kernel."""

    text: str
    request: Request
    gone_is_fine: bool = False


def plan_entries(want: Desired, have: Observed) -> list[Change]:
    """Compare everything but the devices, given that these are as wanted."""
    index = {name: li.index for name, li in have.links.items()}
    missing, extra = _compare(want, have)
    return [*_additions(missing, have, index), *_copies(want, have), *_removals(extra, want, have, index)]


def _compare(want: Desired, have: Observed) -> tuple[Desired, Observed]:
    """What is missing, and what is there beyond what is wanted."""
    addresses, more_addresses = _difference(want.addresses, have.addresses)
    routes, more_routes = _difference(want.routes, have.routes)
    neighbours, more_neighbours = _difference(want.neighbours, have.neighbours)
    forwarding, more_forwarding = _difference(want.forwarding, have.forwarding)
    return (
        Desired(addresses=addresses, routes=routes, neighbours=neighbours, forwarding=forwarding),
        Observed(addresses=more_addresses, routes=more_routes, neighbours=more_neighbours, forwarding=more_forwarding),
    )


def _difference(want: tuple[T, ...], have: frozenset[T]) -> tuple[tuple[T, ...], frozenset[T]]:
    """(missing, too much). As `merge` leaves each wanted object once, their numbers tell when nothing is too much."""
    missing = tuple(item for item in want if item not in have)
    return missing, have.difference(want) if len(have) + len(missing) != len(want) else frozenset()


#: The metric of routes that are used where nothing better is known.
_LAST = 2**31


def _kernel_route(r: PeerRoute, index: Mapping[str, int]) -> route.Route:
    return route.Route(
        dst=r.dst,
        gateway=r.gateway,
        device=index.get(r.link, 0),
        onlink=r.onlink,
        kind=r.kind,
        metric=_LAST if r.kind == "blackhole" else 0,
        protocol=ROUTE_PROTOCOL,
    )


def _additions(missing: Desired, have: Observed, index: Mapping[str, int]) -> list[Change]:
    changes = []
    for a in missing.addresses:
        text = f"address {a.cidr} on {a.link} added ({a.reason})"
        changes.append(Change(text, addr.add_msg(index[a.link], a.cidr, replace=True)))
    for n in missing.neighbours:
        entry = neigh.Neighbour(index[n.link], n.ip, n.mac)
        changes.append(Change(f"neighbour {n.ip} is {n.mac} on {n.link} ({n.reason})", neigh.request("replace", entry)))
    for f in missing.forwarding:
        fdb_entry = fdb.FdbEntry(index[f.link], f.mac, f.dst)
        changes.append(Change(f"{f.mac} is behind {f.dst} on {f.link} ({f.reason})", fdb.request("replace", fdb_entry)))
    taken = {r.dst for r in have.routes} | {r.dst for r in have.learned} if missing.routes else set()
    for r in missing.routes:
        via = f"via {r.gateway} " if r.gateway else ""
        text = f"route to {r.dst} {via}dev {r.link} ({r.reason})" if r.link else f"{r.kind} {r.dst} ({r.reason})"
        change = Change(text, route.request("replace", _kernel_route(r, index)))
        moved = r.dst in taken and r.onlink and ":" in r.dst
        changes += _through_pinhole(change, r, index) if moved else [change]
    return changes


def _copies(want: Desired, have: Observed) -> list[Change]:
    """Changes of our copies of learned routes."""
    missing, extra = backups(want, have)
    made = [replace(r, protocol=ROUTE_PROTOCOL) for r in missing]
    return [
        *(Change(f"copy of the learned route to {r.dst}", route.request("replace", r)) for r in made),
        *(Change(f"copy of the route to {r.dst} removed", route.request("delete", r), True) for r in extra),
    ]


def _through_pinhole(change: Change, r: PeerRoute, index: Mapping[str, int]) -> list[Change]:
    """Move an IPv6 route to a tunnel whose far end lies inside the route's own destination.

    The kernel refuses a gateway that it would now reach by another device, even `onlink`. A host route to the
    gateway, there for the time of the move, makes both agree; so the route is replaced in one step, without a gap.
    """
    host = route.Route(dst=f"{r.gateway}/128", device=index[r.link], protocol=ROUTE_PROTOCOL)
    return [
        Change(f"way to {r.gateway} on {r.link}", route.request("replace", host)),
        change,
        Change(f"way to {r.gateway} on {r.link} no longer needed", route.request("delete", host), True),
    ]


def _removals(extra: Observed, want: Desired, have: Observed, index: Mapping[str, int]) -> list[Change]:
    changes = []
    # A route that was replaced in place is gone already: in IPv4 the kernel knows one per destination and metric.
    replaced = {(r.dst, r.kind) for r in want.routes if ":" not in r.dst} if extra.routes else set()
    for r in extra.routes:
        if (r.dst, r.kind) not in replaced:
            text = f"route to {r.dst} via {r.gateway or r.link or r.kind} removed: nobody has that subnet"
            changes.append(Change(text, route.request("delete", _kernel_route(r, index)), True))
    for rest in leftovers(want, have):
        text = f"route to {rest.dst} via {rest.gateway} removed: it was learned, and nobody learns any more"
        changes.append(Change(text, route.request("delete", rest), True))
    forwarded = {(f.link, f.mac) for f in want.forwarding} if extra.forwarding else set()
    for f in extra.forwarding:
        if (f.link, f.mac) not in forwarded:
            entry = fdb.FdbEntry(index[f.link], f.mac, f.dst)
            changes.append(Change(f"forwarding of {f.mac} to {f.dst} removed", fdb.request("delete", entry), True))
    known = {(n.link, n.ip) for n in want.neighbours} if extra.neighbours else set()
    for n in extra.neighbours:
        if (n.link, n.ip) not in known:
            old = neigh.Neighbour(index[n.link], n.ip, n.mac)
            changes.append(Change(f"neighbour {n.ip} on {n.link} removed", neigh.request("delete", old), True))
    for a in extra.addresses:
        changes.append(Change(f"address {a.cidr} on {a.link} removed", addr.delete_msg(index[a.link], a.cidr), True))
    return changes


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a pass did, in words, and what it could not do."""

    done: tuple[str, ...] = ()
    errors: tuple[str, ...] = ()
    waiting: tuple[str, ...] = ()
    """What comes later, since a peer has to answer first."""


def reconcile(nl: Netlink, want: Desired, *, private_key: str = "", clock: Callable[[], float] = time.time) -> Outcome:
    """One pass: make the kernel as wanted. The key is that of WireGuard devices; the clock tells Unix time."""
    have = observe(nl)
    want, waiting = with_old_ways(want, have, clock())
    plan = plan_links(want, have)
    done, errors = _apply_links(nl, plan, have, private_key)
    if plan:
        have = observe(nl)
    peers = wireguard_peers.plan(want, have.wireguard, private_key, clock())
    for words, more in zip((done, errors), wireguard_peers.set_up(nl.netns, peers, private_key), strict=True):
        words += more
    present = set(have.links)
    for words, more in zip((done, errors), ipsec_policies.set_up(nl.netns, want, have.ipsec, present), strict=True):
        words += more
    possible = _without_missing_links(want, present)
    changes = plan_entries(possible, have)
    for change, error in zip(changes, nl.batch([c.request for c in changes]), strict=True):
        if error is None:
            done.append(change.text)
        elif not (change.gone_is_fine and isinstance(error, Missing)):
            errors.append(f"{change.text}: {error}")
    # Before the links: without one of ours nobody would know these again as ours.
    done += ipsec_policies.clean_up(nl.netns, want, have.ipsec)
    for name in plan.leave:
        if link.ensure_deleted(nl, name):
            done.append(f"link {name} removed: no peer needs it")
    done += wireguard_peers.clean_up(nl.netns, peers)
    return Outcome(tuple(done), tuple(errors), waiting)


def with_old_ways(want: Desired, have: Observed, now: float) -> tuple[Desired, tuple[str, ...]]:
    """What is possible now, and a sentence for each route that waits for its peer."""
    silent = wireguard_peers.unanswered(want, have)
    until = {**unlearned(want, have), **silent, **ipsec_policies.unsecured(want, have, now)}
    want, waiting = hold(want, have, until)
    return wireguard_peers.greet(want, waiting.keys() & silent.keys()), tuple(waiting.values())


def _without_missing_links(want: Desired, present: set[str]) -> Desired:
    """What can be done now; a link that could not be made has been reported."""
    return replace(
        want,
        addresses=tuple(a for a in want.addresses if a.link in present),
        routes=tuple(r for r in want.routes if not r.link or r.link in present),
        neighbours=tuple(n for n in want.neighbours if n.link in present),
        forwarding=tuple(f for f in want.forwarding if f.link in present),
    )


def _apply_links(nl: Netlink, plan: LinkPlan, have: Observed, private_key: str) -> tuple[list[str], list[str]]:
    done, errors = [], []
    for name in plan.remove:
        link.ensure_deleted(nl, name)
        done.append(f"link {name} removed: its properties differ")
    for want in plan.create:
        try:
            devices.create(nl, want, have.links, private_key)
            done.append(f"link {want.name} created: {devices.describe(want)} mtu {want.mtu} ({want.reason})")
        except (NetlinkError, OSError) as error:
            errors.append(f"link {want.name}: {error}")
    for want in plan.adjust:
        try:
            devices.put_right(nl, want)
            done.append(f"link {want.name} set up, mtu {want.mtu}")
        except NetlinkError as error:
            errors.append(f"link {want.name}: {error}")
    return done, errors
