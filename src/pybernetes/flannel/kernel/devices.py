"""The kinds of links that backends want: when one that is there will do, how one is made, how it is put right.

One function each, and a case for every kind; which links there are to be is the business of `kernel.py`.
"""

import errno
import os
import re
from collections.abc import Mapping

from pybernetes.flannel.kernel.desired import IpipLink, TunLink, VxlanLink, WireguardLink, XfrmLink
from pybernetes.linux import link, wireguard
from pybernetes.linux.errors import Missing, NetlinkError, NotSupported
from pybernetes.linux.rtnl import Netlink

Device = VxlanLink | TunLink | IpipLink | WireguardLink | XfrmLink

#: Links of ours, by kind of link and name.
OURS = {
    "vxlan": re.compile(r"flannel(-v6)?\.\d+"),
    "tun": re.compile(r"flannel\d+"),
    "ipip": re.compile(r"flannel\.ipip"),
    "wireguard": re.compile(r"flannel-wg(-v6)?"),
    "xfrm": re.compile(r"flannel-ipsec6?"),
}


def is_ours(name: str, kind: str) -> bool:
    """Whether a link is one that a backend made."""
    return kind in OURS and OURS[kind].fullmatch(name) is not None


def fits(want: Device, have: link.Link, links: Mapping[str, link.Link]) -> bool:
    """Whether an existing device can serve as it is; these properties can't be changed in place."""
    match want:
        case TunLink():
            return have.kind == "tun"
        case WireguardLink():
            return have.kind == "wireguard"
        case XfrmLink():
            return have.if_id == want.if_id
        case IpipLink():
            return have.ipip is not None and (have.ipip.local, have.ipip.remote) == (want.local, "")
        case VxlanLink():
            return _vxlan_fits(want, have.vxlan, links.get(want.underlay))


def _vxlan_fits(want: VxlanLink, info: link.VxlanInfo | None, underlay: link.Link | None) -> bool:
    return (
        info is not None
        and underlay is not None
        and info.vni == want.vni
        and info.port == want.port
        and info.local == want.local
        and info.device == underlay.index
        and info.gbp == want.gbp
    )


def is_right(want: Device, have: link.Link) -> bool:
    """Whether a device that fits is also as it should be in what can be changed."""
    mac = _mac(want)
    learning = not isinstance(want, VxlanLink) or have.vxlan is None or have.vxlan.learning == want.learning
    return have.up and have.mtu == want.mtu and (not mac or have.mac == mac) and learning


def put_right(nl: Netlink, want: Device) -> None:
    """Change what can be changed. Raises NetlinkError."""
    link.set_mtu(nl, want.name, want.mtu)
    if mac := _mac(want):
        link.set_mac(nl, want.name, mac)
    if isinstance(want, VxlanLink):
        link.set_vxlan_learning(nl, want.name, want.learning)
    link.set_up(nl, want.name)


def describe(want: Device) -> str:
    """In a few words, for the log."""
    match want:
        case VxlanLink():
            return f"vxlan id {want.vni} port {want.port}"
        case TunLink():
            return "tun"
        case IpipLink():
            return f"ipip local {want.local}"
        case WireguardLink():
            return f"wireguard port {want.port}"
        case XfrmLink():
            return f"xfrm id {want.if_id}"


def create(nl: Netlink, want: Device, links: Mapping[str, link.Link], private_key: str = "") -> None:
    """Make the device and set it up. Raises NetlinkError or OSError, which say what is missing."""
    try:
        _create(nl, want, links, private_key)
    except NotSupported as error:
        kind = _module(want)
        hint = f"this kernel lacks the module {kind}: load it ('modprobe {kind}'), or choose another backend"
        raise NotSupported(error.errno, error.op, error.what, hint) from error


def _create(nl: Netlink, want: Device, links: Mapping[str, link.Link], private_key: str) -> None:
    match want:
        case TunLink():
            os.close(link.add_tun(nl, want.name, offload=True))
            put_right(nl, want)
        case IpipLink():
            link.add_ipip(nl, want.name, local=want.local, mtu=want.mtu, up=True)
        case WireguardLink():
            _create_wireguard(nl, want, private_key)
        case XfrmLink():
            link.add_xfrm(nl, want.name, want.if_id, mtu=want.mtu, up=True)
        case VxlanLink():
            underlay = links.get(want.underlay)
            if underlay is None:
                raise Missing(errno.ENODEV, "create", f"{want.name}: underlay {want.underlay}", "")
            _create_vxlan(nl, want, underlay.index)


def _create_vxlan(nl: Netlink, want: VxlanLink, underlay: int) -> None:
    link.add_vxlan(
        nl,
        want.name,
        want.vni,
        port=want.port,
        local=want.local,
        device=underlay,
        learning=want.learning,
        gbp=want.gbp,
        mtu=want.mtu,
        mac=want.mac,
        up=True,
    )


def _create_wireguard(nl: Netlink, want: WireguardLink, private_key: str) -> None:
    link.add_wireguard(nl, want.name, mtu=want.mtu)
    try:
        with wireguard.Wireguard(nl.netns) as wg:
            wg.configure(want.name, private_key=private_key, listen_port=want.port)
        link.set_up(nl, want.name)
    except NetlinkError as error:
        link.ensure_deleted(nl, want.name)
        if error.errno == errno.EADDRINUSE:
            hint = f"UDP port {want.port} is taken; set Backend.ListenPort to another"
            raise NetlinkError(error.errno, "set up", want.name, hint) from error
        raise


def _mac(want: Device) -> str:
    return want.mac if isinstance(want, VxlanLink) else ""


def _module(want: Device) -> str:
    names: dict[type[Device], str] = {IpipLink: "ipip", WireguardLink: "wireguard", VxlanLink: "vxlan", TunLink: "tun"}
    return names.get(type(want), "xfrm_interface")
