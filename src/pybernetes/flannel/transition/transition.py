"""What stays while a network changes its backend: peers that may still send by the old one.

A peer reaches us by the backend that we announce. If that needs something of the peer, as WireGuard needs its key, a
peer that has changed over may still send by the old backend until we have changed over too. And packets that were sent
before a peer saw our announcement are still in flight.
"""

import math
from collections.abc import Collection, Container, Iterable, Mapping

from pybernetes.flannel.kernel.desired import Desired, Device, LinkAddress, merge
from pybernetes.flannel.kernel.kind import Recovery
from pybernetes.flannel.leases.lease import Lease

#: How often to check for a peer's answer: at first, and later, after so many seconds.
_SOON, _LATER, _EAGER = 0.1, 2.0, 15.0
_MARGIN = 0.02


class FormerLeases:
    """Remembers the lease that a node had before it announced another backend, until `seconds` after its last use."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._last: dict[str, Lease] = {}
        self._former: dict[str, tuple[Lease, float]] = {}

    def found(self, leases: Iterable[Lease]) -> None:
        """The previous run used these, perhaps until a moment ago."""
        self._last |= {lease.node: lease for lease in leases}

    def follow(self, leases: Iterable[Lease], now: float, *, own: str, waiting: bool = False) -> tuple[Lease, ...]:
        """Given the present leases and our own backend, the leases that were replaced and are still needed.

        While routes of ours wait, all are needed: a peer's old backend may need more than kernel objects, such as an
        entry in the udp proxy's table or a tunnel that charon renews.
        """
        present = {lease.node: lease for lease in leases}
        for node, lease in present.items():
            before = self._last.get(node)
            if before is not None and before.backend != lease.backend:
                self._former[node] = before, now
        self._last = present
        self._former = {
            node: (lease, since)
            for node, (lease, last_use) in self._former.items()
            for since in [now if waiting or lease.backend == own else last_use]
            if node in present and now - since < self._seconds
        }
        return tuple(lease for lease, _ in self._former.values())


class WaitLimit:
    """Limits how long waiting routes keep old state: while a route of ours waits for its peer, the peer most likely
    waits for us.

    Until then the linger time does not start, for up to `seconds`: the peer may be dead.
    """

    def __init__(self, seconds: float = 120.0) -> None:
        self._seconds = seconds
        self._since: float | None = None

    def follow(self, waiting: bool, now: float) -> bool:
        """Given whether a route waits, whether that is still a reason to keep things."""
        if not waiting:
            self._since = None
        elif self._since is None:
            self._since = now
        return self._since is not None and now - self._since < self._seconds


class LingeringBackends:
    """Remembers which backends were in use until `seconds` ago: their receiving side stays for that long.

    A backend that was in use at one pass was in use until the next.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._used: frozenset[str] = frozenset()
        self._seen: dict[str, float] = {}

    def found(self, kinds: Iterable[str]) -> None:
        """The previous run used these, perhaps until a moment ago."""
        self._used |= frozenset(kinds)

    def follow(self, used: Iterable[str], now: float, *, waiting: bool = False) -> frozenset[str]:
        """Given the backends in use now: those, and the ones used until a moment ago, or while routes wait."""
        used = frozenset(used)
        self._seen |= dict.fromkeys(self._used | used, now)
        self._used = used
        if waiting:
            self._seen = dict.fromkeys(self._seen, now)
        self._seen = {kind: seen for kind, seen in self._seen.items() if now - seen < self._seconds}
        return frozenset(self._seen)

    def ends_in(self, now: float) -> float:
        """Seconds until the first of the lingering ones has to go; infinite if there is none."""
        ends = (seen + self._seconds for kind, seen in self._seen.items() if kind not in self._used)
        return max(0.0, min(ends, default=math.inf) - now)


class LingeringDevices:
    """Remembers the devices of one type that were wanted until `seconds` ago, with their addresses.

    A network that changes the number of its tunnel has a new device, while packets under way arrive by the old one.
    """

    def __init__(self, kind: type[Device], seconds: float) -> None:
        self._kind = kind
        self._seconds = seconds
        self._seen: dict[str, tuple[Device, tuple[LinkAddress, ...], float]] = {}
        self._wanted: frozenset[str] = frozenset()

    def found(self, devices: Iterable[Device], addresses: Collection[LinkAddress]) -> None:
        """The previous run had these, perhaps until a moment ago."""
        for device in devices:
            if type(device) is self._kind:
                self._seen[device.name] = device, _addresses_of(device, addresses), -math.inf
        self._wanted |= self._seen.keys()

    def follow(self, want: Desired, now: float, *, used: bool) -> Desired:
        """`want`, and the devices of a moment ago. `used`: their backend is in use, and does not only linger."""
        present: tuple[Device, ...] = want.of(self._kind)
        wanted = frozenset(device.name for device in present)
        if used:
            for device in present:
                self._seen[device.name] = device, _addresses_of(device, want.addresses), now
            for name in self._wanted - wanted:
                self._seen[name] = (*self._seen[name][:2], now)
        self._wanted = wanted if used else frozenset()
        self._seen = {name: kept for name, kept in self._seen.items() if now - kept[2] < self._seconds}
        more = [kept for name, kept in self._seen.items() if name not in wanted]
        if not more:
            return want
        return merge((want, *(Desired(device, *addresses) for device, addresses, _ in more)))

    def ends_in(self, now: float) -> float:
        """As that of LingeringBackends."""
        ends = (kept[2] + self._seconds for name, kept in self._seen.items() if name not in self._wanted)
        return max(0.0, min(ends, default=math.inf) - now)


def _addresses_of(device: Device, addresses: Iterable[LinkAddress]) -> tuple[LinkAddress, ...]:
    return tuple(a for a in addresses if a.link == device.name)


class Transition:
    """All of them, as the daemon needs them."""

    def __init__(self, seconds: float, *, backends: Container[str], replaced: Mapping[type[Device], str]) -> None:
        """`backends`: the names known. `replaced`: types of devices that linger when another one of their type takes
        their place, and the backend of each.
        """
        self._backends = backends
        self._wait_limit = WaitLimit()
        self._lingering = LingeringBackends(seconds)
        self._former = FormerLeases(seconds)
        self._devices = [(LingeringDevices(kind, seconds), backend) for kind, backend in replaced.items()]
        self._recovered = False
        self._used: set[str] = set()
        self._waiting = False
        self._wait_began = 0.0

    @property
    def is_recovered(self) -> bool:
        """Whether `recovered` was called; before that, nothing may be removed."""
        return self._recovered

    def recovered(self, left: Recovery) -> None:
        """What the previous run of this daemon left in the kernel."""
        self._recovered = True
        self._lingering.found(left.options)
        self._former.found(left.leases)
        for devices, _ in self._devices:
            devices.found(left.devices, left.addresses)

    def follow(self, own: str, leases: Collection[Lease], now: float) -> tuple[frozenset[str], tuple[Lease, ...]]:
        """Given the backend that is configured and all leases: the backends, and the leases of a moment ago, by which
        packets may still arrive.
        """
        used = self._used = {own, *(lease.backend for lease in leases if lease.backend in self._backends)}
        waiting = self._wait_limit.follow(self._waiting, now)
        linger = self._lingering.follow(used, now, waiting=waiting)
        return linger, self._former.follow(leases, now, own=own, waiting=waiting)

    def keep(self, want: Desired, now: float) -> Desired:
        """What is wanted, and devices that were until a moment ago."""
        for devices, backend in self._devices:
            want = devices.follow(want, now, used=backend in self._used)
        return want

    def next_check(self, now: float, *, waiting: bool) -> float:
        """Given whether a route of ours has to wait: in how many seconds to look after it, or after what has to go."""
        if waiting and not self._waiting:
            self._wait_began = now
        self._waiting = waiting
        soon = _SOON if now - self._wait_began < _EAGER else _LATER
        ends = min([self._lingering.ends_in(now), *(devices.ends_in(now) for devices, _ in self._devices)])
        return min(soon if waiting else math.inf, ends + _MARGIN)
