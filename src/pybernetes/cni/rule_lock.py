"""A lock for plugins that read and then write the same rules.

iptables-restore and nft exclude other writers for one transaction only. What a plugin has read before may have changed:
the lock excludes other plugins of this package; after a change by another program, the work is repeated.
"""

from __future__ import annotations

import fcntl
import posix

from pybernetes.linux.errors import ToolError
from pybernetes.linux.nft import NftMissing

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

LOCK = "/run/cni-rules.lock"
_TRIES = 5


def exclusively(work: Callable[[], None]) -> None:
    """Call `work`, which reads and then writes rules, under the lock; again if rules disappeared in between."""
    lock = posix.open(LOCK, posix.O_RDONLY | posix.O_CREAT | posix.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        for left in range(_TRIES - 1, -1, -1):
            try:
                return work()
            except (NftMissing, ToolError):
                if not left:
                    raise
    finally:
        posix.close(lock)
