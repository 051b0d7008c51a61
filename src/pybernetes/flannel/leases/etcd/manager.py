"""The etcd subnet manager: nodes lease their subnets in etcd, with no Kubernetes at all.

`format.py` defines what a lease looks like, `allocate.py` which subnet a node gets; this talks to etcd. A lease is a
key attached to an etcd lease of 24 hours, which is renewed in time. A daemon that ends leaves the key: the pods go on
running, and the next run finds it by the node's public address.
"""

import asyncio
import logging
import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from pybernetes.etcd import EtcdClient, EtcdError, LeaseGone, Unavailable, absent, delete, put, unchanged
from pybernetes.etcd.etcdpb import etcd_pb2 as pb
from pybernetes.flannel.config import ConfigError, IPAddress, IPNetwork, NetworkConfig
from pybernetes.flannel.leases.etcd import allocate
from pybernetes.flannel.leases.etcd import format as etcd_format
from pybernetes.flannel.leases.etcd.allocate import Taken
from pybernetes.flannel.leases.etcd.renewal import Renewal, since_boot
from pybernetes.flannel.leases.etcd.view import Entry, EtcdView
from pybernetes.flannel.leases.lease import FamilyLease, Lease, LeaseError
from pybernetes.flannel.leases.manager import ManagerUnavailable, Offer, OwnSubnets

log = logging.getLogger(__name__)

DEFAULT_PREFIX = "/coreos.com/network"
LEASE_SECONDS = 24 * 3600
MARGIN_SECONDS = 3600
_RACES = 10
_SUBNETS = "subnets/"


class EtcdManager:
    """A SubnetManager on etcd."""

    def __init__(
        self,
        client: EtcdClient,
        *,
        prefix: str = DEFAULT_PREFIX,
        previous: Mapping[int, IPNetwork] | None = None,
        lease_seconds: int = LEASE_SECONDS,
        margin_seconds: float = MARGIN_SECONDS,
        rng: random.Random | None = None,
        clock: Callable[[], float] = since_boot,
    ) -> None:
        self._client = client
        self._view = EtcdView(client, prefix)
        self._previous = dict(previous or {})
        self._lease_seconds = lease_seconds
        self._renewal = Renewal(client, self._lease_number, margin_seconds=margin_seconds, clock=clock)
        self._rng = rng or random.Random()
        self._held: OwnSubnets | None = None
        self._number = 0
        """The etcd lease that our key is attached to; 0: it is a reservation."""
        self._checked: tuple[object, ...] = ()
        self._strays: tuple[str, ...] = ()
        """Further leases with this node's address."""
        self._taken: dict[str, tuple[int, Taken | None]] = {}
        self._leases: dict[str, tuple[int, Lease | str]] = {}
        self._conflicts: tuple[int, dict[str, str]] = (-1, {})

    def describe(self) -> str:
        """In the words of Go flanneld."""
        return f"Etcd Local Manager with Previous Subnet: {_text(self._previous) or 'None'}"

    async def run(self, changed: Callable[[], None]) -> None:
        """Follow etcd and renew our lease."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._view.follow(changed), name="flannel: etcd watch")
            group.create_task(self._renewal.run(changed), name="flannel: lease renewal")

    async def synced(self) -> None:
        """Until all keys are known."""
        await self._view.synced()

    def config(self) -> str:
        """The value of `<prefix>/config`."""
        entry = self._view.keys.get("config")
        if entry is None:
            key = f"{self._view.prefix}config"
            raise ConfigError(
                f'etcd has no network config at {key}; write one: etcdctl put {key} \'{{"Network":"10.5.0.0/16"}}\''
            )
        return entry.value.decode(errors="backslashreplace")

    def versions(self, config: NetworkConfig) -> Sequence[int]:
        """All that the config enables."""
        return [family.version for family in config.families]

    def announced_data(self, config: NetworkConfig, public: Mapping[int, IPAddress]) -> Mapping[int, Mapping[str, Any]]:
        """From the lease that names our address."""
        for taken in self._all_taken():
            if allocate.is_mine(taken, public):
                return etcd_format.parse_value(self._view.keys[_SUBNETS + taken.name].value).data
        return {}

    async def acquire(self, config: NetworkConfig, offer: Offer) -> OwnSubnets:
        """Reuse, or create; see `allocate.choose`."""
        if self._held is not None:
            if self._still_held(config, offer):
                await self._delete_strays()
                return self._held
            log.warning(
                "lease %s is lost: pods go on running, but packets to them may be misrouted until there is a new lease",
                self._held.name,
            )
            self._previous, self._held = dict(self._held.subnets), None
        with _as_manager_errors():
            for _ in range(_RACES):
                await self._view.refresh()
                held = await self._try(config, offer)
                if held is not None:
                    self._held = held
                    return held
        raise LeaseError(f"other nodes were faster {_RACES} times in a row; trying again")

    async def announce(self, lease: Lease) -> None:
        """Write our lease's value if it differs."""
        name = _SUBNETS + lease.node
        entry = self._view.keys.get(name)
        if entry is None:
            raise LeaseError(f"lease {lease.node} has gone")
        value = etcd_format.value_of(lease)
        if entry.value == value:
            return
        key = self._view.prefix + name
        with _as_manager_errors():
            answer = await self._client.txn(
                pb.TxnRequest(compare=[unchanged(key, entry.modified)], success=[put(key, value, lease=entry.lease)])
            )
        if not answer.succeeded:
            raise ManagerUnavailable(f"lease {lease.node} was changed by another client meanwhile")
        self._view.wrote(name, Entry(value, entry.created, answer.header.revision, entry.lease))
        log.info("announced %s: %s", lease.backend, ", ".join(str(part.subnet) for part in lease.families))

    def leases(self, config: NetworkConfig) -> tuple[list[Lease], list[str]]:
        """From every key under `subnets/`."""
        leases: list[Lease] = []
        faults: list[str] = []
        decoded: dict[str, tuple[int, Lease | str]] = {}
        if self._conflicts[0] != self._view.version:
            self._conflicts = self._view.version, allocate.conflicts(self._all_taken())
        lost = self._conflicts[1]
        for name, entry in self._subnet_keys():
            known = self._leases.get(name)
            if known is None or known[0] != entry.modified:
                known = entry.modified, _decode(name, entry)
            decoded[name] = known
            lease = known[1]
            if name in lost:
                lease = f"it overlaps {lost[name]}, which came first"
            if isinstance(lease, Lease):
                leases.append(lease)
            else:
                faults.append(f"{self._view.prefix}{_SUBNETS}{name}: {lease}; skipped")
        self._leases = decoded
        return leases, faults

    # Our own lease

    async def _try(self, config: NetworkConfig, offer: Offer) -> OwnSubnets | None:
        """One attempt, based on what was just read; None if another node was faster. Raises EtcdError, PoolFull."""
        try:
            choice = allocate.choose(config, self._all_taken(), offer.public, self._previous, self._rng)
        except allocate.PoolFull as full:
            await self._drop(full.drop)
            raise
        for note in choice.notes:
            log.warning("%s", note)
        await self._drop(choice.drop)
        address = _text(offer.public)
        if choice.held is not None:
            number = self._view.keys[_SUBNETS + choice.held.name].lease
            log.info("Found lease (%s) for current IP (%s), reusing", _text(choice.subnets), address)
            try:
                await self._renewal.start(number)
            except LeaseGone:
                return None
            self._number = number
            return OwnSubnets(choice.held.name, choice.subnets)
        if choice.previous:
            log.info("Found previously leased subnet (%s), reusing", _text(choice.subnets))
        held = await self._create(offer, choice.subnets)
        if held is not None:
            log.info("Allocated lease (%s) to current node (%s)", _text(choice.subnets), address)
        return held

    async def _create(self, offer: Offer, subnets: Mapping[int, IPNetwork]) -> OwnSubnets | None:
        name = etcd_format.key_of(subnets)
        key = self._view.prefix + _SUBNETS + name
        parts = [FamilyLease(subnets[v], offer.public[v], offer.data.get(v, {})) for v in sorted(subnets)]
        value = etcd_format.value_of(Lease(name, offer.backend, tuple(parts)))
        number = await self._client.grant(self._lease_seconds)
        answer = await self._client.txn(pb.TxnRequest(compare=[absent(key)], success=[put(key, value, lease=number)]))
        if not answer.succeeded:
            await self._client.revoke(number)
            return None
        await self._view.refresh()
        if winner := self._earlier_overlap(name):
            log.info("%s overlaps %s, which came first; trying another", name, winner)
            await self._client.revoke(number)
            return None
        await self._renewal.start(number)
        self._number = number
        return OwnSubnets(name, subnets)

    def _earlier_overlap(self, name: str) -> str:
        """Name of an earlier lease that overlaps this one; empty: none."""
        taken = self._all_taken()
        mine = next((key for key in taken if key.name == name), None)
        if mine is None:
            return "nothing, having been deleted at once"
        winner = allocate.earlier_overlap(mine, taken)
        return winner.name if winner else ""

    async def _drop(self, names: Sequence[str]) -> None:
        for name in names:
            log.info("deleting lease %s, which this node can no longer use", name)
            key, entry = self._view.prefix + _SUBNETS + name, self._view.keys[_SUBNETS + name]
            request = pb.TxnRequest(compare=[unchanged(key, entry.modified)], success=[delete(key)])
            await self._client.txn(request)

    async def _delete_strays(self) -> None:
        """Delete leases from writes that timed out here and were applied later, when we had another subnet."""
        with _as_manager_errors():
            await self._drop([name for name in self._strays if _SUBNETS + name in self._view.keys])
        self._strays = ()

    def _still_held(self, config: NetworkConfig, offer: Offer) -> bool:
        """Whether our lease still exists, is ours, and fits the config."""
        held = self._held
        situation = (self._view.version, held, config, dict(offer.public))
        if situation == self._checked:
            return True
        taken = self._all_taken()
        mine = next((t for t in taken if held is not None and t.name == held.name), None)
        if mine is None or not allocate.fits(config, mine.subnets):
            return False
        # Our address may have changed; a key that is attached to our etcd lease is still ours.
        if not allocate.is_mine(mine, offer.public) and not 0 < self._number == self._lease_number():
            return False
        if winner := allocate.earlier_overlap(mine, taken):
            log.warning("lease %s overlaps %s, which came first", mine.name, winner.name)
            return False
        self._checked = situation
        self._strays = tuple(
            key.name
            for key in taken
            if key.name != mine.name and not key.reserved and allocate.is_mine(key, offer.public)
        )
        return True

    def _lease_number(self) -> int:
        """The etcd lease that our key is attached to; 0: it is a reservation, or has gone."""
        entry = self._view.keys.get(_SUBNETS + self._held.name) if self._held else None
        return entry.lease if entry else 0

    def _all_taken(self) -> list[Taken]:
        """Every key whose name is a subnet, whatever its value."""
        found = {}
        for name, entry in self._subnet_keys():
            known = self._taken.get(name)
            if known is None or known[0] != entry.modified:
                known = entry.modified, _taken_by(name, entry)
            found[name] = known
        self._taken = found
        return [taken for _, taken in found.values() if taken is not None]

    def _subnet_keys(self) -> Iterator[tuple[str, Entry]]:
        for name, entry in self._view.keys.items():
            if name.startswith(_SUBNETS):
                yield name.removeprefix(_SUBNETS), entry


@contextmanager
def _as_manager_errors() -> Iterator[None]:
    """Turn errors of the etcd client into those of a subnet manager."""
    try:
        yield
    except (Unavailable, LeaseGone) as error:
        raise ManagerUnavailable(str(error)) from error
    except EtcdError as error:
        raise LeaseError(str(error)) from error


def _decode(name: str, entry: Entry) -> Lease | str:
    """The lease, or what is wrong with it."""
    try:
        return etcd_format.lease_of(name, etcd_format.parse_key(name), etcd_format.parse_value(entry.value))
    except LeaseError as error:
        return str(error)


def _taken_by(name: str, entry: Entry) -> Taken | None:
    try:
        subnets = etcd_format.parse_key(name)
    except LeaseError:
        return None
    try:
        public = etcd_format.parse_value(entry.value).public
    except LeaseError:
        public = {}
    return Taken(name, subnets, public, entry.created, reserved=entry.lease == 0)


def _text(parts: Mapping[int, object]) -> str:
    return ", ".join(str(parts[version]) for version in sorted(parts))
