"""Warns if peers can probably not reach this node at the address that it announces. It may be intended."""

from collections.abc import Iterable

from pybernetes.flannel.leases.lease import BEHIND_NAT, FamilyLease, Lease, Underlay


def address_warnings(own: Lease, underlay: Underlay, peers: Iterable[Lease]) -> list[str]:
    """One sentence for each warning."""
    known = list(peers)
    found = [sentence for part in own.families if (sentence := _address(part, underlay, known))]
    if underlay.link == "lo":
        found.append(
            f"lo is the loopback: its MTU of {underlay.mtu} says nothing about the path to peers; set Backend.MTU, or"
            " name the interface to peers with --iface"
        )
    return found


def _address(part: FamilyLease, underlay: Underlay, peers: list[Lease]) -> str:
    address, flag = part.public_ip, "--public-ip" if part.public_ip.version == 4 else "--public-ipv6"
    if address.is_loopback:
        return f"{address} is a loopback address: no peer can send there; set {flag}, or --iface"
    if address.is_link_local:
        return f"{address} is valid on one segment only: peers beyond a router can't send there; set {flag}, or --iface"
    if BEHIND_NAT in part.data:
        return (
            f"{address} is not an address of this node but of a NAT (the node's own is {underlay.source(address)}): the"
            " NAT has to forward what peers send, and plain routes (host-gw, DirectRouting) can't be used"
        )
    if address.is_private and (public := _public_peer(part, peers)):
        return (
            f"{address} is private, while {public} is reached by a public address: if there is a NAT between"
            f" them, set {flag} to its outside address"
        )
    return ""


def _public_peer(part: FamilyLease, peers: list[Lease]) -> str:
    """A peer whose address is a public one."""
    for peer in peers:
        theirs = peer.family(part.subnet.version)
        if theirs is not None and theirs.public_ip.is_global:
            return f"{peer.node} ({theirs.public_ip})"
    return ""
