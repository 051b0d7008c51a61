"""wireguard: pod packets travel encrypted, in UDP, through a kernel WireGuard device on each node.

In the kernel, with Mode `separate` (the default) once per family (`flannel-wg` on port 51820 over IPv4,
`flannel-wg-v6` on 51821 over IPv6), with the other modes once for both (`flannel-wg`):

| object | value |
|---|---|
| link | wireguard, private key from the key file, ListenPort, MTU = underlay's - 80 |
| address | the subnet's network address, /32 (/128), so that host traffic has a source |

and per peer:

| object | value |
|---|---|
| peer | public key from its lease, endpoint = its public IP and port, allowed IPs = its subnets, PSK, keepalive |
| route | `<peer subnet> dev flannel-wg scope link` |

Options:

| key | meaning |
|---|---|
| PSK | a preshared key for all, base64 of 32 bytes |
| ListenPort, ListenPortV6 | 51820, 51821 |
| MTU | of the device, in place of the underlay's - 80 |
| Mode | `separate`; `auto`: one tunnel for both families, over IPv4 where the peer has it; `ipv4`, `ipv6`: over that |
| PersistentKeepaliveInterval | seconds, for peers behind NAT; 0: never |

Go flannel routes the entire pod network to the device; here each peer has its own route, so that a network can change
over peer by peer. Needs the module `wireguard`. The private key never leaves its node: leases have the public one as
`{"PublicKey": "..."}`, as in Go flannel.
"""

import os
from collections.abc import Mapping, Sequence
from typing import Any

from pybernetes.flannel.backends.actor import Actor
from pybernetes.flannel.backends.contract import Backend, BackendType
from pybernetes.flannel.backends.options import mtu, number
from pybernetes.flannel.backends.wireguard.device import LINK, LINK_V6, WireguardDevices, WireguardLink
from pybernetes.flannel.backends.wireguard.key_file import KeyFile, default_path
from pybernetes.flannel.backends.wireguard.names import NAME, PUBLIC_KEY
from pybernetes.flannel.backends.wireguard.peers import WireguardPeer, WireguardPeers
from pybernetes.flannel.config import ConfigError, FamilyConfig
from pybernetes.flannel.kernel.desired import Desired, LinkAddress, PeerRoute
from pybernetes.flannel.leases.lease import FamilyLease, Lease, Underlay
from pybernetes.flannel.options import FlannelOptions
from pybernetes.linux.wireguard import Endpoint, key_bytes

#: Outer IPv6 and UDP headers, and WireGuard's own; for IPv4, which needs 60, the same, as in Go flannel.
OVERHEAD = 80
_MODES = ("separate", "auto", "ipv4", "ipv6")


class Wireguard(Backend):
    """An encrypted tunnel."""

    def __init__(self, options: Mapping[str, Any]) -> None:
        self.port = number(options, "ListenPort", 51820, 1, 65535)
        self.port_v6 = number(options, "ListenPortV6", 51821, 1, 65535)
        self.mtu = mtu(options)
        self.keepalive = number(options, "PersistentKeepaliveInterval", 0, 0, 65535)
        self.mode = options.get("mode") or "separate"
        if self.mode not in _MODES:
            raise ConfigError(f"Backend.Mode must be one of {', '.join(_MODES)}; found {self.mode!r:.40}")
        if self.mode == "separate" and self.port == self.port_v6:
            raise ConfigError(f"Backend.ListenPort and ListenPortV6 must differ with Mode separate, found {self.port}")
        self.psk = _psk(options.get("psk") or "")

    def link(self, version: int) -> str:
        """The device of a family."""
        return LINK_V6 if version == 6 and self.mode == "separate" else LINK

    def announce(self, version: int, facts: Mapping[str, str]) -> dict[str, Any]:
        """The public key, as Go flannel writes it."""
        return {PUBLIC_KEY: facts.get(PUBLIC_KEY, "")}

    def overhead(self, version: int) -> int:
        """The outer headers."""
        return OVERHEAD

    def local(self, family: FamilyConfig, own: Lease, underlay: Underlay) -> Desired:
        """The device and its address."""
        mine = own.family(family.version)
        if mine is None:
            return Desired()
        name = self.link(family.version)
        port = self.port_v6 if name == LINK_V6 else self.port
        link = WireguardLink(name, port, self.mtu or underlay.mtu - OVERHEAD, "wireguard backend")
        address = f"{mine.subnet.network_address}/{mine.subnet.max_prefixlen}"
        return Desired(link, LinkAddress(name, address, "own subnet's tunnel endpoint"))

    def peer(self, family: FamilyConfig, own: Lease, peer: Lease, underlay: Underlay) -> Desired:
        """The peer and a route to it."""
        theirs, mine = peer.family(family.version), own.family(family.version)
        if theirs is None or mine is None:
            return Desired()
        key = _key(theirs)
        if not key:
            found = theirs.data.get(PUBLIC_KEY)
            return Desired(problems=(f"{peer.node}: lease of {theirs.subnet} has no usable PublicKey: {found!r:.50}",))
        if key == mine.data.get(PUBLIC_KEY):
            return Desired(problems=(f"{peer.node}: PublicKey of {theirs.subnet} is our own: remove one key file",))
        parts: tuple[FamilyLease, ...] = (theirs,)
        if self.mode != "separate":
            parts = tuple(part for part in peer.families if own.family(part.subnet.version) and _key(part) == key)
        endpoint = self._endpoint(family.version, peer)
        if endpoint is None:
            return Desired(problems=(f"{peer.node} has no address for Backend.Mode {self.mode}",))
        name = self.link(family.version)
        entry = WireguardPeer(
            link=name,
            public_key=key,
            endpoint=endpoint,
            allowed=tuple(str(part.subnet) for part in parts),
            keepalive=self.keepalive,
            psk=self.psk,
            reason=peer.reason,
        )
        return Desired(entry, PeerRoute(str(theirs.subnet), "", name, reason=peer.reason))

    def across_peers(self, family: FamilyConfig, own: Lease, peers: Sequence[Lease], underlay: Underlay) -> Desired:
        """Report two peers with the same key: packets to one of them would reach the other."""
        seen: dict[str, str] = {}
        problems = []
        for peer in peers:
            part = peer.family(family.version) if peer.backend == NAME else None
            key = _key(part) if part else ""
            if key and seen.setdefault(key, peer.node) != peer.node:
                problems.append(f"{peer.node} has the PublicKey of {seen[key]}: remove one of the two key files")
        return Desired(problems=tuple(problems))

    def _endpoint(self, version: int, peer: Lease) -> Endpoint | None:
        """Where the peer listens; with `auto`, over IPv4 if possible."""
        over = {"separate": (version,), "auto": (4, 6), "ipv4": (4,), "ipv6": (6,)}[self.mode]
        found = next((part for v in over if (part := peer.family(v))), None)
        if found is None:
            return None
        return Endpoint(str(found.public_ip), self.port_v6 if self.link(version) == LINK_V6 else self.port)


def _key(part: FamilyLease) -> str:
    """A lease's public key; empty if it is malformed."""
    key = part.data.get(PUBLIC_KEY)
    try:
        return key if isinstance(key, str) and any(key_bytes(key)) else ""
    except ValueError:
        return ""


def _psk(value: object) -> str:
    try:
        if value:
            key_bytes(str(value))
    except ValueError as error:
        raise ConfigError("Backend.PSK must be base64 of 32 bytes, as 'wg genpsk' prints; it is not shown") from error
    return str(value)


def _key_file(options: FlannelOptions) -> KeyFile:
    return KeyFile(options.wireguard_key or default_path(os.environ, options.subnet_file.parent))


def _actors(options: FlannelOptions) -> Sequence[Actor]:
    from pybernetes.flannel.backends.wireguard.actor import KeyActor

    return (KeyActor(_key_file(options)),)


WIREGUARD = BackendType(
    name=NAME,
    make=Wireguard,
    devices=lambda options: (WireguardDevices(_key_file(options).private),),
    kinds=lambda options: (WireguardPeers(),),
    actors=_actors,
)
