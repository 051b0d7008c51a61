"""This node's own lease: its interface, its addresses, the MACs of its links, its subnet."""

import logging
import random
from collections.abc import Callable, Mapping
from typing import Any

from pybernetes.flannel import interface
from pybernetes.flannel.backends import Backend, Backends, make
from pybernetes.flannel.config import IPAddress, NetworkConfig
from pybernetes.flannel.leases.lease import BEHIND_NAT, FamilyLease, Lease, Node
from pybernetes.flannel.leases.manager import ManagerUnavailable, Offer, OwnSubnets, SubnetManager
from pybernetes.flannel.leases.vtep import VTEP_MAC, is_unicast, random_mac
from pybernetes.linux import link
from pybernetes.linux.rtnl import Netlink

log = logging.getLogger(__name__)


def _translated(choice: interface.Choice, public: Mapping[int, IPAddress]) -> dict[str, str]:
    """Our own address of each family whose public one is on no interface of this node."""
    return {
        f"{BEHIND_NAT}{version}": str(choice.underlay.source(address))
        for version, address in public.items()
        if address not in choice.everywhere
    }


class Identity:
    """Determined at each pass, so that a changed address is announced; logs each change once."""

    def __init__(
        self,
        selection: interface.Selection,
        manager: SubnetManager,
        follow: Callable[[str], None],
        rng: random.Random,
        *,
        backends: Backends,
        is_ours: Callable[[link.Link], bool],
    ) -> None:
        """`follow` is called with the interface whose changes concern us."""
        self._backends = backends
        self._is_ours = is_ours
        self._selection = selection
        self._manager = manager
        self._follow = follow
        self._rng = rng
        self._macs: dict[str, str] = {}
        self._chosen: tuple[str, tuple[str, ...]] = ("", ())
        self._public: Mapping[int, IPAddress] = {}
        self._held: OwnSubnets | None = None
        self.confirmed = False
        """Whether the subnets are known to be still ours; false while the subnet manager is unavailable."""

    async def of(self, nl: Netlink, config: NetworkConfig, facts: Mapping[str, str]) -> Node:
        """This node's own lease, as it will be announced. Raises InterfaceError, LeaseError, ManagerUnavailable.

        While the subnet manager is unavailable, the last lease still defines what the kernel should hold.
        """
        versions = self._manager.versions(config)
        choice = interface.choose(nl, self._selection, versions, self._public)
        self._public = choice.public
        self._log_interface(choice)
        backend = make(config.backend, config.options, self._backends)
        known = {**facts, **self._link_macs(nl, config, backend, choice.public)}

        def data(public: Mapping[int, IPAddress]) -> dict[int, dict[str, Any]]:
            announced = known | _translated(choice, public)
            return {version: backend.announce(version, announced) for version in versions}

        held = await self._acquire(config, Offer(config.backend, choice.public, data(choice.public)))
        public = {**choice.public, **held.public}
        final = data(public)
        parts = tuple(
            FamilyLease(subnet, public[version], final[version]) for version, subnet in sorted(held.subnets.items())
        )
        return Node(Lease(held.name, config.backend, parts), choice.underlay)

    async def _acquire(self, config: NetworkConfig, offer: Offer) -> OwnSubnets:
        try:
            held = await self._manager.acquire(config, offer)
        except ManagerUnavailable as error:
            if self._held is None or self._held.subnets.keys() != offer.public.keys():
                raise
            log.debug("%s", error)
            self.confirmed = False
            return self._held
        self.confirmed = True
        self._log_new_subnets(held)
        return held

    def _log_interface(self, choice: interface.Choice) -> None:
        own = [str(choice.underlay.source(ip)) for ip in choice.public.values()]
        public = [str(ip) for ip in choice.public.values()]
        chosen = choice.underlay.link, (*own, *public)
        if chosen == self._chosen:
            return
        self._chosen = chosen
        self._follow(choice.underlay.link)
        name, addresses = choice.underlay.link, ", ".join(own)
        log.info("Using interface with name %s and address %s: it %s", name, addresses, choice.reason)
        log.info("Using %s as external address", ", ".join(public))

    def _log_new_subnets(self, held: OwnSubnets) -> None:
        """Warn about running pods if the subnet has changed."""
        before, self._held = self._held, held
        for version, subnet in before.subnets.items() if before else ():
            if held.subnets.get(version) != subnet:
                log.warning(
                    "the subnet of this node was %s and is %s now: pods that run here keep addresses of %s, which"
                    " peers no longer send here; restart them",
                    subnet,
                    held.subnets.get(version),
                    subnet,
                )

    def _link_macs(
        self, nl: Netlink, config: NetworkConfig, backend: Backend, public: Mapping[int, IPAddress]
    ) -> dict[str, str]:
        """The MACs to announce: that of the device, or the one announced before, or a new one.

        Peers hold the MAC in permanent entries, so it must survive a restart, and preferably a reboot.
        """
        names = {version: name for version in sorted(public) if (name := backend.announced_device(version))}
        if not names:
            return {}
        announced = self._manager.announced_data(config, public)
        for version, name in names.items():
            present = link.find(nl, name)
            if present is not None and self._is_ours(present):
                self._macs.setdefault(name, present.mac)
            elif name not in self._macs:
                before = announced.get(version, {}).get(VTEP_MAC)
                good = isinstance(before, str) and is_unicast(before.lower())
                self._macs[name] = str(before).lower() if good else random_mac(self._rng)
            if self._macs[name] in self._macs_of_others(config, version, public, announced):
                self._macs[name] = random_mac(self._rng)
        return self._macs

    def _macs_of_others(
        self,
        config: NetworkConfig,
        version: int,
        public: Mapping[int, IPAddress],
        announced: Mapping[int, Mapping[str, Any]],
    ) -> set[str]:
        """MACs in leases of other nodes. One with our MAC and another address may be our own, with a former address."""
        ours = announced.get(version, {}).get(VTEP_MAC), self._held.name if self._held else ""
        parts = [(lease.node, lease.family(version)) for lease in self._manager.leases(config)[0]]
        return {
            str(part.data.get(VTEP_MAC, "")).lower()
            for node, part in parts
            if part and part.public_ip != public[version] and part.data.get(VTEP_MAC) != ours[0] and node != ours[1]
        }
