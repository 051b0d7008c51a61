"""Pools of ClusterIPs and NodePorts, in memory, rebuilt from the stored Services at start.

An address or port is reserved before the write, and released if the write fails. What a Service gives up is released
only after the write is durable. So two Services never hold the same address, whatever fails in between.
"""

import random
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from ipaddress import ip_address
from itertools import chain

from pybernetes.apiserver.config import Network


class OutOfRange(ValueError):
    """The requested value is not in the pool's range. The client gets the text."""


class Taken(ValueError):
    """The requested value is in use."""


class Full(ValueError):
    """Every value of the pool is in use."""


@dataclass
class Pool:
    """The numbers `first` to `last`. Those below `low_end` are for explicit requests until all others are in use."""

    first: int
    last: int
    low_end: int
    rng: random.Random
    used: set[int] = field(default_factory=set)

    def take(self, value: int) -> None:
        """Reserve one value. Raises Taken; the caller has checked the range."""
        if value in self.used:
            raise Taken
        self.used.add(value)

    def take_any(self) -> int:
        """Reserve a random free value. Raises Full."""
        for low, high in ((self.low_end, self.last), (self.first, self.low_end - 1)):
            free = self._find(low, high)
            if free is not None:
                self.used.add(free)
                return free
        raise Full("range is full")

    def _find(self, low: int, high: int) -> int | None:
        if high < low:
            return None
        for _ in range(16):
            value = int(self.rng.randint(low, high))
            if value not in self.used:
                return value
        start = int(self.rng.randint(low, high))
        around = chain(range(start, high + 1), range(low, start))
        return next((value for value in around if value not in self.used), None)

    def free(self, value: int) -> None:
        """Release a value."""
        self.used.discard(value)


def static_band(size: int) -> int:
    """The number of values at the low end that are left to explicit requests: a sixteenth, between 16 and 256."""
    return min(max(16, size // 16), 256) if size > 16 else 0


class IpPool:
    """The addresses of one service network. The first is for the `kubernetes` Service, on request only."""

    def __init__(self, network: Network, rng: random.Random) -> None:
        self.network = network
        base, size = int(network.network_address), network.num_addresses
        # The network address and, for IPv4, the broadcast address can't be assigned.
        last = base + min(size, 1 << 20) - (2 if network.version == 4 else 1)
        first = base + 2
        self._pool = Pool(first, last, min(first + static_band(size), last), rng)
        self._low, self._high = base + 1, base + size - (2 if network.version == 4 else 1)

    def take(self, address: str) -> None:
        """Reserve an address. Raises OutOfRange, Taken."""
        number = int(ip_address(address))
        if ip_address(address).version != self.network.version or not self._low <= number <= self._high:
            raise OutOfRange(
                f"the provided IP ({address}) is not in the valid range. The range of valid IPs is {self.network}"
            )
        try:
            self._pool.take(number)
        except Taken:
            raise Taken("provided IP is already allocated") from None

    def take_any(self) -> str:
        """Reserve a free address. Raises Full."""
        return str(ip_address(self._pool.take_any()))

    def free(self, address: str) -> None:
        """Release an address."""
        self._pool.free(int(ip_address(address)))


class PortPool:
    """The node ports."""

    def __init__(self, ports: tuple[int, int], rng: random.Random) -> None:
        self._range = ports
        first, last = ports
        band = min(max(16, (last - first + 1) // 32), 128)
        self._pool = Pool(first, last, first + band if last - first > band else first, rng)

    def take(self, port: int) -> None:
        """Reserve a port. Raises OutOfRange, Taken."""
        first, last = self._range
        if not first <= port <= last:
            raise OutOfRange(f"provided port is not in the valid range. The range of valid ports is {first}-{last}")
        try:
            self._pool.take(port)
        except Taken:
            raise Taken("provided port is already allocated") from None

    def take_any(self) -> int:
        """Reserve a free port. Raises Full."""
        return self._pool.take_any()

    def free(self, port: int) -> None:
        """Release a port."""
        self._pool.free(port)


@dataclass(slots=True)
class Changes:
    """What a change has reserved: functions to call if the change is stored, and others to call if it is not."""

    on_keep: list[Callable[[], None]] = field(default_factory=list)
    on_undo: list[Callable[[], None]] = field(default_factory=list)

    def __bool__(self) -> bool:
        return bool(self.on_keep or self.on_undo)

    def keep(self) -> None:
        """The change is stored: release what it gave up."""
        self._run(self.on_keep)

    def undo(self) -> None:
        """The change is not stored: release what it took."""
        self._run(self.on_undo)

    def add(self, more: "Changes") -> None:
        """Include the reservations of another object."""
        self.on_keep += more.on_keep
        self.on_undo += more.on_undo

    def _run(self, calls: Iterable[Callable[[], None]]) -> None:
        for call in calls:
            call()
        self.on_keep, self.on_undo = [], []
