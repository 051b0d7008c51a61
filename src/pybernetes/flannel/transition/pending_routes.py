"""Routes that wait: while a network changes over, a peer's old way stays until the new one is known to carry packets.

One end always changes over first. Where both ends are needed for a packet to pass (a key, a tunnel, a BGP session),
the new way leads nowhere for a while. Which destinations wait, and for what, is told by who knows: `bgp/learned.py`,
`wireguard/peers.py`, `ipsec/policies.py`. What stays for their sake is told here, and is the same for all: nothing of
it is wanted any longer by a backend, which may have been given up long ago.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace
from ipaddress import ip_network
from typing import TYPE_CHECKING

from pybernetes.flannel.kernel.desired import Desired, PeerRoute

if TYPE_CHECKING:
    from pybernetes.flannel.kernel.reconcile import Observed


def hold(want: Desired, have: Observed, until: Mapping[str, str]) -> tuple[Desired, dict[str, str]]:
    """`want`, with the ways that have to stay; a sentence for each destination that goes by one.

    `until` has the destinations whose new way is not there yet, and what each waits for. One that was not reached
    before, or by a link that is down, has nothing to lose: it gets its new route at once.
    """
    if not until:
        return want, {}
    before: dict[str, list[PeerRoute]] = {}
    for r in have.routes:
        if r.dst in until:
            before.setdefault(r.dst, []).append(r)
    new = {r.dst: r.link for r in want.routes if r.link and r.dst in until}
    held = {dst: routes for dst, routes in before.items() if new.get(dst) not in {r.link for r in routes}}
    old = {dst: min(names) for dst, routes in held.items() if (names := _alive(routes, have))}
    covered = _covered(until.keys() - before.keys(), want, have)
    if not old and not covered:
        return want, {}
    routes = tuple(r for r in want.routes if r.dst not in covered and (r.dst not in old or not r.link))
    kept = [r for dst, name in old.items() for r in held[dst] if r.link == name or not r.link]
    went = {**old, **covered}
    return (
        _with_what_they_need(replace(want, routes=tuple(dict.fromkeys([*routes, *kept]))), kept, have),
        {dst: f"route to {dst} stays on {went[dst]} until {what}" for dst, what in until.items() if dst in went},
    )


def _alive(routes: Collection[PeerRoute], have: Observed) -> set[str]:
    """The links by which these still lead somewhere."""
    return {r.link for r in routes if r.link in have.links and have.links[r.link].up}


def _with_what_they_need(want: Desired, kept: Collection[PeerRoute], have: Observed) -> Desired:
    """`want`, and the neighbours, forwarding entries and addresses by which these routes lead somewhere.

    Their links stay because routes name them.
    """
    gateways, names = {(r.link, r.gateway) for r in kept}, {r.link for r in kept}
    neighbours = [n for n in have.neighbours if (n.link, n.ip) in gateways]
    macs = {(n.link, n.mac) for n in neighbours}
    forwarding = [f for f in have.forwarding if (f.link, f.mac) in macs]
    addresses = [a for a in have.addresses if a.link in names]
    return replace(
        want,
        neighbours=tuple(dict.fromkeys([*want.neighbours, *neighbours])),
        forwarding=tuple(dict.fromkeys([*want.forwarding, *forwarding])),
        addresses=tuple(dict.fromkeys([*want.addresses, *addresses])),
    )


def _covered(missing: Collection[str], want: Desired, have: Observed) -> dict[str, str]:
    """Which of these are reached by a wider route of ours, as with udp, and through which link that goes.

    A narrower one would take their packets from it. It stays as long as its backend lingers, and no longer: without
    the backend's process it leads nowhere.
    """
    inner = {dst: ip_network(dst) for dst in missing}
    shortest = {v: min((n.prefixlen for n in inner.values() if n.version == v), default=0) for v in (4, 6)}
    # Routes to single peers, of which there may be thousands, are as narrow as what is missing.
    wide = [r for r in want.routes if r.link and int(r.dst.rpartition("/")[2]) < shortest[6 if ":" in r.dst else 4]]
    outer = [(ip_network(r.dst), r.link) for r in wide if r in have.routes and _alive([r], have)]
    return {
        dst: link
        for network, link in outer
        for dst, narrow in inner.items()
        if narrow.version == network.version and narrow.subnet_of(network)  # type: ignore[arg-type]  # one family
    }
