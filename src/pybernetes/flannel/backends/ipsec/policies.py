"""IPsec policies and states: those that are wanted compared with those that the kernel has.

As with WireGuard one end always changes over first, and a tunnel needs both. So a peer's route waits
(`transition/pending_routes.py`) until both states of its tunnel exist; in a network that starts with ipsec nothing is
held back. charon makes the states; here they are only removed when their peer is no longer wanted.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from pybernetes.flannel.backends.ipsec.interface import IF_IDS, NAME
from pybernetes.flannel.kernel.desired import Desired
from pybernetes.flannel.kernel.kind import Change, KernelKind, Outcome, Reading, Recovery, Stage
from pybernetes.flannel.kernel.observed import Observed
from pybernetes.flannel.leases.lease import FamilyLease, Lease
from pybernetes.linux import xfrm
from pybernetes.linux.errors import Missing, NetlinkError
from pybernetes.linux.rtnl import Netlink

#: By it states are bound to policies; Go flanneld uses the same.
REQID = 11
#: The responder has its states before the initiator: a packet that it sends at once may arrive too early.
#: The kernel reports the age in whole seconds, so that this is at least 0.3.
_SETTLED = 1.3


@dataclass(frozen=True, slots=True)
class IpsecEnd:
    """What charon needs to know for all peers."""

    psk: str = field(repr=False)
    proposal: str
    encap: bool
    """ESP in UDP in any case."""


@dataclass(frozen=True, slots=True)
class IpsecPeer:
    """An ESP tunnel to a peer."""

    node: str
    local: str
    """The tunnel's address here; `identity` is the one that peers know, which may be a NAT's."""
    identity: str
    remote: str
    near: str
    """Our subnet; `far` is theirs."""
    far: str
    link: str
    if_id: int
    reason: str = field(default="", compare=False)


class Policies(KernelKind[xfrm.Policy | xfrm.State]):
    """Policies and states of our xfrm interfaces."""

    type = IpsecPeer
    may_wait = True

    def observe(self, reading: Reading) -> Iterable[xfrm.Policy | xfrm.State]:
        ids = [found.if_id for found in reading.ours.values() if found.kind == "xfrm" and found.if_id in _OUR_IDS]
        if not ids:
            return []
        with xfrm.Xfrm(reading.nl.netns) as nl:
            policies = [policy for if_id in ids for policy in nl.policies(if_id)]
            return [*policies, *(state for if_id in ids for state in nl.states(if_id))]

    def diff(self, want: Desired, have: Observed, now: float) -> Iterable[Change[xfrm.Policy | xfrm.State]]:
        peers = want.of(IpsecPeer)
        wanted = [policy for peer in peers for policy in policies_for(peer)]
        policies, states = have.of(xfrm.Policy), have.of(xfrm.State)
        if not (wanted or policies or states):
            return
        present = {found.if_id for found in have.links.values()}
        for policy in wanted:
            if policy.if_id in present and policy not in policies:
                yield Change(Stage.SET_UP, xfrm.describe(policy), policy)
        # There is one policy for a direction and its networks: one that was replaced in place is gone already.
        kept = {(p.direction, p.src, p.dst, p.if_id) for p in wanted}
        for policy in policies:
            if (policy.direction, policy.src, policy.dst, policy.if_id) not in kept:
                yield Change(Stage.CLEAN_UP, f"{xfrm.describe(policy)} removed", policy)
        ends = {pair for peer in peers for pair in ((peer.local, peer.remote), (peer.remote, peer.local))}
        for state in states:
            if (state.src, state.dst) not in ends:
                text = f"IPsec state {state.spi} from {state.src} to {state.dst} removed"
                yield Change(Stage.CLEAN_UP, text, state)

    def apply(self, nl: Netlink, changes: Sequence[Change[xfrm.Policy | xfrm.State]]) -> Outcome:
        policies = [action for change in changes if isinstance(action := change.action, xfrm.Policy)]
        states = [action for change in changes if isinstance(action := change.action, xfrm.State)]
        texts: dict[xfrm.Policy | xfrm.State, str] = {change.action: change.text for change in changes}
        removed: list[xfrm.Policy | xfrm.State] = [*policies, *states]
        outcome = Outcome()
        try:
            with xfrm.Xfrm(nl.netns) as ipsec:
                if changes[0].stage is Stage.SET_UP:
                    for policy, error in zip(policies, ipsec.add_policies(policies), strict=True):
                        if error is None:
                            outcome.done.append(texts[policy])
                        else:
                            outcome.errors.append(f"{error}")
                    return outcome
                results = [*ipsec.remove_policies(policies), *ipsec.remove_states(states)]
        except NetlinkError as error:
            outcome.errors.append(str(error))
            return outcome
        for item, failed in zip(removed, results, strict=True):
            if not isinstance(failed, Missing):
                outcome.done.append(texts[item] if failed is None else f"{texts[item]}: {failed}")
        return outcome

    def pending(self, want: Desired, have: Observed, now: float) -> Mapping[str, str]:
        """The destinations behind tunnels that are not established yet."""
        behind = {(p.link, p.far): p for p in want.of(IpsecPeer)}
        if not behind:
            return {}
        ready = {(s.src, s.dst) for s in have.of(xfrm.State) if now - s.added >= _SETTLED}
        found = [(r.dst, behind.get((r.link, r.dst))) for r in want.routes]
        return {
            dst: f"the tunnel to {peer.remote} stands"
            for dst, peer in found
            if peer is not None and not {(peer.local, peer.remote), (peer.remote, peer.local)} <= ready
        }

    def recover(self, have: Observed, leases: Collection[Lease]) -> Recovery:
        if not any(found.kind == "xfrm" for found in have.ours.values()):
            return Recovery()
        options = {"udpencap": any(state.encap for state in have.of(xfrm.State))}
        return Recovery({NAME: options}, tuple(_former(have.of(xfrm.Policy), leases)))


_OUR_IDS = frozenset(IF_IDS.values())


def policies_for(peer: IpsecPeer) -> tuple[xfrm.Policy, ...]:
    """Out, in, and for packets that are passed on to pods."""
    out = xfrm.Policy("out", peer.near, peer.far, peer.local, peer.remote, REQID, peer.if_id)
    back = xfrm.Policy("in", peer.far, peer.near, peer.remote, peer.local, REQID, peer.if_id)
    return out, back, replace(back, direction="fwd")


def _former(policies: Iterable[xfrm.Policy], leases: Collection[Lease]) -> Iterator[Lease]:
    """Leases of peers that were reached by ipsec and announce another backend now."""
    ends = {policy.dst: policy.far for policy in policies if policy.direction == "out"}
    for lease in leases:
        parts = [
            FamilyLease(part.subnet, ipaddress.ip_address(ends[str(part.subnet)]))
            for part in lease.families
            if str(part.subnet) in ends
        ]
        if parts and lease.backend != NAME:
            yield Lease(lease.node, NAME, tuple(parts))
