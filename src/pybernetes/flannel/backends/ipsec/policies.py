"""IPsec policies: those that are wanted beside those that the kernel has, and routes that wait for their tunnels.

As with WireGuard one end always changes over first, and a tunnel needs both. So a peer's route waits (`held.py`) until
the tunnel stands; in a network that starts with ipsec nothing is held back.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from pybernetes.flannel.backends.ipsec.backend import IF_IDS
from pybernetes.flannel.kernel.desired import Desired, IpsecPeer
from pybernetes.linux import link, xfrm
from pybernetes.linux.errors import Missing, NetlinkError
from pybernetes.linux.netns import Netns

if TYPE_CHECKING:
    from pybernetes.flannel.kernel.reconcile import Observed

#: By it states are bound to policies; the original has the same.
REQID = 11
#: The end that answers has its states before the end that asked: packets of a tunnel that is younger may be too early.
#: The kernel tells the age in whole seconds, so that this is at least 0.3.
_SETTLED = 1.3


@dataclass(frozen=True, slots=True)
class Security:
    """What of IPsec is ours in the kernel."""

    policies: frozenset[xfrm.Policy] = frozenset()
    states: tuple[xfrm.State, ...] = ()


def observe(netns: Netns | None, links: Mapping[str, link.Link]) -> Security:
    """All of it, if there is an interface of ours among these links."""
    ids = [li.if_id for li in links.values() if li.kind == "xfrm" and li.if_id in IF_IDS.values()]
    if not ids:
        return Security()
    with xfrm.Xfrm(netns) as nl:
        policies = frozenset(policy for if_id in ids for policy in nl.policies(if_id))
        return Security(policies, tuple(state for if_id in ids for state in nl.states(if_id)))


def policies_for(peer: IpsecPeer) -> tuple[xfrm.Policy, ...]:
    """Out, in, and for packets that are passed on to pods."""
    out = xfrm.Policy("out", peer.near, peer.far, peer.local, peer.remote, REQID, peer.if_id)
    back = xfrm.Policy("in", peer.far, peer.near, peer.remote, peer.local, REQID, peer.if_id)
    return out, back, replace(back, direction="fwd")


def unsecured(want: Desired, have: Observed, now: float) -> dict[str, str]:
    """The destinations behind tunnels that do not stand yet, and what each waits for."""
    behind = {(p.link, p.far): p for p in want.ipsec_peers}
    if not behind:
        return {}
    ready = {(s.src, s.dst) for s in have.ipsec.states if now - s.added >= _SETTLED}
    found = [(r.dst, behind.get((r.link, r.dst))) for r in want.routes]
    return {
        dst: f"the tunnel to {peer.remote} stands"
        for dst, peer in found
        if peer is not None and not {(peer.local, peer.remote), (peer.remote, peer.local)} <= ready
    }


def set_up(netns: Netns | None, want: Desired, have: Security, present: Iterable[str]) -> tuple[list[str], list[str]]:
    """Policies that are missing; what was done and what went wrong, in words."""
    links = set(present)
    wanted = [p for peer in want.ipsec_peers if peer.link in links for p in policies_for(peer)]
    missing = [p for p in wanted if p not in have.policies]
    if not missing:
        return [], []
    try:
        with xfrm.Xfrm(netns) as nl:
            outcome = list(zip(missing, nl.add_policies(missing), strict=True))
    except NetlinkError as error:
        return [], [str(error)]
    done = [xfrm.describe(policy) for policy, error in outcome if error is None]
    return done, [f"{error}" for _, error in outcome if error is not None]


def clean_up(netns: Netns | None, want: Desired, have: Security) -> list[str]:
    """Remove what nobody wants; what was done, in words."""
    wanted = {p for peer in want.ipsec_peers for p in policies_for(peer)}
    # One that was replaced in place is gone already: there is one for a direction and its networks.
    kept = {(p.direction, p.src, p.dst, p.if_id) for p in wanted}
    policies = [p for p in have.policies if (p.direction, p.src, p.dst, p.if_id) not in kept]
    ends = {pair for peer in want.ipsec_peers for pair in ((peer.local, peer.remote), (peer.remote, peer.local))}
    states = [s for s in have.states if (s.src, s.dst) not in ends]
    if not policies and not states:
        return []
    with xfrm.Xfrm(netns) as nl:
        results = [*nl.remove_policies(policies), *nl.remove_states(states)]
    words = [f"{xfrm.describe(p)} removed" for p in policies]
    words += [f"IPsec state {s.spi} from {s.src} to {s.dst} removed" for s in states]
    return [
        text if error is None else f"{text}: {error}"
        for text, error in zip(words, results, strict=True)
        if not isinstance(error, Missing)
    ]
