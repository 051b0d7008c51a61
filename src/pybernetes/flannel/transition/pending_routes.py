"""Pending routes: while a network changes its backend, a peer's old route stays until the new one is known to work.

One end always changes over first. Where both ends are needed for a packet to pass (a key, a tunnel, a BGP session),
the new route leads nowhere for a while. Which destinations wait, and for what, is reported by the kinds of objects
that need an answer (`KernelKind.pending`). What stays for them is the same for all: it is no longer wanted by any
backend, which may have been given up long ago.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from ipaddress import ip_network

from pybernetes.flannel.kernel.desired import Desired, Forwarding, LinkAddress, Neighbour, PeerRoute
from pybernetes.flannel.kernel.kind import AnyKind
from pybernetes.flannel.kernel.observed import Observed


def keep_old_routes(
    kinds: Sequence[AnyKind], want: Desired, have: Observed, now: float
) -> tuple[Desired, tuple[str, ...]]:
    """What to aim at now, and a sentence for each route that waits for its peer. `now` is Unix time."""
    pending = [(kind, found) for kind in kinds if (found := kind.pending(want, have, now))]
    want, waiting = hold(want, have, {dst: what for _, found in pending for dst, what in found.items()})
    for kind, found in pending:
        want = kind.prompt(want, waiting.keys() & found.keys())
    return want, tuple(waiting.values())


def hold(want: Desired, have: Observed, until: Mapping[str, str]) -> tuple[Desired, dict[str, str]]:
    """`want` with the old routes that have to stay, and a sentence for each destination that keeps one.

    `until` has the destinations whose new route does not work yet, and what each waits for. A destination that was
    not reached before, or only by a link that is down, has nothing to lose: it gets its new route at once.
    """
    if not until:
        return want, {}
    before: dict[str, list[PeerRoute]] = {}
    for r in have.routes:
        if r.dst in until:
            before.setdefault(r.dst, []).append(r)
    new = {r.dst: r.link for r in want.routes if r.link and r.dst in until}
    held = {dst: routes for dst, routes in before.items() if new.get(dst) not in {r.link for r in routes}}
    old = {dst: min(names) for dst, routes in held.items() if (names := _links_that_are_up(routes, have))}
    covered = _covered(until.keys() - before.keys(), want, have)
    if not old and not covered:
        return want, {}
    routes = [r for r in want.routes if r.dst not in covered and (r.dst not in old or not r.link)]
    kept = [r for dst, name in old.items() for r in held[dst] if r.link == name or not r.link]
    via = {**old, **covered}
    return (
        _with_what_they_need(want.with_only(PeerRoute, [*routes, *kept]), kept, have),
        {dst: f"route to {dst} stays on {via[dst]} until {what}" for dst, what in until.items() if dst in via},
    )


def _links_that_are_up(routes: Collection[PeerRoute], have: Observed) -> set[str]:
    return {r.link for r in routes if r.link in have.links and have.links[r.link].up}


def _with_what_they_need(want: Desired, kept: Collection[PeerRoute], have: Observed) -> Desired:
    """`want`, and the neighbours, forwarding entries and addresses that these routes depend on.

    Their links stay because routes name them.
    """
    gateways, names = {(r.link, r.gateway) for r in kept}, {r.link for r in kept}
    neighbours = [n for n in have.neighbours if (n.link, n.ip) in gateways]
    macs = {(n.link, n.mac) for n in neighbours}
    forwarding = [f for f in have.forwarding if (f.link, f.mac) in macs]
    addresses = [a for a in have.addresses if a.link in names]
    want = want.with_only(Neighbour, [*want.neighbours, *neighbours])
    want = want.with_only(Forwarding, [*want.forwarding, *forwarding])
    return want.with_only(LinkAddress, [*want.addresses, *addresses])


def _covered(missing: Collection[str], want: Desired, have: Observed) -> dict[str, str]:
    """Which of these destinations a wider route of ours reaches, as with udp, and through which link.

    A narrower route would take their packets from it. The wider route stays as long as its backend lingers, and no
    longer: without the backend's process it leads nowhere.
    """
    inner = {dst: ip_network(dst) for dst in missing}
    shortest = {v: min((n.prefixlen for n in inner.values() if n.version == v), default=0) for v in (4, 6)}
    # Routes to single peers, of which there may be thousands, are as narrow as what is missing.
    wide = [r for r in want.routes if r.link and int(r.dst.rpartition("/")[2]) < shortest[6 if ":" in r.dst else 4]]
    outer = [(ip_network(r.dst), r.link) for r in wide if r in have.routes and _links_that_are_up([r], have)]
    return {
        dst: link
        for network, link in outer
        for dst, narrow in inner.items()
        if narrow.version == network.version and narrow.subnet_of(network)  # type: ignore[arg-type]  # one family
    }
