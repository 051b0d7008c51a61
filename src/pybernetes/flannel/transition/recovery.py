"""What an earlier life of this daemon left in the kernel: by which backends, and with which peers, it was at work.

A daemon may be killed while its network changes over. Its successor has no memory of the old way, but the devices,
neighbours, keys and policies of that are still there, and packets may still come by them. What the kernel does not
tell is lost: ipsec's secret, so that its tunnels serve as they are, and no charon renews them.
"""

import ipaddress
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from pybernetes.flannel.kernel.desired import LinkAddress, VxlanLink
from pybernetes.flannel.kernel.reconcile import Observed
from pybernetes.flannel.leases.lease import FamilyLease, Lease


@dataclass(frozen=True, slots=True)
class Remains:
    """What can be told from the kernel."""

    options: Mapping[str, Mapping[str, Any]]
    """The backends that have devices here, each with those of its options that devices show."""
    leases: tuple[Lease, ...]
    """What peers announced before: as much of it as tells their packets."""
    links: tuple[VxlanLink, ...] = ()
    addresses: tuple[LinkAddress, ...] = ()


def remains(have: Observed, leases: Collection[Lease]) -> Remains:
    """Compare the kernel with everybody's leases of this moment."""
    former = [*_by_vxlan(have, leases), *_by_wireguard(have, leases), *_by_ipsec(have, leases)]
    return Remains(_options(have), tuple(former), tuple(_links(have)), tuple(have.addresses))


def _links(have: Observed) -> Iterator[VxlanLink]:
    names = {link.index: name for name, link in have.links.items()}
    for name, link in sorted(have.ours.items()):
        info = link.vxlan
        if info is not None and info.device in names:
            kept = VxlanLink(name, info.vni, info.port, info.local, names[info.device], link.mtu, link.mac)
            yield replace(kept, learning=info.learning, gbp=info.gbp, reason="of an earlier life")


def _options(have: Observed) -> dict[str, Mapping[str, Any]]:
    found: dict[str, Mapping[str, Any]] = {}
    for name, link in sorted(have.ours.items(), reverse=True):
        match link.kind:
            case "vxlan" if link.vxlan:
                info = link.vxlan
                found["vxlan"] = {"vni": info.vni, "port": info.port, "gbp": info.gbp, "learning": info.learning}
            case "tun":
                found["udp"] = {}
            case "ipip":
                found["ipip"] = {}
            case "xfrm":
                found["ipsec"] = {"udpencap": any(state.encap for state in have.ipsec.states)}
            case "wireguard":
                device = have.wireguard.get(name)
                key = "listenportv6" if name.endswith("-v6") else "listenport"
                port = {key: device.listen_port} if device and device.listen_port else {}
                found["wireguard"] = {**found.get("wireguard", {}), **port}
    return found


def _by_vxlan(have: Observed, leases: Collection[Lease]) -> Iterator[Lease]:
    macs = {n.ip: n for n in have.neighbours}
    for lease in leases:
        parts = []
        for part in lease.families:
            entry = macs.get(str(part.subnet.network_address))
            link = have.links.get(entry.link) if entry else None
            if entry and link and link.vxlan:
                data = {"VNI": link.vxlan.vni, "VtepMAC": entry.mac}
                parts.append(FamilyLease(part.subnet, part.public_ip, data))
        if parts and lease.backend != "vxlan":
            yield Lease(lease.node, "vxlan", tuple(parts))


def _by_wireguard(have: Observed, leases: Collection[Lease]) -> Iterator[Lease]:
    keys = {subnet: p.public_key for device in have.wireguard.values() for p in device.peers for subnet in p.allowed}
    for lease in leases:
        parts = [
            FamilyLease(part.subnet, part.public_ip, {"PublicKey": keys[str(part.subnet)]})
            for part in lease.families
            if str(part.subnet) in keys
        ]
        if parts and lease.backend != "wireguard":
            yield Lease(lease.node, "wireguard", tuple(parts))


def _by_ipsec(have: Observed, leases: Collection[Lease]) -> Iterator[Lease]:
    ends = {policy.dst: policy.far for policy in have.ipsec.policies if policy.direction == "out"}
    for lease in leases:
        parts = [
            FamilyLease(part.subnet, ipaddress.ip_address(ends[str(part.subnet)]))
            for part in lease.families
            if str(part.subnet) in ends
        ]
        if parts and lease.backend != "ipsec":
            yield Lease(lease.node, "ipsec", tuple(parts))
