"""WireGuard devices: made, given the node's key and a port, and given them again if another program changes them."""

from __future__ import annotations

import errno
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import partial

from pybernetes.flannel.kernel.desired import Desired, Device
from pybernetes.flannel.kernel.kind import Change, Reading, Stage
from pybernetes.flannel.kernel.links import Act, LinkKind
from pybernetes.flannel.kernel.observed import Observed
from pybernetes.linux import link, wireguard
from pybernetes.linux.errors import Missing, NetlinkError
from pybernetes.linux.link import Link
from pybernetes.linux.rtnl import Netlink

LINK = "flannel-wg"
LINK_V6 = "flannel-wg-v6"


@dataclass(frozen=True, slots=True)
class WireguardLink(Device):
    """A WireGuard device. Its private key is no part of the desired state: it comes from the node's key file."""

    name: str
    port: int
    """UDP port that it listens on."""
    mtu: int
    reason: str = field(default="", compare=False)


class WireguardDevices(LinkKind[WireguardLink]):
    """Devices of the wireguard backend. What is observed of them, peers included, are values `wireguard.Device`."""

    type = WireguardLink
    link_kind = module = "wireguard"
    pattern = re.compile(rf"{LINK}(-v6)?")
    # The kernel reports no changes of keys and peers.
    poll_seconds = 1.0

    def __init__(self, private_key: Callable[[], str]) -> None:
        self._private_key = private_key

    def observe(self, reading: Reading) -> Iterable[wireguard.Device]:
        names = [name for name, found in reading.ours.items() if self.is_ours(found)]
        found = []
        if names:
            with wireguard.Wireguard(reading.nl.netns) as wg:
                for name in names:
                    try:
                        found.append(wg.device(name))
                    except Missing:
                        continue  # it was deleted meanwhile
        return found

    def diff(self, want: Desired, have: Observed, now: float) -> Iterable[Change[Act]]:
        yield from super().diff(want, have, now)
        wanted = want.of(WireguardLink)
        key = self._private_key() if wanted else ""
        devices = {device.name: device for device in have.of(wireguard.Device)}
        for w in wanted:
            device = devices.get(w.name)
            if device is not None and (device.private_key, device.listen_port) != (key, w.port):
                text = f"key and port {w.port} of {w.name} set"
                yield Change(Stage.SET_UP, text, partial(_configure, name=w.name, key=key, port=w.port))

    def fits(self, want: WireguardLink, have: Link, links: Mapping[str, Link]) -> bool:
        return have.kind == "wireguard"

    def create(self, nl: Netlink, want: WireguardLink, links: Mapping[str, Link]) -> None:
        link.add_wireguard(nl, want.name, mtu=want.mtu)
        try:
            _configure(nl, want.name, self._private_key(), want.port)
            link.set_up(nl, want.name)
        except NetlinkError as error:
            link.ensure_deleted(nl, want.name)
            if error.errno == errno.EADDRINUSE:
                hint = f"UDP port {want.port} is taken; set Backend.ListenPort to another"
                raise NetlinkError(error.errno, "set up", want.name, hint) from error
            raise

    def describe(self, want: WireguardLink) -> str:
        return f"wireguard port {want.port}"


def _configure(nl: Netlink, name: str, key: str, port: int) -> bool:
    with wireguard.Wireguard(nl.netns) as wg:
        wg.configure(name, private_key=key, listen_port=port)
    return True
