"""Log lines about peers that come and go, in the original's words."""

import logging
from collections.abc import Iterable

from pybernetes.flannel.leases.lease import Lease

log = logging.getLogger(__name__)


class PeerLog:
    """Remembers what was told."""

    def __init__(self) -> None:
        self._known: dict[str, Lease] | None = None

    def report(self, peers: Iterable[Lease]) -> None:
        """Say what has changed since the last time."""
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
