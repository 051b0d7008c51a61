"""WireGuard's peers: those that are wanted beside those that the devices have, and routes that wait for an answer.

WireGuard differs from other tunnels: both ends must know each other's key before the first packet. While a network
changes over to it, one end is always first. So a peer's route waits (`held.py`) until the peer has answered; from a
network that starts with WireGuard nothing is held back.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from pybernetes.flannel.kernel.desired import Desired, WireguardLink, WireguardPeer
from pybernetes.linux import link, wireguard
from pybernetes.linux.errors import Missing, NetlinkError
from pybernetes.linux.netns import Netns

if TYPE_CHECKING:
    from pybernetes.flannel.kernel.reconcile import Observed

#: After so many seconds without a new handshake a session is dead (REJECT_AFTER_TIME in the protocol).
_SESSION = 180.0
#: What makes the kernel greet a peer at once.
_GREET = 1

Devices = Mapping[str, wireguard.Device]


def observe(netns: Netns | None, links: Mapping[str, link.Link]) -> dict[str, wireguard.Device]:
    """The WireGuard devices among these links."""
    names = [name for name, li in links.items() if li.kind == "wireguard"]
    found: dict[str, wireguard.Device] = {}
    if names:
        with wireguard.Wireguard(netns) as wg:
            for name in names:
                with suppress(Missing):  # it went meanwhile
                    found[name] = wg.device(name)
    return found


def unanswered(want: Desired, have: Observed) -> dict[str, str]:
    """The destinations behind peers that have not answered yet, and what each waits for."""
    behind = {(p.link, cidr): p for p in want.wireguard_peers for cidr in p.allowed}
    found = [(r, behind.get((r.link, r.dst))) for r in want.routes] if behind else []
    return {
        r.dst: f"{peer.endpoint} answers on {r.link}"
        for r, peer in found
        if peer is not None and not _answered(peer, have.wireguard)
    }


def greet(want: Desired, waiting: Collection[str]) -> Desired:
    """`want`, in which the peers behind these destinations are spoken to although no packet goes there."""
    if not waiting:
        return want
    peers = tuple(
        replace(p, keepalive=p.keepalive or _GREET) if any(cidr in waiting for cidr in p.allowed) else p
        for p in want.wireguard_peers
    )
    return replace(want, wireguard_peers=peers)


def _answered(peer: WireguardPeer, devices: Devices) -> bool:
    device = devices.get(peer.link)
    known = device.peer(peer.public_key) if device else None
    return known is not None and known.last_handshake > 0


@dataclass(frozen=True, slots=True)
class DevicePlan:
    """What to change about one device."""

    name: str
    port: int | None = None
    """Set the key and this port; None: both are right."""
    peers: tuple[wireguard.Peer, ...] = ()
    remove: tuple[str, ...] = ()
    """Public keys; they go after the routes have moved."""
    words: tuple[str, ...] = field(default=(), compare=False)


def plan(want: Desired, devices: Devices, private_key: str, now: float) -> list[DevicePlan]:
    """Compare. Devices that are not there are left out."""
    return [_plan(w, want, devices[w.name], private_key, now) for w in want.wireguards if w.name in devices]


def _plan(device: WireguardLink, want: Desired, have: wireguard.Device, private_key: str, now: float) -> DevicePlan:
    right = have.private_key == private_key and have.listen_port == device.port
    words = [] if right else [f"key and port {device.port} of {device.name} set"]
    wanted = {p.public_key: p for p in want.wireguard_peers if p.link == device.name}
    peers = []
    for key, peer in wanted.items():
        entry = _entry(peer, have.peer(key), now)
        if entry is not None:
            peers.append(entry)
            words.append(f"peer {key} on {device.name} at {peer.endpoint} ({peer.reason})")
    remove = tuple(p.public_key for p in have.peers if p.public_key not in wanted)
    return DevicePlan(device.name, None if right else device.port, tuple(peers), remove, tuple(words))


def _entry(peer: WireguardPeer, known: wireguard.Peer | None, now: float) -> wireguard.Peer | None:
    """What to tell the kernel of a peer; None when it knows.

    A peer behind NAT comes from another address than it announces, and the kernel follows it as long as the two
    talk. That is left alone.
    """
    entry = wireguard.Peer(peer.public_key, peer.endpoint, frozenset(peer.allowed), peer.keepalive, peer.psk)
    if known is not None and known.endpoint is not None and now - known.last_handshake < _SESSION:
        entry = replace(entry, endpoint=known.endpoint)
    return None if entry == known else entry


def set_up(netns: Netns | None, plans: list[DevicePlan], private_key: str) -> tuple[list[str], list[str]]:
    """Keys, ports and peers that are missing; what was done and what went wrong, in words."""
    done: list[str] = []
    errors: list[str] = []
    todo = [p for p in plans if p.port is not None or p.peers]
    if not todo:
        return done, errors
    with wireguard.Wireguard(netns) as wg:
        for device in todo:
            try:
                if device.port is not None:
                    wg.configure(device.name, private_key=private_key, listen_port=device.port)
                wg.set_peers(device.name, device.peers)
                done += device.words
            except NetlinkError as error:
                errors.append(f"link {device.name}: {error}")
    return done, errors


def clean_up(netns: Netns | None, plans: list[DevicePlan]) -> list[str]:
    """Remove peers that nobody wants; what was done, in words."""
    done: list[str] = []
    todo = [p for p in plans if p.remove]
    if todo:
        with wireguard.Wireguard(netns) as wg:
            for device in todo:
                with suppress(Missing):
                    wg.remove_peers(device.name, device.remove)
                    done += [f"peer {key} on {device.name} removed" for key in device.remove]
    return done
