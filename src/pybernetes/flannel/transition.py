"""Who announced another backend a moment ago: by that one the last packets may still come."""

from collections.abc import Iterable

from pybernetes.flannel.lease import Lease


class Former:
    """Remembers, for `seconds`, the lease that a node had before it announced another backend."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._last: dict[str, Lease] = {}
        self._former: dict[str, tuple[Lease, float]] = {}

    def follow(self, leases: Iterable[Lease], now: float) -> tuple[Lease, ...]:
        """Given the leases of this moment, those that were replaced lately."""
        present = {lease.node: lease for lease in leases}
        for node, lease in present.items():
            before = self._last.get(node)
            if before is not None and before.backend != lease.backend:
                self._former[node] = before, now
        self._last = present
        self._former = {
            node: (lease, since)
            for node, (lease, since) in self._former.items()
            if node in present and now - since < self._seconds
        }
        return tuple(lease for lease, _ in self._former.values())
