"""Who announced another backend before: by that one packets may still come.

A peer reaches us in the way that we announce. If that needs something of the peer, as WireGuard needs its key, a peer
that has changed over is still expected in the old way until we have changed over too.
"""

from collections.abc import Iterable

from pybernetes.flannel.lease import Lease


class Former:
    """Remembers the lease that a node had before it announced another backend, until `seconds` after its last use."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._last: dict[str, Lease] = {}
        self._former: dict[str, tuple[Lease, float]] = {}

    def follow(self, leases: Iterable[Lease], now: float, *, own: str) -> tuple[Lease, ...]:
        """Given the leases of this moment and our own backend, those that were replaced and are still of use."""
        present = {lease.node: lease for lease in leases}
        for node, lease in present.items():
            before = self._last.get(node)
            if before is not None and before.backend != lease.backend:
                self._former[node] = before, now
        self._last = present
        self._former = {
            node: (lease, since)
            for node, (lease, last_use) in self._former.items()
            for since in [now if lease.backend == own else last_use]
            if node in present and now - since < self._seconds
        }
        return tuple(lease for lease, _ in self._former.values())


class Lingering:
    """Remembers which backends were in use until `seconds` ago: their receiving side stays for so long."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._seen: dict[str, float] = {}

    def follow(self, used: Iterable[str], now: float) -> frozenset[str]:
        """Given the backends that are in use at this moment, those and the ones of a moment ago."""
        self._seen |= dict.fromkeys(used, now)
        self._seen = {kind: seen for kind, seen in self._seen.items() if now - seen < self._seconds}
        return frozenset(self._seen)
