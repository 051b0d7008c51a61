"""WireGuard's peers: those that are wanted compared with those that the devices have.

WireGuard differs from other tunnels: both ends must know each other's key before the first packet. While a network
changes over to it, one end is always first. So a peer's route waits (`transition/pending_routes.py`) until the peer
has answered; from a network that starts with WireGuard nothing is held back.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from pybernetes.flannel.backends.wireguard.device import WireguardLink
from pybernetes.flannel.backends.wireguard.names import NAME, PUBLIC_KEY
from pybernetes.flannel.kernel.desired import Desired
from pybernetes.flannel.kernel.kind import Change, KernelKind, Outcome, Recovery, Stage
from pybernetes.flannel.kernel.observed import Observed
from pybernetes.flannel.leases.lease import FamilyLease, Lease
from pybernetes.linux import wireguard
from pybernetes.linux.errors import Missing, NetlinkError
from pybernetes.linux.rtnl import Netlink
from pybernetes.linux.wireguard import Endpoint

#: After so many seconds without a new handshake a session is dead (REJECT_AFTER_TIME in the protocol).
_SESSION = 180.0
#: The keepalive interval that makes the kernel begin a handshake at once.
_PROMPT = 1


@dataclass(frozen=True, slots=True)
class WireguardPeer:
    """A peer of a WireGuard device."""

    link: str
    public_key: str
    endpoint: Endpoint
    allowed: tuple[str, ...]
    """Networks behind it."""
    keepalive: int = 0
    psk: str = field(default="", repr=False)
    reason: str = field(default="", compare=False)


@dataclass(frozen=True, slots=True)
class PeerChanges:
    """What to change about the peers of one device."""

    device: str
    set: tuple[wireguard.Peer, ...] = ()
    remove: tuple[str, ...] = ()
    """Public keys."""
    lines: tuple[str, ...] = ()
    """For the log, one for each peer."""


class WireguardPeers(KernelKind[PeerChanges]):
    """Peers of our devices, which `WireguardDevices` observes."""

    type = WireguardPeer
    may_wait = True

    def diff(self, want: Desired, have: Observed, now: float) -> Iterable[Change[PeerChanges]]:
        devices = {device.name: device for device in have.of(wireguard.Device)}
        for link in want.of(WireguardLink):
            device = devices.get(link.name)
            if device is None:
                continue
            wanted = {p.public_key: p for p in want.of(WireguardPeer) if p.link == device.name}
            found = [(peer, entry) for key, peer in wanted.items() if (entry := _entry(peer, device.peer(key), now))]
            if found:
                lines = tuple(
                    f"peer {peer.public_key} on {device.name} at {peer.endpoint} ({peer.reason})" for peer, _ in found
                )
                changes = PeerChanges(device.name, tuple(entry for _, entry in found), lines=lines)
                yield Change(Stage.SET_UP, f"link {device.name}", changes)
            if extra := tuple(p.public_key for p in device.peers if p.public_key not in wanted):
                lines = tuple(f"peer {key} on {device.name} removed" for key in extra)
                # After the routes have moved.
                yield Change(Stage.CLEAN_UP, f"link {device.name}", PeerChanges(device.name, (), extra, lines))

    def apply(self, nl: Netlink, changes: Sequence[Change[PeerChanges]]) -> Outcome:
        outcome = Outcome()
        with wireguard.Wireguard(nl.netns) as wg:
            for change in changes:
                action = change.action
                try:
                    if action.set:
                        wg.set_peers(action.device, action.set)
                    if action.remove:
                        wg.remove_peers(action.device, action.remove)
                    outcome.done += action.lines
                except Missing as error:
                    if action.set:
                        outcome.errors.append(f"{change.text}: {error}")
                except NetlinkError as error:
                    outcome.errors.append(f"{change.text}: {error}")
        return outcome

    def pending(self, want: Desired, have: Observed, now: float) -> Mapping[str, str]:
        """The destinations behind peers that have not answered yet."""
        behind = {(p.link, cidr): p for p in want.of(WireguardPeer) for cidr in p.allowed}
        found = [(r, behind.get((r.link, r.dst))) for r in want.routes] if behind else []
        return {
            r.dst: f"{peer.endpoint} answers on {r.link}"
            for r, peer in found
            if peer is not None and not _answered(peer, have.of(wireguard.Device))
        }

    def prompt(self, want: Desired, waiting: Collection[str]) -> Desired:
        """Begin handshakes with these peers: no packet would."""
        if not waiting:
            return want
        return want.with_only(
            WireguardPeer,
            [
                replace(p, keepalive=p.keepalive or _PROMPT) if any(cidr in waiting for cidr in p.allowed) else p
                for p in want.of(WireguardPeer)
            ],
        )

    def recover(self, have: Observed, leases: Collection[Lease]) -> Recovery:
        options: dict[str, int] = {}
        devices = sorted(have.of(wireguard.Device), key=lambda device: device.name)
        for device in devices:
            if device.listen_port:
                options["listenportv6" if device.name.endswith("-v6") else "listenport"] = device.listen_port
        return Recovery({NAME: options} if devices else {}, tuple(_former(devices, leases)))


def _answered(peer: WireguardPeer, devices: Iterable[wireguard.Device]) -> bool:
    device = next((device for device in devices if device.name == peer.link), None)
    known = device.peer(peer.public_key) if device else None
    return known is not None and known.last_handshake > 0


def _entry(peer: WireguardPeer, known: wireguard.Peer | None, now: float) -> wireguard.Peer | None:
    """A peer as the kernel should have it; None if it does.

    A peer behind NAT comes from another address than it announces, and the kernel follows it as long as the two
    talk. That is left alone.
    """
    entry = wireguard.Peer(peer.public_key, peer.endpoint, frozenset(peer.allowed), peer.keepalive, peer.psk)
    if known is not None and known.endpoint is not None and now - known.last_handshake < _SESSION:
        entry = replace(entry, endpoint=known.endpoint)
    return None if entry == known else entry


def _former(devices: Iterable[wireguard.Device], leases: Collection[Lease]) -> Iterator[Lease]:
    """Leases of peers that were reached by WireGuard and announce another backend now."""
    keys = {subnet: p.public_key for device in devices for p in device.peers for subnet in p.allowed}
    for lease in leases:
        parts = [
            FamilyLease(part.subnet, part.public_ip, {PUBLIC_KEY: keys[str(part.subnet)]})
            for part in lease.families
            if str(part.subnet) in keys
        ]
        if parts and lease.backend != NAME:
            yield Lease(lease.node, NAME, tuple(parts))
