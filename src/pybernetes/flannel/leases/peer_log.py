"""Log lines about peers that are added and removed, worded as in Go flanneld."""

import logging
from collections.abc import Iterable

from pybernetes.flannel.leases.lease import Lease

log = logging.getLogger(__name__)


class PeerLog:
    """Remembers the peers that were logged."""

    def __init__(self) -> None:
        self._known: dict[str, Lease] | None = None

    def report(self, peers: Iterable[Lease]) -> None:
        """Log what has changed since the last call."""
        now = {lease.node: lease for lease in peers}
        if self._known is None:
            log.info("Watching for new subnet leases")
        before = self._known or {}
        self._known = now
        for node in before.keys() - now.keys():
            for part in before[node].families:
                log.info("Subnet removed: %s", part.subnet)
        for node, lease in now.items():
            known = before.get(node)
            if known is not lease and (known is None or known.families != lease.families):
                for part in lease.families:
                    log.info("Subnet added: %s via %s (%s, %s)", part.subnet, part.public_ip, lease.backend, node)
